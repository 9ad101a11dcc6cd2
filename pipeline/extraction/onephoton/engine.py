"""CNMF-E: constrained non-negative matrix factorisation of one-photon movies.

The movie is modelled as footprints times calcium, plus a background in which each place follows
the ring around it, plus noise. Every step streams the movie; what is kept in memory does not grow
with it, apart from the traces.

References
----------
Zhou et al. (2018), doi:10.7554/eLife.28728.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import Verdict, active_frames, judge, measure, measure_shapes
from pipeline.extraction.field import Field
from pipeline.extraction.merging import merge_components
from pipeline.extraction.onephoton.asymmetry import trace_asymmetry
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.ring import RingBackground, RingStream
from pipeline.extraction.onephoton.seeding import find_cells, one_block
from pipeline.extraction.onephoton.small import Cells, SmallMovie, prepare_small
from pipeline.extraction.onephoton.summary import Summary, summarise
from pipeline.extraction.seeding import enlarged, stretched
from pipeline.extraction.sources import Quality, Sources
from pipeline.extraction.spatial import dilated, update_footprints
from pipeline.extraction.temporal import Denoise, Traces, autoregressive, update_traces
from pipeline.movie import Movie

REFINEMENTS = 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every step needs."""

    movie: Movie
    """The movie."""

    params: CnmfeParams
    """Settings."""

    small: SmallMovie
    """The movie in bins."""

    field: Field
    """Its pixels."""

    threads: int
    """Blocks worked on at once."""

    memory_bytes: int
    """Memory for blocks."""

    progress: Progress
    """Told the frames done."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Frames with at least one finite value."""
        return self.small.survey.kept

    @property
    def decay_frames(self) -> float:
        """Time in which a transient decays to 1/e."""
        return self.params.decay_time_s * self.movie.require_rate_hz()

    @property
    def denoise(self) -> Denoise:
        """How traces are taken apart."""
        return autoregressive(order=self.params.p, decay_frames=self.decay_frames)

    def stream(self, background: RingBackground) -> RingStream:
        """Return the movie as it is read without its background."""
        return RingStream(
            movie=self.movie,
            fill=self.small.survey.mean,
            kept=self.kept,
            threads=self.threads,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
            background=background,
        )

    def background(self, cells: Cells) -> RingBackground:
        """Fit the background, given the cells, whose traces are of the kept frames."""
        on_all = on_all_frames(cells.calcium, self.kept, missing=cells.calcium.mean(axis=1))
        full = Cells(cells.footprints, on_all)
        fitted = self.small.background(self.small.shrunk(full))
        return self.small.enlarged(fitted, full, self.field)


