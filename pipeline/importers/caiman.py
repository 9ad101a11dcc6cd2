"""What CaImAn found: the HDF5 file that it saves, of any version since 1.8."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.sources import Background
from pipeline.importers.hdf5_safe import DAMAGE, read_array
from pipeline.roi_file import RoiFile
from pipeline.rois.given import GivenRois

SUFFIXES = (".hdf5", ".h5", ".hdf")
NUMBERS = {
    "snr": "SNR_comp",
    "rval": "r_values",
    "cnn": "cnn_preds",
    "baseline": "bl",
    "noise": "neurons_sn",
}
"""Our names and CaImAn's."""

IN_UNITS = ("raw", "denoised", "spikes", "baseline", "noise")
"""What is in units of the movie once footprints are scaled."""

MATRIX_NDIM = 2


def is_caiman(path: Path) -> bool:
    """Tell whether a file is HDF5 by its name.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_caiman(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:  # noqa: ARG001 all importers take it
    """Read components, traces, evaluation and background.

    Parameters
    ----------
    path : Path
        What CaImAn's ``save`` wrote.
    frame_shape : tuple of int
        Of the recorded frames; CaImAn has planes last, we have them first.

    Returns
    -------
    RoiFile
        ``denoised`` is C, ``raw`` C + YrA, ``dff`` F_dff, ``spikes`` S, in units of the movie;
        ``background`` is the mean of b f over each footprint.
        Accepted are ``idx_components``, and all where CaImAn did not evaluate them.

    Raises
    ------
    ValueError
        If it is damaged, or no such file.
    """
    try:
        with h5py.File(path, "r") as file:
            if not isinstance(file.get("estimates/A"), h5py.Group):
                raise ValueError(  # noqa: TRY004 the file is wrong, not its type
                    f"{path.name} holds no components of CaImAn (estimates/A); save the results "
                    "with the save() of CaImAn's CNMF object."
                )
            return _read(file)
    except DAMAGE as error:
        raise ValueError(
            f"{path.name} cannot be read as results of CaImAn ({str(error)[:120]}); copy or save "
            "it again."
        ) from error


def _read(file: h5py.File) -> RoiFile:
    """Read an open file."""
    estimates = file["estimates"]
    dims = tuple(int(length) for length in _dims(file))
    footprints = _matrix(estimates["A"])
    if footprints.shape[0] != int(np.prod(dims, dtype=object)):
        raise ValueError(
            f"CaImAn's footprints have {footprints.shape[0]} pixels and its frames {dims}; the "
            "file is damaged."
        )
    order = in_caiman(_turned(dims))
    by_roi = sparse.csc_array(sparse.csr_array(footprints)[order], dtype=np.float32)
    by_roi.data = np.maximum(by_roi.data, 0)  # rounding of a solver, in some versions
    by_roi.eliminate_zeros()
    by_roi.sort_indices()
    n_rois = by_roi.shape[1]
    chosen = np.flatnonzero(np.diff(by_roi.indptr) > 0)
    traces = {name: _of(array, chosen, n_rois, name) for name, array in _traces(estimates).items()}
    numbers = _numbers(estimates, chosen, n_rois)
    background = _background(estimates, order)
    scaled, scale = _scaled(sparse.csc_array(by_roi[:, chosen]))
    for name in IN_UNITS:
        traces |= {name: traces[name] / scale[:, np.newaxis]} if name in traces else {}
        numbers |= {name: numbers[name] / scale} if name in numbers else {}
    if background is not None:
        traces["background"] = _under(scaled, background)
    empty = n_rois - chosen.size
    return RoiFile(
        rois=GivenRois(
            footprints=scaled,
            frame_shape=_turned(dims),
            accepted=_accepted(estimates, n_rois)[chosen],
            numbers=numbers,
            traces=traces,
            source=f"CaImAn {_version(file)}".strip(),
            file=Path(file.filename).name,
        ),
        background=background,
        rate_hz=_rate_hz(file),
        left_out=(f"{empty} components have no pixel and are left out.",) if empty else (),
    )


def _scaled(footprints: sparse.csc_array) -> tuple[sparse.csc_array, NDArray[np.float32]]:
    """Scale footprints so that their squares and they have one sum, and return by how much.

    A trace divided by that is a weighted mean over the footprint, in units of the movie.
    """
    total = np.asarray(footprints.sum(axis=0), np.float64).ravel()
    squared = np.asarray(footprints.power(2).sum(axis=0), np.float64).ravel()
    scale = (total / squared).astype(np.float32)
    scaled = footprints @ sparse.diags_array(scale)
    return sparse.csc_array(scaled, dtype=np.float32), scale


def _under(footprints: sparse.csc_array, background: Background) -> NDArray[np.float32]:
    """Return the mean of the background over each scaled footprint."""
    total = np.asarray(footprints.sum(axis=0), np.float64)
    overlap = np.asarray(footprints.T @ background.images)
    return np.asarray(overlap @ background.temporal / total[:, np.newaxis], np.float32)


def _dims(file: h5py.File) -> NDArray[np.int64]:
    """Return the shape of a frame as CaImAn has it: rows, columns, planes."""
    for place in ("dims", "estimates/dims", "params/data/dims"):
        if place in file and file[place].ndim == 1 and file[place].dtype.kind in "iu":
            dims = np.asarray(file[place][:8], np.int64)
            if len(dims) in (2, 3) and (dims > 0).all():
                return dims
    raise ValueError("the file does not tell the size of CaImAn's frames (dims); save it again.")


def _turned(dims: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with planes first that has them last, and the other way round."""
    return (dims[-1], *dims[:-1]) if len(dims) > MATRIX_NDIM else dims


