"""What is kept of an extraction: the last pass over the movie, measures, verdicts, background."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.background import LocalBackground, at_entries
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import active_frames, judge, measure, measure_shapes
from pipeline.extraction.field import Field
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.sources import Background, Sources
from pipeline.extraction.spatial import dilated
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Survey
from pipeline.extraction.temporal import Traces


def field_of(survey: Survey, stream: Stream, params: CnmfParams) -> Field:
    """Return the field of view of the movie."""
    return Field(stream.movie.frame_shape, survey.usable, params.gsig_px)


def collect_sources(
    footprints: sparse.csc_array,
    traces: Traces,
    stream: Stream,
    survey: Survey,
    params: CnmfParams,
) -> Sources:
    """Read the movie a last time, for the background and the shape of the active frames."""
    rate_hz = stream.movie.require_rate_hz()
    support = dilated(footprints, field_of(survey, stream, params))
    active = active_frames(traces.calcium)
    denoised = traces.denoised
    images_of_active = stream.weigh(support, active, phase="evaluation") - _elsewhere(
        support, footprints, denoised, active, traces.courses
    )
    dff = delta_f_over_f(
        traces.raw,
        traces.background,
        window_frames=max(1, round(params.dff_window_s * rate_hz)),
        percentile=params.dff_percentile,
    )
    frame_shape = stream.movie.frame_shape
    quality = measure(
        traces,
        measure_shapes(images_of_active, support, footprints, frame_shape),
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
        background=_background(footprints, denoised, traces.courses, survey),
        quality=quality,
        accepted=verdict.accepted,
        reasons=verdict.reasons,
        dff_window_frames=dff.window_frames,
        frame_shape=frame_shape,
        under=_on_all_frames(traces.background, survey.kept),
    )


def _background(
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    local: LocalBackground,
    survey: Survey,
) -> Background:
    """Return the courses of the blocks, and what is constant in each pixel besides."""
    means = denoised.mean(axis=1, dtype=np.float64), local.courses.mean(axis=1, dtype=np.float64)
    static = survey.mean - footprints @ means[0] - local.spread @ means[1]
    static = np.where(survey.usable, static, 0).astype(np.float32)
    constant = np.ones((1, denoised.shape[1]), np.float32)
    courses = np.concatenate([constant, local.courses])
    images = sparse.hstack([sparse.csc_array(static[:, np.newaxis]), local.spread])
    return Background(sparse.csc_array(images), _on_all_frames(courses, survey.kept))


def _elsewhere(
    support: sparse.csc_array,
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    active: NDArray[np.float32],
    local: LocalBackground,
) -> NDArray[np.float64]:
    """Return what background and other cells add to each cell's mean of its active frames."""
    weights = active.T.astype(np.float64)
    by_cell = denoised @ weights
    np.fill_diagonal(by_cell, 0)
    added = at_entries(local.spread, support, local.courses @ weights)
    return added + at_entries(sparse.csr_array(footprints), support, by_cell)


def _on_all_frames(traces: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return traces of the kept frames on all frames, NaN where a frame was left out."""
    if kept.all():
        return np.ascontiguousarray(traces, np.float32)
    full = np.full((len(traces), kept.size), np.nan, np.float32)
    full[:, kept] = traces
    return full
