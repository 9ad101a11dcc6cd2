"""Constrained non-negative matrix factorisation of a movie of one plane.

The movie is modelled as footprints times calcium, plus a background of low rank, plus noise. Every
step streams the movie; what is kept in memory does not grow with it, apart from the traces.

References
----------
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037.
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.checks import check_in_range
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import active_frames, judge, measure, measure_shapes
from pipeline.extraction.field import Field
from pipeline.extraction.merging import merge_components
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.seeding import enlarged, find_seeds, stretched
from pipeline.extraction.sources import Background, Sources
from pipeline.extraction.spatial import background_images, dilated, update_footprints
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Survey, plan_grid, survey_movie
from pipeline.extraction.temporal import Traces, autoregressive, update_traces
from pipeline.movie import Movie

PLANE_NDIM = 3
REFINEMENTS = 2
MIN_FRAMES = 10
MIN_DECAY_FRAMES = 0.2
CELL_GSIGS = 4
"""Size of a whole cell, in half-sizes."""

MIN_MEMORY_FRAMES = 64
"""Frames, as float32, that the memory must hold for blocks and the small movie."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Footprints and calcium as they are being refined."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)``."""

    calcium: NDArray[np.float32]
    """``(n_rois, n_kept)``."""


def extract_sources(
    movie: Movie,
    params: CnmfParams,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Find the cells of a movie of one plane, their traces and the background.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CnmfParams
        Settings.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for frames; traces of the cells come on top.
    progress : callable
        Told the phase and how far it is; may raise to cancel.

    Returns
    -------
    Sources
        All components, accepted or not; none found is a valid result.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.

    Notes
    -----
    A value that is not finite is missing. A pixel that misses in more than a tenth of the frames
    belongs to no footprint and to no background; elsewhere the mean of the pixel stands in. A
    frame without any finite value is left out and NaN in every trace. A pixel that never changes
    is dead and left out, too.

    Cells are sought in a copy of the movie, binned to fit the memory; a warning says so where a
    bin gets longer than a transient.
    """
    check_movie(movie, params, memory_bytes=memory_bytes)
    budget = memory_bytes // 2
    grid = plan_grid(movie, params, memory_bytes=budget)
    survey = survey_movie(movie, grid, threads=threads, memory_bytes=budget, progress=progress)
    survey = survey.without_border(params.border_px, movie.frame_shape)
    if survey.kept.sum() < MIN_FRAMES:
        raise ValueError(
            f"{movie.name} has {survey.kept.sum()} frames with a finite value and needs at least "
            f"{MIN_FRAMES}; check how it was motion-corrected."
        )
    seeds = find_seeds(survey, params, threads=threads, memory_bytes=budget, progress=progress)
    stream = Stream(
        movie=movie,
        fill=survey.mean,
        kept=survey.kept,
        threads=threads,
        memory_bytes=budget,
        progress=progress,
    )
    calcium = stretched(seeds.calcium, bin_frames=grid.bin_frames, n_frames=movie.n_frames)
    model = Model(footprints=enlarged(seeds.footprints, grid), calcium=calcium[:, survey.kept])
    for _ in range(REFINEMENTS):
        model = _refined(model, stream, survey, params)
    traces = _traces(model, stream, survey, params)
    return _sources(model.footprints, traces, stream, survey, params)


def check_movie(movie: Movie, params: CnmfParams, *, memory_bytes: int) -> None:
    """Refuse a movie that CNMF of one plane cannot work on with these settings.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, is smaller than a cell, or the
        memory does not hold enough of it.
    """
    rate_hz = movie.require_rate_hz()
    check_in_range("decay_time_s", params.decay_time_s, MIN_DECAY_FRAMES / rate_hz, np.inf)
    if len(movie.shape) != PLANE_NDIM:
        raise ValueError(
            f"CNMF works on one plane, (n_frames, n_rows, n_cols); {movie.name} has shape "
            f"{movie.shape}: extract each plane by itself."
        )
    if movie.n_frames < MIN_FRAMES:
        raise ValueError(
            f"{movie.name} has {movie.n_frames} frames; CNMF needs at least {MIN_FRAMES}."
        )
    for length, gsig_px in zip(movie.frame_shape, params.gsig_px, strict=True):
        if CELL_GSIGS * gsig_px > length:
            raise ValueError(
                f"gsig_px must be at most a quarter of the frame, {length / CELL_GSIGS:g} of "
                f"{length} pixels, for a cell to fit; got {gsig_px!r}: give the half-size of a "
                "cell in pixels."
            )
    if 2 * params.border_px >= min(movie.frame_shape):
        raise ValueError(
            f"border_px must be below {min(movie.frame_shape) // 2}, half of a frame of "
            f"{movie.frame_shape[0]} x {movie.frame_shape[1]} pixels; got {params.border_px}."
        )
    needed = 4 * MIN_MEMORY_FRAMES * math.prod(movie.frame_shape)
    if memory_bytes < needed:
        raise ValueError(
            f"memory_bytes must be at least {needed} for frames of {movie.frame_shape[0]} x "
            f"{movie.frame_shape[1]} pixels; got {memory_bytes}."
        )


