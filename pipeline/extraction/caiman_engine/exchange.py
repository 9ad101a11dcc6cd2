"""The files between us and CaImAn: the movie there, what was found back."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.stream import Stream

MOVIE_FILE = "movie.h5"
FOUND_FILE = "found.h5"


class Found(NamedTuple):
    """What CaImAn found, pixels in C order; every array is joined by the component."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)`` float32."""

    calcium: NDArray[np.float32]
    """Its denoised traces with their baseline, ``(n_rois, n_kept)``."""

    residuals: NDArray[np.float32]
    """What is left, ``(n_rois, n_kept)``."""

    spikes: NDArray[np.float32]
    """Deconvolved activity, ``(n_rois, n_kept)``."""

    baseline: NDArray[np.float64]
    """Of the traces, ``(n_rois,)``, NaN where there is none."""

    coefficients: NDArray[np.float64]
    """Of the autoregression, ``(n_rois, 2)``, NaN where there is none."""

    snr: NDArray[np.float64]
    """Its ratio of transients to noise, ``(n_rois,)``."""

    rval: NDArray[np.float64]
    """Its correlation in space, ``(n_rois,)``."""

    accepted: NDArray[np.bool_]
    """Its verdict, ``(n_rois,)``."""

    background: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    """``(n_pixels, n_courses)`` and ``(n_courses, n_kept)``; None: a ring background."""


def in_fortran_order(frame_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return for each pixel, in C order, where CaImAn has it."""
    n_pixels = int(np.prod(frame_shape))
    return np.arange(n_pixels).reshape(frame_shape, order="F").ravel()


def write_movie(
    stream: Stream, folder: Path, settings: dict[str, Any], seeds: sparse.csc_array | None
) -> Path:
    """Write what CaImAn is to work on: kept frames without gaps, settings, seeds."""
    path = folder / MOVIE_FILE
    frame_shape = stream.movie.frame_shape
    with h5py.File(path, "w") as file:
        file.attrs["settings"] = json.dumps(settings)
        shape = int(stream.kept.sum()), *frame_shape
        movie = file.create_dataset("movie", shape, np.float32)
        start = 0
        blocks = stream.map(lambda frames, block: block[stream.kept[frames]], phase="copying")
        for block in blocks:
            movie[start : start + len(block)] = block.reshape(-1, *frame_shape)
            start += len(block)
        if seeds is not None:
            group = file.create_group("seeds")
            group.attrs["n_pixels"] = seeds.shape[0]
            group["indices"] = in_fortran_order(frame_shape)[seeds.indices]
            group["indptr"] = seeds.indptr
    return path


def read_found(folder: Path, frame_shape: tuple[int, ...], n_kept: int) -> Found:
    """Read what the runner wrote."""
    order = in_fortran_order(frame_shape)
    with h5py.File(folder / FOUND_FILE, "r") as file:
        n_rois = int(file.attrs["n_rois"])
        if n_rois == 0:
            return _nothing(order.size, n_kept)
        parts = tuple(file[f"footprints/{part}"][:] for part in ("data", "indices", "indptr"))
        footprints = sparse.csc_array(parts, shape=(order.size, n_rois), dtype=np.float32)
        background = None
        if "b" in file:
            background = file["b"][:].astype(np.float32)[order], file["f"][:].astype(np.float32)
        in_c_order = sparse.csr_array(footprints)[order]
        return Found(
            footprints=sparse.csc_array(in_c_order),
            calcium=file["C"][:].astype(np.float32),
            residuals=file["YrA"][:].astype(np.float32),
            spikes=file["S"][:].astype(np.float32),
            baseline=file["baseline"][:],
            coefficients=file["coefficients"][:],
            snr=file["snr"][:],
            rval=file["rval"][:],
            accepted=file["accepted"][:],
            background=background,
        )


def _nothing(n_pixels: int, n_kept: int) -> Found:
    """Return what is found where there is nothing."""
    none = np.zeros((0, n_kept), np.float32)
    return Found(
        footprints=sparse.csc_array((n_pixels, 0), dtype=np.float32),
        calcium=none,
        residuals=none,
        spikes=none,
        baseline=np.zeros(0),
        coefficients=np.zeros((0, 2)),
        snr=np.zeros(0),
        rval=np.zeros(0),
        accepted=np.zeros(0, np.bool_),
        background=None,
    )
