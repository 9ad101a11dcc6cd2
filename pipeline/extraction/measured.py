"""Traces of ROIs that are given: drawn by hand, taken from a file, or found by another program."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    map_items,
    no_progress,
)
from pipeline.extraction.deconvolution import time_constants_of
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import transient_snr
from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.sources import Background, Quality, Sources
from pipeline.extraction.temporal import Denoise, autoregressive
from pipeline.movie import Movie
from pipeline.rois.neuropil import mean_traces, surrounds
from pipeline.rois.shape import solidity
from pipeline.scratch import by_rows, portions, put_aside, scratch_array

HALF = 0.5
MIN_FRAMES = 3


class _Taken(NamedTuple):
    """Numbers of a trace that was taken apart."""

    snr: float
    noise: float
    baseline: float
    decay_time_s: float
    rise_time_s: float
    dff_percentile: float


def measure_rois(
    movie: Movie,
    params: ManualParams,
    *,
    seeds: sparse.csc_array | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Measure given ROIs in a movie: the mean over each, less its neuropil.

    Parameters
    ----------
    movie : Movie
        Read once, in blocks; pixels that are not finite are left out.
    params : ManualParams
        How.
    seeds : sparse array, (n_pixels, n_rois)
        The ROIs; pixels in C order, weights of any scale.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for blocks.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    Sources
        All accepted, in the given order.

    Raises
    ------
    ValueError
        If there are no ROIs, or one has no pixel in the movie.
    """
    if seeds is None:
        raise ValueError(
            "ROIs that are measured must be given: draw them, or name a file of masks."
        )
    footprints = counted(seeds, weighted=params.weighted)
    n_rois, both = footprints.shape[1], footprints
    if params.neuropil_px is not None:
        rings = surrounds(footprints, movie.frame_shape, width_px=params.neuropil_px)
        both = sparse.csc_array(sparse.hstack([footprints, rings]))
    means = mean_traces(movie, both, threads=threads, memory_bytes=memory_bytes, progress=progress)
    traces = {"raw": means[:n_rois]}
    if params.neuropil_px is not None:
        traces["neuropil"] = means[n_rois:]
    return sources_of_traces(
        footprints,
        traces,
        params,
        rate_hz=movie.require_rate_hz(),
        frame_shape=movie.frame_shape,
        threads=threads,
    )


def counted(footprints: sparse.csc_array, *, weighted: bool) -> sparse.csc_array:
    """Return footprints with the weights that count, scaled as those of `Sources` are.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Weights of any scale.
    weighted : bool
        Whether they count; otherwise all of at least half of the largest are 1.

    Raises
    ------
    ValueError
        If a footprint is empty.
    """
    given = sparse.csc_array(footprints, dtype=np.float64, copy=True)
    given.sum_duplicates()
    given.eliminate_zeros()
    empty = np.flatnonzero(np.diff(given.indptr) == 0)
    if empty.size:
        raise ValueError(
            f"ROI {empty[0]} has no pixel in the movie: it lies in the edge that motion correction "
            "cut off, or outside; leave it out."
        )
    column = np.repeat(np.arange(given.shape[1]), np.diff(given.indptr))
    if not weighted and given.nnz:
        largest = np.maximum.reduceat(given.data, given.indptr[:-1])
        given.data = (given.data >= HALF * largest[column]).astype(np.float64)
        given.eliminate_zeros()
        column = np.repeat(np.arange(given.shape[1]), np.diff(given.indptr))
    total = np.bincount(column, given.data, given.shape[1])
    power = np.bincount(column, given.data**2, given.shape[1])
    given.data *= (total / power)[column]
    return given.astype(np.float32)


