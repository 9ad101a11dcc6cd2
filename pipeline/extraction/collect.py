"""What is kept of an extraction: shapes of the active frames, measures, verdicts, background."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.background import LocalBackground, at_entries
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import active_frames, judge, measure, measure_shapes, too_large
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import mean_of_rows, on_all_frames, products
from pipeline.extraction.mosaic import PIXELS_AT_ONCE, BackgroundImages
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.seeding import averaged
from pipeline.extraction.shadows import find_shadows
from pipeline.extraction.sources import Background, Sources
from pipeline.extraction.spatial import dilated
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Survey
from pipeline.extraction.temporal import Traces
from pipeline.scratch import by_rows, put_aside, scratch_array, some_rows

PRODUCTS_BYTES = 64_000_000
"""Of products of the traces of all cells and blocks with those of some cells."""


def field_of(survey: Survey, stream: Stream, params: CnmfParams) -> Field:
    """Return the field of view of the movie."""
    return Field(stream.movie.frame_shape, survey.usable, params.half_sizes_px)


def collect_sources(
    footprints: sparse.csc_array,
    traces: Traces,
    stream: Stream,
    survey: Survey,
    params: CnmfParams,
    *,
    coarse: Stream,
) -> Sources:
    """Measure the components and judge them; their shape is looked at in the bins of `coarse`."""
    rate_hz = stream.movie.require_rate_hz()
    support = dilated(footprints, field_of(survey, stream, params))
    images_of_active = _images_of_active(footprints, support, traces, survey, coarse)
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
    field = field_of(survey, stream, params)
    large = too_large(footprints, params)
    cells = judge(quality, params, large).accepted
    shadows = find_shadows(footprints, traces.calcium, field, cells=cells)
    others = ["; ".join(filter(None, both)) for both in zip(large, shadows, strict=True)]
    verdict = judge(quality, params, others)
    return Sources(
        footprints=footprints,
        denoised=on_all_frames(traces.denoised, survey.kept),
        residuals=on_all_frames(residuals_of(traces), survey.kept),
        spikes=on_all_frames(traces.spikes, survey.kept),
        dff=on_all_frames(dff.dff, survey.kept),
        background=_background(footprints, traces.denoised, traces.courses, survey),
        quality=quality,
        accepted=verdict.accepted,
        reasons=verdict.reasons,
        dff_window_frames=dff.window_frames,
        frame_shape=frame_shape,
        under=on_all_frames(traces.background, survey.kept),
    )


def _background(
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    local: LocalBackground,
    survey: Survey,
) -> Background:
    """Return the courses of the blocks, and what is constant in each pixel besides."""
    means = mean_of_rows(denoised), mean_of_rows(local.courses)
    constant = scratch_array(survey.mean.shape)
    lit, place = np.unique(footprints.indices, return_inverse=True)
    of_entry = footprints.data * np.repeat(means[0], np.diff(footprints.indptr))
    constant[lit] = -np.bincount(place, of_entry)
    for start in range(0, constant.size, PIXELS_AT_ONCE):
        some = slice(start, start + PIXELS_AT_ONCE)
        without_cells = survey.mean[some] + constant[some] - local.spread.at(some) @ means[1]
        constant[some] = np.where(survey.usable[some], without_cells, 0)
        put_aside(constant, survey.mean)
    courses = scratch_array((1 + len(local.courses), denoised.shape[1]))
    courses[0] = 1
    for rows in some_rows(local.courses, courses[1:]):
        courses[1:][rows] = local.courses[rows]
    images = BackgroundImages(constant, local.spread)
    return Background(images, on_all_frames(courses, survey.kept))


def _images_of_active(
    footprints: sparse.csc_array,
    support: sparse.csc_array,
    traces: Traces,
    survey: Survey,
    coarse: Stream,
) -> NDArray[np.float64]:
    """Return each cell's mean of its active frames, without background and other cells."""
    calcium, denoised, courses = (
        averaged(values, kept=survey.kept, bin_frames=survey.grid.bin_frames)
        if survey.binned is not None
        else values
        for values in (traces.calcium, traces.denoised, traces.courses.courses)
    )
    active = active_frames(calcium)
    images = coarse.weigh(support, active, phase="evaluation")
    by_pixel, n_rois = sparse.csr_array(footprints), footprints.shape[1]
    length = max(1, PRODUCTS_BYTES // (8 * (n_rois + len(courses) + 1)))
    for start in range(0, n_rois, length):
        some = slice(start, min(start + length, n_rois))
        by_cell = products(denoised, active[some])
        by_cell[np.arange(some.start, some.stop), np.arange(some.stop - some.start)] = 0
        here, where = support[:, some], slice(*support.indptr[[some.start, some.stop]])
        by_block = products(courses, active[some])
        images[where] -= at_entries(traces.courses.spread, here, by_block)
        images[where] -= at_entries(by_pixel, here, by_cell)
    return images


def residuals_of(traces: Traces) -> NDArray[np.float32]:
    """Return what denoising takes off, ``(n_rois, n_kept)``."""
    return by_rows(np.subtract, traces.raw, traces.denoised)
