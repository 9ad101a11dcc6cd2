"""A folder as suite2p writes it, for its own window and for programs that read it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.exporters.new_files import written_whole
from pipeline.importers.suite2p import RENAMED
from pipeline.roi_file import RoiFile

THEIRS = {ours: theirs for theirs, ours in RENAMED.items()}


class _Fluorescence(NamedTuple):
    """The traces by suite2p's names."""

    total: NDArray[np.float32]
    """F: what the camera saw in the ROI."""

    neuropil: NDArray[np.float32]
    """Fneu."""

    coefficient: float
    """F - coefficient Fneu is the light of the cell."""


def write_suite2p(rois: RoiFile, folder: Path, *, mean_image: NDArray[np.floating]) -> None:
    """Write ROIs as suite2p does.

    Parameters
    ----------
    rois : RoiFile
        With the trace ``raw`` at least.
    folder : Path
        A new folder; ``plane0`` and so on are made in it.
    mean_image : array, ([n_planes,] n_rows, n_cols)
        Of the movie.

    Raises
    ------
    ValueError
        If there are no traces, the folder is there, or a ROI reaches through several planes.

    Notes
    -----
    F is the raw trace with the background under it. Where the neuropil of a ring was measured and
    subtracted, it is Fneu; otherwise Fneu is the background itself, with a coefficient of 1, so
    that suite2p's difference is the raw trace again.
    """
    if "raw" not in rois.rois.traces:
        raise ValueError("suite2p's folder needs traces, and these ROIs have none yet.")
    *planes, n_rows, n_cols = rois.rois.frame_shape
    n_planes = planes[0] if planes else 1
    images = np.asarray(mean_image, np.float32).reshape(n_planes, n_rows, n_cols)
    plane_of = _planes(rois, n_rows * n_cols)
    shared = np.diff(rois.rois.footprints.tocsr().indptr) > 1
    stat = [_stat(rois, roi, shared) for roi in range(rois.n_rois)]
    light = _fluorescence(rois)
    with written_whole(folder) as new:
        for plane in range(n_planes):
            chosen = np.flatnonzero(plane_of == plane)
            ops = _ops(rois, light.coefficient, images[plane], n_planes)
            _write_plane(new / f"plane{plane}", rois, chosen, stat, light, ops)


def _planes(rois: RoiFile, n_pixels: int) -> NDArray[np.int64]:
    """Return the plane of each ROI."""
    found = np.zeros(rois.n_rois, np.int64)
    for roi in range(rois.n_rois):
        planes = np.unique(rois.column(roi)[0] // n_pixels)
        if planes.size > 1:
            raise ValueError(
                f"the ROI {rois.names[roi]} reaches through the planes {planes.tolist()}, and "
                "those of suite2p lie in one; export to CaImAn or NWB instead."
            )
        found[roi] = planes[0]
    return found


def _fluorescence(rois: RoiFile) -> _Fluorescence:
    """Return F and Fneu."""
    traces = rois.rois.traces
    raw, background = traces["raw"], traces.get("background")
    total = raw if background is None else raw + background
    if "neuropil" in traces and rois.neuropil_coefficient is not None:
        return _Fluorescence(total, traces["neuropil"], rois.neuropil_coefficient)
    if background is not None:
        return _Fluorescence(total, background, 1.0)
    return _Fluorescence(total, np.zeros_like(raw), 0.0)


def _stat(rois: RoiFile, roi: int, shared: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what suite2p keeps of a ROI; of its statistics those that are known."""
    pixels, weights = rois.column(roi)
    n_rows, n_cols = rois.rois.frame_shape[-2:]
    rows, cols = np.divmod(pixels % (n_rows * n_cols), n_cols)
    numbers = {name: float(values[roi]) for name, values in rois.rois.numbers.items()}
    return {
        **{THEIRS.get(name, name): value for name, value in numbers.items() if np.isfinite(value)},
        "ypix": rows.astype(np.int64),
        "xpix": cols.astype(np.int64),
        "lam": weights,
        "med": [int(np.median(rows)), int(np.median(cols))],
        "npix": int(pixels.size),
        "radius": numbers.get("radius", float(np.sqrt(pixels.size / np.pi))),
        "overlap": shared[pixels],
    }


def _ops(
    rois: RoiFile, coefficient: float, image: NDArray[np.float32], n_planes: int
) -> dict[str, Any]:
    """Return the settings that suite2p's window and other readers look for."""
    rows, cols = image.shape
    return {
        "Ly": rows,
        "Lx": cols,
        "nframes": rois.n_frames,
        "fs": rois.rate_hz,
        "nplanes": n_planes,
        "nchannels": 1,
        "neucoeff": coefficient,
        "meanImg": image,
        "yrange": [0, rows],
        "xrange": [0, cols],
        "source": rois.rois.source,
        **({"tau": rois.about["tau"]} if "tau" in rois.about else {}),
    }


def _write_plane(  # noqa: PLR0913 the files of a folder
    folder: Path,
    rois: RoiFile,
    chosen: NDArray[np.int64],
    stat: list[dict[str, Any]],
    light: _Fluorescence,
    ops: dict[str, Any],
) -> None:
    """Write the ROIs of one plane."""
    folder.mkdir(parents=True)
    accepted = rois.accepted.astype(np.float64)
    probability = rois.rois.numbers.get("iscell_probability", accepted)
    spikes = rois.rois.traces.get("spikes", np.zeros_like(light.total))
    objects = np.empty(chosen.size, object)
    objects[:] = [stat[roi] for roi in chosen]
    arrays = {
        "F": light.total[chosen],
        "Fneu": light.neuropil[chosen],
        "spks": spikes[chosen],
        "iscell": np.stack([accepted, probability], axis=1)[chosen],
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "stat.npy", objects, allow_pickle=True)
    np.save(folder / "ops.npy", np.array(ops, object), allow_pickle=True)