def _field(survey: Survey, stream: Stream, params: CnmfParams) -> Field:
    """Return the field of view of the movie."""
    n_rows, n_cols = stream.movie.frame_shape
    rows_px, cols_px = params.gsig_px
    return Field((n_rows, n_cols), survey.usable, (rows_px, cols_px))


def _traces(model: Model, stream: Stream, survey: Survey, params: CnmfParams) -> Traces:
    """Read the movie once for the traces of the footprints."""
    return update_traces(
        stream,
        model.footprints,
        model.calcium,
        field=_field(survey, stream, params),
        gnb=params.gnb,
        denoise=autoregressive(
            order=params.p,
            decay_frames=params.decay_time_s * stream.movie.require_rate_hz(),
        ),
    )


def _refined(model: Model, stream: Stream, survey: Survey, params: CnmfParams) -> Model:
    """Update traces, then footprints, and merge what turns out to be one cell."""
    traces = _traces(model, stream, survey, params)
    footprints, calcium = update_footprints(
        stream,
        dilated(model.footprints, _field(survey, stream, params)),
        traces.calcium,
        traces.courses,
        noise=survey.noise,
    )
    alive = np.diff(footprints.indptr) > 0
    footprints, calcium = merge_components(
        sparse.csc_array(footprints[:, alive]), calcium[alive], merge_corr=params.merge_corr
    )
    return Model(footprints=footprints, calcium=calcium)


def _sources(
    footprints: sparse.csc_array,
    traces: Traces,
    stream: Stream,
    survey: Survey,
    params: CnmfParams,
) -> Sources:
    """Read the movie a last time, for the background and the shape of the active frames."""
    rate_hz = stream.movie.require_rate_hz()
    support = dilated(footprints, _field(survey, stream, params))
    active = active_frames(traces.calcium)
    local, dense = stream.weigh(support, active, traces.courses, phase="evaluation")
    denoised = traces.calcium + _column([part.baseline for part in traces.deconvolved])
    images = background_images(dense, footprints, denoised, traces.courses, survey.usable)
    images_of_active = local - _elsewhere(
        support, footprints, denoised, active, images, traces.courses
    )
    dff = delta_f_over_f(
        traces.raw,
        traces.background,
        window_frames=max(1, round(params.dff_window_s * rate_hz)),
        percentile=params.dff_percentile,
    )
    n_rows, n_cols = stream.movie.frame_shape
    quality = measure(
        traces,
        measure_shapes(images_of_active, support, footprints, (n_rows, n_cols)),
        dff=dff,
        rate_hz=rate_hz,
        decay_time_s=params.decay_time_s,
    )
    verdict = judge(quality, params)
    spikes = np.array([part.spikes for part in traces.deconvolved], np.float32)
    return Sources(
        footprints=footprints,
        denoised=_on_all_frames(denoised, survey.kept),
        residuals=_on_all_frames(traces.raw - denoised, survey.kept),
        spikes=_on_all_frames(spikes.reshape(denoised.shape), survey.kept),
        dff=_on_all_frames(dff.dff, survey.kept),
        background=_background(images, _on_all_frames(traces.courses, survey.kept), params.gnb),
        quality=quality,
        accepted=verdict.accepted,
        reasons=verdict.reasons,
        dff_window_frames=dff.window_frames,
        frame_shape=(n_rows, n_cols),
    )


def _background(images: NDArray[np.float32], courses: NDArray[np.float32], gnb: int) -> Background:
    """Return a background of ``gnb`` components; those that a movie of low rank lacks are 0."""
    lacking = gnb - len(courses)
    return Background(
        np.pad(images, ((0, 0), (0, lacking))), np.pad(courses, ((0, lacking), (0, 0)))
    )


def _elsewhere(
    support: sparse.csc_array,
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    active: NDArray[np.float32],
    images: NDArray[np.float32],
    courses: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return what background and other cells add to each cell's mean of its active frames."""
    by_cell = denoised.astype(np.float64) @ active.T
    np.fill_diagonal(by_cell, 0)
    by_course = courses.astype(np.float64) @ active.T
    roi_of_entry = np.repeat(np.arange(support.shape[1]), np.diff(support.indptr))
    pixels = support.indices
    added = np.asarray((images[pixels] * by_course.T[roi_of_entry]).sum(axis=1))
    rows = sparse.csr_array(footprints)
    for roi, start in enumerate(support.indptr[:-1]):
        column = slice(start, support.indptr[roi + 1])
        added[column] += rows[pixels[column]] @ by_cell[:, roi]
    return added


def _column(values: list[float]) -> NDArray[np.float32]:
    """Return numbers as a column, ``(n_rois, 1)``."""
    return np.array(values, np.float32).reshape(-1, 1)


def _on_all_frames(traces: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return traces of the kept frames on all frames, NaN where a frame was left out."""
    if kept.all():
        return np.ascontiguousarray(traces, np.float32)
    full = np.full((len(traces), kept.size), np.nan, np.float32)
    full[:, kept] = traces
    return full
