"""The last passes over a one-photon movie: traces, shapes, background, and the verdict."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.background import at_entries
from pipeline.extraction.collect import residuals_of
from pipeline.extraction.dff import delta_f_over_f
from pipeline.extraction.evaluation import Verdict, active_frames, judge, measure, measure_shapes
from pipeline.extraction.long_traces import at_kept, on_all_frames, products
from pipeline.extraction.onephoton.asymmetry import trace_asymmetry
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.summary import Summary, summarise
from pipeline.extraction.onephoton.task import Task
from pipeline.extraction.seeding import averaged
from pipeline.extraction.sources import Quality, Sources
from pipeline.extraction.spatial import dilated
from pipeline.extraction.temporal import Traces


class Results(NamedTuple):
    """What the last passes give."""

    traces: Traces
    """Of all components."""

    images: NDArray[np.float64]
    """Of the active frames of each component on its support."""

    support: sparse.csc_array
    """The footprints with their surround."""

    summary: Summary
    """The background in short."""


def collect_sources(cells: Cells, task: Task, coarse: Task) -> Sources:
    """Collect and judge the components; their shape is looked at in the bins of `coarse`."""
    params, rate_hz = task.params, task.movie.require_rate_hz()
    found = _measured(cells, task, coarse)
    traces, kept = found.traces, task.kept
    dff = delta_f_over_f(
        traces.raw,
        at_kept(found.summary.under_cells, kept),
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
    return Sources(
        footprints=cells.footprints,
        denoised=on_all_frames(traces.denoised, kept),
        residuals=on_all_frames(residuals_of(traces), kept),
        spikes=on_all_frames(traces.spikes, kept),
        dff=on_all_frames(dff.dff, kept),
        background=found.summary.background,
        quality=quality,
        accepted=verdict.accepted,
        reasons=verdict.reasons,
        dff_window_frames=dff.window_frames,
        frame_shape=task.field.frame_shape,
        under=found.summary.under_cells,
    )


def _measured(cells: Cells, task: Task, coarse: Task) -> Results:
    """Read the movie for the last traces and the background, and its bins for the shapes."""
    stream = task.stream(task.background(cells))
    traces = task.traces(cells, stream)
    support = dilated(cells.footprints, task.field)
    return Results(
        traces=traces,
        images=_images_of_active(cells.footprints, support, traces, coarse, task.kept),
        support=support,
        summary=summarise(stream, task.small, cells.footprints, task.field),
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


def _images_of_active(
    footprints: sparse.csc_array,
    support: sparse.csc_array,
    traces: Traces,
    coarse: Task,
    kept: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return each cell's mean of its active frames, without background and other cells."""
    calcium, denoised = traces.calcium, traces.denoised
    if calcium.shape[1] != coarse.kept.sum():
        width = coarse.small.grid.bin_frames
        calcium = averaged(calcium, kept=kept, bin_frames=width)
        denoised = averaged(denoised, kept=kept, bin_frames=width)
    active = active_frames(calcium)
    stream = coarse.stream(coarse.background(Cells(footprints, calcium)))
    images = stream.weigh(support, active, phase="evaluation")
    return images - _of_others(support, footprints, denoised, active)


def _of_others(
    support: sparse.csc_array,
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    active: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return what the other cells add to each cell's mean of its active frames."""
    by_cell = products(denoised, active)
    np.fill_diagonal(by_cell, 0)
    return at_entries(sparse.csr_array(footprints), support, by_cell)
