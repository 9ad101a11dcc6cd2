"""A file as CaImAn saves it, which its ``load_CNMF`` opens."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.exporters.new_files import written_whole
from pipeline.importers.caiman import NUMBERS, in_caiman
from pipeline.roi_file import RoiFile

PLANE_NDIM = 2
COURSES_AT_ONCE = 16


def write_caiman(rois: RoiFile, path: Path) -> None:
    """Write ROIs as CaImAn does.

    Parameters
    ----------
    rois : RoiFile
        With the traces ``raw`` and ``denoised``.
    path : Path
        A new file ``.hdf5``; CaImAn opens no other.

    Raises
    ------
    ValueError
        If there are no such traces, or the file is there or has another name.

    Notes
    -----
    A is the footprints, C the denoised traces, YrA what is left of the raw ones, so that A C is
    the movie of the cells. CaImAn counts pixels rows first, and has planes last.
    """
    traces = rois.rois.traces
    if "raw" not in traces or "denoised" not in traces:
        raise ValueError("a file of CaImAn needs raw and denoised traces; these ROIs lack them.")
    if path.suffix.lower() not in (".hdf5", ".h5"):
        raise ValueError(f"CaImAn opens files that end in .hdf5; got {path.name!r}.")
    frame_shape = rois.rois.frame_shape
    dims = frame_shape if len(frame_shape) == PLANE_NDIM else (*frame_shape[1:], frame_shape[0])
    with written_whole(path) as new, h5py.File(new, "w") as file:
        file.attrs["source"] = rois.rois.source
        file["dims"] = np.array(dims, np.int64)
        _write_params(file, rois, dims)
        estimates = file.create_group("estimates")
        estimates["dims"] = np.array(dims, np.int64)
        _write_matrix(estimates.create_group("A"), rois.rois.footprints, in_caiman(frame_shape))
        _write_traces(estimates, traces)
        accepted = rois.accepted
        estimates["idx_components"] = np.flatnonzero(accepted)
        estimates["idx_components_bad"] = np.flatnonzero(~accepted)
        estimates["nr"] = rois.n_rois
        for name, theirs in NUMBERS.items():
            if name in rois.rois.numbers:
                estimates[theirs] = rois.rois.numbers[name].astype(np.float64)
        if rois.background is not None:
            _write_background(estimates, rois, in_caiman(frame_shape))


def _write_params(file: h5py.File, rois: RoiFile, dims: tuple[int, ...]) -> None:
    """Write what CaImAn has to know of the movie."""
    group = file.create_group("params/data")
    group["dims"] = np.array(dims, np.int64)
    if rois.rate_hz is not None:
        group["fr"] = float(rois.rate_hz)


def _write_matrix(
    group: h5py.Group, footprints: sparse.csc_array, order: NDArray[np.int64]
) -> None:
    """Write footprints in CaImAn's order of pixels."""
    turned = sparse.csc_array(
        (footprints.data.astype(np.float64), order[footprints.indices], footprints.indptr),
        shape=footprints.shape,
    )
    turned.sort_indices()
    group["data"] = turned.data
    group["indices"] = turned.indices
    group["indptr"] = turned.indptr
    group["shape"] = np.array(turned.shape, np.int64)


def _write_traces(estimates: h5py.Group, traces: Any) -> None:
    """Write the traces that are there."""
    estimates["C"] = traces["denoised"].astype(np.float64)
    estimates["YrA"] = traces["raw"].astype(np.float64) - traces["denoised"]
    estimates["R"] = estimates["YrA"]
    for name, theirs in {"spikes": "S", "dff": "F_dff"}.items():
        if name in traces:
            estimates[theirs] = traces[name].astype(np.float64)


def _write_background(estimates: h5py.Group, rois: RoiFile, order: NDArray[np.int64]) -> None:
    """Write the background, some of its courses at once; CaImAn knows a dense one alone."""
    assert rois.background is not None  # noqa: S101 the caller asked
    spatial, temporal = rois.background.images, rois.background.temporal
    n_pixels, n_courses = spatial.shape
    written = estimates.create_dataset("b", (n_pixels, n_courses), np.float32)
    back = np.argsort(order)
    for start in range(0, n_courses, COURSES_AT_ONCE):
        part = spatial[:, start : start + COURSES_AT_ONCE]
        dense = part.toarray() if sparse.issparse(part) else np.asarray(part)
        written[:, start : start + COURSES_AT_ONCE] = dense[back]
    estimates["f"] = np.asarray(temporal, np.float64)