def in_caiman(frame_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return for each pixel of a frame, in C order, where CaImAn has it.

    Parameters
    ----------
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.

    Returns
    -------
    array, (n_pixels,)
        CaImAn counts rows first, then columns, then planes.

    Examples
    --------
    >>> in_caiman((2, 3)).tolist()
    [0, 2, 4, 1, 3, 5]
    """
    places = np.arange(int(np.prod(frame_shape)))
    if len(frame_shape) == MATRIX_NDIM:
        return places.reshape(frame_shape, order="F").ravel()
    planes, rows, cols = frame_shape
    return np.moveaxis(places.reshape((rows, cols, planes), order="F"), -1, 0).ravel()


def _matrix(group: h5py.Group) -> sparse.csc_array:
    """Read a matrix in compressed columns, and refuse one that is none."""
    data, indices, indptr, shape = (
        read_array(group.get(part), f"A/{part}") for part in ("data", "indices", "indptr", "shape")
    )
    whole = all(part.dtype.kind in "iu" and part.ndim == 1 for part in (indices, indptr, shape))
    if not (whole and len(shape) == MATRIX_NDIM and data.ndim == 1 and data.dtype.kind == "f"):
        raise ValueError("CaImAn's footprints (A) are no sparse matrix; the file is damaged.")
    n_pixels, n_rois = (int(length) for length in shape)
    steps = np.diff(indptr.astype(np.int64))
    complete = len(indptr) == n_rois + 1 and indptr[0] == 0 and int(indptr[-1]) == len(data)
    inside = len(indices) == len(data) and not (
        indices.size and (int(indices.min()) < 0 or int(indices.max()) >= n_pixels)
    )
    if not (complete and inside and (steps >= 0).all()):
        raise ValueError("CaImAn's footprints (A) lie outside their frame; the file is damaged.")
    if not np.isfinite(data).all():
        raise ValueError("CaImAn's footprints (A) hold values that are not finite.")
    return sparse.csc_array((data, indices, indptr), shape=(n_pixels, n_rois))


def _optional(estimates: h5py.Group, name: str) -> NDArray[np.float32] | None:
    """Read a matrix that not every result has; CaImAn writes a word where it has none."""
    node = estimates.get(name)
    if not (isinstance(node, h5py.Dataset) and node.ndim == MATRIX_NDIM):
        return None
    if node.dtype.kind not in "fiu" or node.size == 0:
        return None
    return np.asarray(read_array(node, name), np.float32)


def _traces(estimates: h5py.Group) -> dict[str, NDArray[np.float32]]:
    """Return the traces under our names."""
    calcium = _optional(estimates, "C")
    if calcium is None:
        raise ValueError("the file holds no traces (estimates/C); save the results after fit().")
    residuals = _optional(estimates, "YrA")
    residuals = np.zeros_like(calcium) if residuals is None else residuals
    if residuals.shape != calcium.shape:
        raise ValueError(f"C has shape {calcium.shape} and YrA {residuals.shape}.")
    found = {"denoised": calcium, "raw": calcium + residuals}
    for name, theirs in {"spikes": "S", "dff": "F_dff"}.items():
        array = _optional(estimates, theirs)
        if array is not None:
            found[name] = array
    return found


def _of(array: NDArray[Any], chosen: NDArray[np.int64], n_rois: int, name: str) -> NDArray[Any]:
    """Return the rows of the ROIs that are kept."""
    if len(array) != n_rois:
        raise ValueError(f"there are {n_rois} components, but {name} is of {len(array)}.")
    return array if chosen.size == n_rois else array[chosen]


def _accepted(estimates: h5py.Group, n_rois: int) -> NDArray[np.bool_]:
    """Return which components CaImAn accepted; all, where it did not evaluate them."""
    node = estimates.get("idx_components")
    if not (isinstance(node, h5py.Dataset) and node.ndim == 1):
        return np.ones(n_rois, np.bool_)
    chosen = read_array(node, "idx_components")
    whole = chosen.size == 0 or chosen.dtype.kind in "iu"
    if not whole or (chosen.size and not 0 <= int(chosen.min()) <= int(chosen.max()) < n_rois):
        raise ValueError(f"idx_components names components beyond the {n_rois} that there are.")
    accepted = np.zeros(n_rois, np.bool_)
    accepted[chosen.astype(np.int64)] = True
    return accepted


def _numbers(
    estimates: h5py.Group, chosen: NDArray[np.int64], n_rois: int
) -> dict[str, NDArray[np.float64]]:
    """Return what CaImAn measured, one number for each component; text is how it writes some."""
    found = {}
    for name, theirs in NUMBERS.items():
        node = estimates.get(theirs)
        if isinstance(node, h5py.Dataset) and node.shape == (n_rois,) and n_rois:
            values = read_array(node, theirs)
            try:
                found[name] = values.astype(np.float64)[chosen]
            except ValueError:  # a word in its place: it was not measured
                continue
    return found


def _background(estimates: h5py.Group, order: NDArray[np.int64]) -> Background | None:
    """Return the background of low rank, where there is one."""
    spatial, temporal = _optional(estimates, "b"), _optional(estimates, "f")
    if spatial is None or temporal is None:
        return None
    if spatial.shape != (order.size, len(temporal)):
        raise ValueError(f"CaImAn's background has shapes {spatial.shape} and {temporal.shape}.")
    return Background(spatial[order], temporal)


def _version(file: h5py.File) -> str:
    """Return the version of CaImAn, where the file tells it."""
    group = file.get("params/data")
    if not isinstance(group, h5py.Group):
        return ""
    found = group.attrs.get("caiman_version", None)
    if found is None and isinstance(group.get("caiman_version"), h5py.Dataset):
        found = group["caiman_version"][()]
    text = found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found or "")
    return text[:32] if text.isprintable() else ""


def _rate_hz(file: h5py.File) -> float | None:
    """Return the rate that CaImAn was told."""
    node = file.get("params/data/fr")
    if not (isinstance(node, h5py.Dataset) and node.shape == () and node.dtype.kind in "fiu"):
        return None
    return float(node[()])
