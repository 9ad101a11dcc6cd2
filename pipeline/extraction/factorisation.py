"""The steps of CNMF: footprints, and the traces of footprints.

Footprints come from a copy of the movie in bins of frames, and traces from the movie itself, which
is read in blocks.

References
----------
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037.
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import give_back_memory
from pipeline.extraction.collect import collect_sources, field_of
from pipeline.extraction.known import usable_seeds
from pipeline.extraction.long_traces import at_kept, chosen_rows
from pipeline.extraction.merging import merge_components
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.processes import reach_of
from pipeline.extraction.seeding import enlarged, find_seeds, stretched
from pipeline.extraction.sources import Sources
from pipeline.extraction.spatial import dilated, update_footprints
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Grid, Survey
from pipeline.extraction.temporal import Traces, autoregressive, update_traces
from pipeline.movie import Movie
from pipeline.scratch import ScratchFrames

REFINEMENTS = 2
PROCESS_REFINEMENTS = 4
"""What is merged of a process has its weights fitted anew."""

RESOLVED_BINS = 3.0
"""With more bins in a decay time, traces of bins tell when a cell was active."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Footprints and calcium as they are being refined."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)``."""

    calcium: NDArray[np.float32]
    """``(n_rois, n_kept)``."""


def find_footprints(
    stream: Stream, survey: Survey, params: CnmfParams, seeds: sparse.csc_array | None = None
) -> Model:
    """Find cells, or begin with known footprints, and refine them.

    Parameters
    ----------
    stream : Stream
        The movie, which is read where its bins are not kept.
    survey : Survey
        Its small copy, and its bins.
    params : CnmfParams
        Settings.
    seeds : sparse array, (n_pixels, n_cells), optional
        Footprints or masks to begin with, instead of seeking cells.

    Returns
    -------
    Model
        Footprints, and calcium at the kept frames.
    """
    grid = survey.grid
    known = _found(stream, survey, params) if seeds is None else _given(seeds, survey)
    coarse = _coarse_stream(stream, survey)
    model = replace(known, calcium=_at_frames(known.calcium, grid, coarse))
    for _ in range(PROCESS_REFINEMENTS if params.of_processes else REFINEMENTS):
        model = _refined(model, coarse, survey, params)
    return replace(model, calcium=_at_frames(model.calcium, grid, stream))


def trace_sources(model: Model, stream: Stream, survey: Survey, params: CnmfParams) -> Sources:
    """Read the movie for the traces of footprints, and its bins for what describes them.

    Parameters
    ----------
    model : Model
        Footprints, with calcium at the kept frames.
    stream : Stream
        The movie.
    survey : Survey
        Mean, noise and usable pixels of the movie.
    params : CnmfParams
        Settings.
    """
    give_back_memory()
    traces = _traces(model, stream, survey, params, coarse=False)
    give_back_memory()
    coarse = _coarse_stream(stream, survey)
    return collect_sources(model.footprints, traces, stream, survey, params, coarse=coarse)


def _found(stream: Stream, survey: Survey, params: CnmfParams) -> Model:
    """Return cells that are sought in the small movie, with their traces there."""
    found = find_seeds(
        survey,
        params,
        threads=stream.threads,
        memory_bytes=stream.memory_bytes,
        progress=stream.progress,
    )
    return Model(footprints=enlarged(found.footprints, survey.grid), calcium=found.calcium)


def _given(seeds: sparse.csc_array, survey: Survey) -> Model:
    """Return footprints that are given, with traces still to be found."""
    footprints = usable_seeds(seeds, survey.usable)
    calcium = np.zeros((footprints.shape[1], len(survey.small)), np.float32)
    return Model(footprints=footprints, calcium=calcium)


def _coarse_stream(stream: Stream, survey: Survey) -> Stream:
    """Return the movie in bins of frames, or as it is where the bins do not fit the memory."""
    if survey.binned is None:
        return stream
    binned = Movie(
        source=ScratchFrames(survey.binned.reshape(-1, *stream.movie.frame_shape)),
        rate_hz=stream.movie.require_rate_hz() / survey.grid.bin_frames,
    )
    return replace(stream, movie=binned, kept=np.ones(binned.n_frames, np.bool_))


def _at_frames(calcium: NDArray[np.float32], grid: Grid, stream: Stream) -> NDArray[np.float32]:
    """Return traces of bins, or of kept frames already, at the kept frames of a stream."""
    n_kept = int(stream.kept.sum())
    if calcium.shape[1] == n_kept:
        return calcium
    n_frames = stream.movie.n_frames
    on_all = stretched(calcium, bin_frames=grid.bin_frames, n_frames=n_frames)
    return at_kept(on_all, stream.kept)


def _traces(
    model: Model, stream: Stream, survey: Survey, params: CnmfParams, *, coarse: bool
) -> Traces:
    """Read the movie once for the traces of the footprints; coarse ones for the footprints only."""
    return update_traces(
        stream,
        model.footprints,
        model.calcium,
        field=field_of(survey, stream, params),
        gnb=params.gnb,
        denoise=autoregressive(
            order=1 if coarse else params.p,
            fitted=not coarse,
            decay_frames=params.decay_time_s * stream.movie.require_rate_hz(),
            n_frames=int(stream.kept.sum()),
        ),
        coarse=not coarse and survey.grid.decay_bins < RESOLVED_BINS,
    )


def _refined(model: Model, stream: Stream, survey: Survey, params: CnmfParams) -> Model:
    """Update traces, then footprints, and merge what turns out to be one cell."""
    traces = _traces(model, stream, survey, params, coarse=True)
    footprints, calcium = update_footprints(
        stream,
        dilated(model.footprints, field_of(survey, stream, params)),
        traces.calcium,
        traces.courses,
        noise=survey.noise / np.sqrt(survey.kept.size / stream.movie.n_frames),
        in_pieces=params.of_processes,
    )
    alive = np.diff(footprints.indptr) > 0
    footprints = sparse.csc_array(footprints[:, alive])
    near = reach_of(footprints, field_of(survey, stream, params)) if params.of_processes else None
    footprints, calcium = merge_components(
        footprints, chosen_rows(calcium, alive), merge_corr=params.merge_corr, reach=near
    )
    return Model(footprints=footprints, calcium=calcium)