def extract_sources_one_photon(
    movie: Movie,
    params: CnmfeParams,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Find the cells of a one-photon movie, their traces and the background.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CnmfeParams
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
        All components, accepted or not; none found is a valid result. Its ``background`` is the
        mean image and the few leading courses of the ring background, each with its image.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.

    Notes
    -----
    A value that is not finite is missing. A pixel that misses in more than a tenth of the frames
    belongs to no footprint and to no background; elsewhere the mean of the pixel stands in. A
    frame without any finite value is left out and NaN in every trace. A pixel that never changes
    is dead or saturated and left out, too.

    Cells are sought, and the background is fitted, in a copy of the movie that is binned to fit
    the memory; footprints and traces come from the whole movie.
    """
    task = _prepare(movie, params, threads=threads, memory_bytes=memory_bytes, progress=progress)
    found = find_cells(
        task.small,
        params,
        threads=threads,
        memory_bytes=task.memory_bytes,
        progress=progress,
    )
    cells = _on_movie(found, task)
    for _ in range(REFINEMENTS):
        cells = _refined(cells, task)
    return _sources(cells, task)


def _prepare(
    movie: Movie, params: CnmfeParams, *, threads: int, memory_bytes: int, progress: Progress
) -> Task:
    """Read the movie once for its statistics and its small copy."""
    small = prepare_small(
        movie, params, threads=threads, memory_bytes=memory_bytes, progress=progress
    )
    n_rows, n_cols = movie.frame_shape
    gsig_px = params.gsig_px[0], params.gsig_px[1]
    return Task(
        movie=movie,
        params=params,
        small=small,
        field=Field((n_rows, n_cols), small.survey.usable, gsig_px),
        threads=threads,
        memory_bytes=memory_bytes // 2,
        progress=progress,
    )


def _on_movie(found: Cells, task: Task) -> Cells:
    """Return cells of the small movie on the pixels and the kept frames of the movie."""
    grid = task.small.grid
    calcium = stretched(found.calcium, bin_frames=grid.bin_frames, n_frames=task.movie.n_frames)
    return Cells(enlarged(found.footprints, grid), calcium[:, task.kept])


def _refined(cells: Cells, task: Task) -> Cells:
    """Update background, traces and footprints, and merge what turns out to be one cell."""
    stream = task.stream(task.background(cells))
    traces = _traces(cells, stream, task)
    footprints, calcium = update_footprints(
        stream,
        dilated(cells.footprints, task.field),
        traces.calcium,
        traces.courses,
        noise=task.small.survey.noise,
    )
    alive = np.diff(footprints.indptr) > 0
    return Cells(
        *merge_components(
            sparse.csc_array(footprints[:, alive]),
            calcium[alive],
            merge_corr=task.params.merge_corr,
        )
    )


def _traces(cells: Cells, stream: RingStream, task: Task) -> Traces:
    """Read the movie once for the traces of the footprints."""
    return update_traces(stream, *cells, field=one_block(task.field), gnb=1, denoise=task.denoise)


class Results(NamedTuple):
    """What the last passes give."""

    traces: Traces
    """Of all components."""

    denoised: NDArray[np.float32]
    """Calcium plus baseline, ``(n_rois, n_kept)``."""

    images: NDArray[np.float64]
    """Of the active frames of each component on its support."""

    support: sparse.csc_array
    """The footprints with their surround."""

    summary: Summary
    """The background in short."""


def _measured(cells: Cells, task: Task) -> Results:
    """Read the movie for the last traces, the shape of active frames, and the background."""
    background = task.background(cells)
    stream = task.stream(background)
    traces = _traces(cells, stream, task)
    support = dilated(cells.footprints, task.field)
    active = active_frames(traces.calcium)
    images, _ = stream.weigh(support, active, traces.courses, phase="evaluation")
    baseline = np.array([part.baseline for part in traces.deconvolved], np.float32)
    denoised = traces.calcium + baseline[:, np.newaxis]
    return Results(
        traces=traces,
        denoised=denoised,
        images=images - _of_others(support, cells.footprints, denoised, active),
        support=support,
        summary=summarise(stream, task.small, cells.footprints, task.field),
    )


def _sources(cells: Cells, task: Task) -> Sources:
    """Collect and judge the components."""
    params, rate_hz = task.params, task.movie.require_rate_hz()
    found = _measured(cells, task)
    traces, kept = found.traces, task.kept
    dff = delta_f_over_f(
        traces.raw,
        found.summary.under_cells[:, kept],
        window_frames=max(1, round(params.dff_window_s * rate_hz)),
        percentile=params.dff_percentile,
    )
    quality = measure(
        traces,
        measure_shapes(found.images, found.support, cells.footprints, task.field.frame_shape),
        dff=dff,
        rate_hz=rate_hz,
        decay_time_s=params.decay_time_s,
    )
    verdict = _judged(quality, traces, task)
    spikes = np.array([part.spikes for part in traces.deconvolved], np.float32)
    return Sources(
        footprints=cells.footprints,
        denoised=on_all_frames(found.denoised, kept),
        residuals=on_all_frames(traces.raw - found.denoised, kept),
        spikes=on_all_frames(spikes.reshape(found.denoised.shape), kept),
        dff=on_all_frames(dff.dff, kept),
        background=found.summary.background,
        quality=quality,
        accepted=verdict.accepted,
        reasons=verdict.reasons,
        dff_window_frames=dff.window_frames,
        frame_shape=task.field.frame_shape,
    )


def _judged(quality: Quality, traces: Traces, task: Task) -> Verdict:
    """Compare the numbers of each component with the thresholds, asymmetry among them."""
    params = task.params
    asymmetry = trace_asymmetry(traces.raw, decay_frames=task.decay_frames)
    symmetric = [
        ""
        if value >= params.min_asymmetry
        else f"asymmetry {value:.2f} is below {params.min_asymmetry:g}"
        for value in asymmetry
    ]
    others = judge(quality, params.shared).reasons
    reasons = tuple("; ".join(filter(None, both)) for both in zip(others, symmetric, strict=True))
    return Verdict(np.array([not reason for reason in reasons], np.bool_), reasons)


def _of_others(
    support: sparse.csc_array,
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    active: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return what the other cells add to each cell's mean of its active frames."""
    by_cell = denoised.astype(np.float64) @ active.T
    np.fill_diagonal(by_cell, 0)
    rows = sparse.csr_array(footprints)
    added = np.zeros(support.indices.size)
    for roi, start in enumerate(support.indptr[:-1]):
        column = slice(start, support.indptr[roi + 1])
        added[column] = rows[support.indices[column]] @ by_cell[:, roi]
    return added


def on_all_frames(
    traces: NDArray[np.float32],
    kept: NDArray[np.bool_],
    *,
    missing: NDArray[np.floating] | float = np.nan,
) -> NDArray[np.float32]:
    """Return traces of the kept frames on all frames.

    Parameters
    ----------
    traces : array, (n_rois, n_kept)
        Of the kept frames.
    kept : array, (n_frames,)
        Which frames they are.
    missing : array, (n_rois,), or float
        Stands in the other frames.

    Returns
    -------
    array, (n_rois, n_frames)
        In float32.
    """
    full = np.empty((len(traces), kept.size), np.float32)
    full[:, kept] = traces
    full[:, ~kept] = np.broadcast_to(missing, len(traces))[:, np.newaxis]
    return full