def sources_of_traces(
    footprints: sparse.csc_array,
    traces: Mapping[str, NDArray[np.floating]],
    params: ManualParams,
    *,
    rate_hz: float,
    frame_shape: tuple[int, ...],
    threads: int = DEFAULT_THREADS,
) -> Sources:
    """Return what is to be said of ROIs whose traces are known.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        From `counted`.
    traces : mapping
        ``raw``, the mean over each ROI, and perhaps ``neuropil``, ``background``, ``denoised``,
        ``dff`` and ``spikes``, each ``(n_rois, n_frames)``. What is missing is computed. Frames in
        which the raw trace is not finite are left out, and NaN in what is computed.
    params : ManualParams
        How.
    rate_hz : float
        Frames per second.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.
    threads : int
        Traces worked on at once.

    Returns
    -------
    Sources
        All accepted. Without a ``background`` it is the neuropil times its coefficient, and is
        subtracted from the raw trace.
    """
    raw = np.asarray(traces["raw"], np.float32)
    neuropil = traces.get("neuropil")
    neuropil = None if neuropil is None else np.asarray(neuropil, np.float32)
    if "background" in traces:
        under = np.asarray(traces["background"], np.float32)
    elif neuropil is not None:
        # a ROI without room for a ring keeps its light
        under = by_rows(
            lambda some: np.nan_to_num(params.neuropil_coefficient * some, nan=0), neuropil
        )
        raw = by_rows(np.subtract, raw, under)
    else:
        under = scratch_array(raw.shape)
    n_frames = raw.shape[1]
    decay_frames = params.decay_time_s * rate_hz
    denoise = autoregressive(order=params.p, decay_frames=decay_frames, n_frames=n_frames)

    final = {name: scratch_array(raw.shape) for name in ("denoised", "spikes", "dff")}

    def work(roi: int) -> _Taken:
        out = {name: part[roi] for name, part in final.items()}
        return _take_apart(raw[roi], under[roi], denoise, params, rate_hz, out)

    taken: list[_Taken] = []
    for part in portions(range(len(raw)), n_frames=n_frames):
        taken += map_items(work, part, threads=threads)
        put_aside(raw, under, *final.values())
    final |= {name: np.asarray(traces[name], np.float32) for name in final.keys() & traces.keys()}
    return Sources(
        footprints=footprints,
        denoised=final["denoised"],
        residuals=by_rows(np.subtract, raw, final["denoised"]),
        spikes=final["spikes"],
        dff=final["dff"],
        background=Background(np.zeros((footprints.shape[0], 0), np.float32), raw[:0]),
        quality=_quality(footprints, frame_shape, taken),
        accepted=np.ones(len(raw), np.bool_),
        reasons=("",) * len(raw),
        dff_window_frames=min(n_frames, max(1, round(params.dff_window_s * rate_hz))),
        frame_shape=frame_shape,
        under=under if neuropil is not None or "background" in traces else None,
        neuropil=neuropil,
    )


def _take_apart(
    raw: NDArray[np.float32],
    under: NDArray[np.float32],
    denoise: Denoise,
    params: ManualParams,
    rate_hz: float,
    out: Mapping[str, NDArray[np.float32]],
) -> _Taken:
    """Deconvolve one trace, and take its dF/F, in the frames in which it is finite.

    They are written to ``out``, NaN in the other frames.
    """
    finite = np.isfinite(raw)
    for trace in out.values():
        trace[~finite] = np.nan
    if finite.sum() < MIN_FRAMES:
        for trace in out.values():
            trace[:] = np.nan
        return _Taken(*(np.nan,) * 6)
    values = raw[finite].astype(np.float64)
    part = denoise(values, None)
    dff = delta_f_over_f(
        values[np.newaxis],
        under[finite].astype(np.float64)[np.newaxis],
        window_frames=max(1, round(params.dff_window_s * rate_hz)),
        percentile=params.dff_percentile,
    )
    snr = transient_snr(
        raw[finite][np.newaxis],
        np.array([part.fit.baseline], np.float32),
        np.array([part.fit.noise], np.float32),
        window_frames=max(1, math.ceil(params.decay_time_s * rate_hz)),
    )
    decay, rise = time_constants_of(part.fit.coefficients)
    out["denoised"][finite] = part.calcium + part.slow
    out["spikes"][finite] = part.spikes
    out["dff"][finite] = dff.dff[0]
    return _Taken(
        snr=float(snr[0]),
        noise=part.fit.noise,
        baseline=part.fit.baseline,
        decay_time_s=decay / rate_hz,
        rise_time_s=rise / rate_hz,
        dff_percentile=float(dff.percentile[0]),
    )


def _quality(
    footprints: sparse.csc_array, frame_shape: tuple[int, ...], taken: list[_Taken]
) -> Quality:
    """Collect the numbers of each ROI; how it looks when active is not known."""
    n_rows, n_cols = frame_shape[-2:]
    columns = np.split(footprints.indices, footprints.indptr[1:-1])[: footprints.shape[1]]
    seen = [solidity(np.unique(each % (n_rows * n_cols)), (n_rows, n_cols)) for each in columns]
    names = ("snr", "noise", "baseline", "decay_time_s", "rise_time_s", "dff_percentile")
    numbers = {
        name: np.array([getattr(each, name) for each in taken], np.float32) for name in names
    }
    return Quality(
        rval=np.full(len(taken), np.nan, np.float32),
        solidity=np.array(seen, np.float32),
        area_px=np.diff(footprints.indptr).astype(np.int64),
        **numbers,
    )
