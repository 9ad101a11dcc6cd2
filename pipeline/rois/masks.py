"""Masks and footprints from a file: label images, stacks of masks, sparse matrices."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import label

FRAME_NDIM = 2
KINDS = (".tif", ".tiff", ".npy", ".npz", ".h5", ".hdf5")
SPARSE_PARTS = ("data", "indices", "indptr", "shape")
CAIMAN_RESULTS = "estimates/A"


class Masks(NamedTuple):
    """Footprints, and the frame that they are of."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)`` float32, pixels in C order, not negative, none of them empty."""

    frame_shape: tuple[int, ...] | None
    """``([n_planes,] n_rows, n_cols)``; None: the file tells the number of pixels alone."""


def read_masks(path: Path, *, of_volumes: bool = False) -> Masks:
    """Read footprints from a file.

    Parameters
    ----------
    path : Path
        A TIFF or ``.npy`` with a label image ``(n_rows, n_cols)``, in which each positive number is
        a region, with a mask of which each connected part is one, or with a stack of masks
        ``(n_rois, n_rows, n_cols)``; an ``.npz`` of `scipy.sparse.save_npz`, ``(n_pixels,
        n_rois)`` with pixels in C order; an HDF5 file with one dataset like these, or with the
        results of CaImAn.
    of_volumes : bool
        Whether the masks are of volumes: images and masks then have planes before their rows.

    Returns
    -------
    Masks
        The footprints, in the order of their numbers.

    Raises
    ------
    ValueError
        If the file cannot be read so, or holds no region.
    """
    suffix = path.suffix.lower()
    if suffix not in KINDS:
        raise ValueError(f"{path.name} is no file of masks; these can be read: {', '.join(KINDS)}.")
    if not path.is_file():
        raise ValueError(f"there is no file {path}.")
    try:
        masks = _read(path, suffix, FRAME_NDIM + of_volumes)
    except (OSError, KeyError, tifffile.TiffFileError) as error:
        raise ValueError(f"{path.name} cannot be read as masks: {error}.") from error
    if masks.footprints.shape[1] == 0:
        raise ValueError(f"{path.name} holds no region: all its values are 0.")
    return masks


def _read(path: Path, suffix: str, ndim: int) -> Masks:
    """Read a file of a kind that is known."""
    if suffix == ".npz":
        return _checked(sparse.csc_array(sparse.load_npz(path)), None, path.name)
    if suffix in (".h5", ".hdf5"):
        with h5py.File(path, "r") as file:
            return _from_hdf5(file, path.name, ndim)
    is_tiff = suffix in (".tif", ".tiff")
    array = tifffile.imread(path) if is_tiff else np.load(path, allow_pickle=False)
    return masks_of_array(np.asarray(array), path.name, ndim=ndim)


def masks_of_array(
    array: NDArray[Any], name: str = "the array", *, ndim: int = FRAME_NDIM
) -> Masks:
    """Return the regions of a label image, of a mask, or of a stack of masks.

    Parameters
    ----------
    array : array, ([n_planes,] n_rows, n_cols) or (n_rois, [n_planes,] n_rows, n_cols)
        Whole numbers or booleans for an image; weights that are not negative for a stack.
    name : str
        How a message calls it.
    ndim : int
        Axes of a frame: 2 for a plane, 3 for a volume.

    Returns
    -------
    Masks
        Labels in increasing order, parts of a mask from the top, or the stack as it is.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if array.ndim == ndim + 1:
        flat = array.reshape(len(array), -1).T
        return _checked(sparse.csc_array(flat.astype(np.float32)), array.shape[1:], name)
    if array.ndim != ndim:
        frame = "n_rows, n_cols" if ndim == FRAME_NDIM else "n_planes, n_rows, n_cols"
        raise ValueError(
            f"{name} must hold a label image ({frame}) or a stack of masks (n_rois, {frame}); "
            f"got shape {array.shape}."
        )
    if array.dtype == np.bool_:
        array, _ = label(array)
    if array.dtype.kind not in "ui":
        raise ValueError(
            f"{name} must hold whole numbers, one for each region and 0 elsewhere; "
            f"got {array.dtype}."
        )
    values, column = np.unique(array.ravel(), return_inverse=True)
    inside = np.flatnonzero(array.ravel() > 0)
    first = np.searchsorted(values, 1)
    entries = np.ones(inside.size, np.float32), (inside, column.ravel()[inside] - first)
    shape = array.size, int((values > 0).sum())
    return _checked(sparse.csc_array(entries, shape=shape), array.shape, name)


def _from_hdf5(file: Any, name: str, ndim: int) -> Masks:
    """Read CaImAn's results, a sparse group, or the only dataset."""
    if CAIMAN_RESULTS in file:
        footprints = _sparse_group(file[CAIMAN_RESULTS])
        dims = file["dims"] if "dims" in file else file["estimates/dims"]
        shape = tuple(int(length) for length in dims[:])
        order = np.arange(math.prod(shape)).reshape(shape, order="F").ravel()
        in_c_order = sparse.csc_array(sparse.csr_array(footprints)[order])
        return _checked(in_c_order, shape, name)
    if all(part in file for part in SPARSE_PARTS):
        return _checked(_sparse_group(file), None, name)
    datasets = [key for key in file if isinstance(file[key], h5py.Dataset)]
    if len(datasets) != 1:
        raise ValueError(
            f"{name} must hold one dataset of masks, a sparse matrix ({', '.join(SPARSE_PARTS)}), "
            f"or results of CaImAn; its datasets are: {', '.join(datasets) or 'none'}."
        )
    return masks_of_array(file[datasets[0]][:], name, ndim=ndim)


def _sparse_group(group: Any) -> sparse.csc_array:
    """Read a matrix in compressed columns."""
    parts = tuple(group[part][:] for part in SPARSE_PARTS[:3])
    n_pixels, n_rois = (int(length) for length in group["shape"][:])
    return sparse.csc_array(parts, shape=(n_pixels, n_rois))


def _checked(footprints: sparse.csc_array, frame_shape: tuple[int, ...] | None, name: str) -> Masks:
    """Return footprints that can be footprints; empty ones are left out."""
    if footprints.nnz and not (np.isfinite(footprints.data).all() and footprints.data.min() >= 0):
        raise ValueError(f"{name} must hold finite weights of at least 0.")
    footprints = sparse.csc_array(footprints, dtype=np.float32)
    footprints.eliminate_zeros()
    footprints.sort_indices()
    return Masks(sparse.csc_array(footprints[:, np.diff(footprints.indptr) > 0]), frame_shape)
