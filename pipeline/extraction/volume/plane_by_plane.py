"""The cells of every plane by itself, as one result."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.factorisation import find_footprints, trace_sources
from pipeline.extraction.long_traces import joined_rows
from pipeline.extraction.sources import Background, Quality, Sources
from pipeline.extraction.suitability import MIN_FRAMES
from pipeline.extraction.survey import plan_grid, survey_movie
from pipeline.extraction.task import Task
from pipeline.extraction.volume.params import Cnmf3dParams
from pipeline.extraction.window import Part

TRACES = ("denoised", "residuals", "spikes", "dff", "under")
"""Arrays ``(n_rois, n_frames)`` of `Sources`."""


def extract_planes(task: Task[Cnmf3dParams]) -> Sources:
    """Find the cells of each plane, and return them with the pixels of the volume.

    Parameters
    ----------
    task : Task
        Of the whole volume; a plane in its border, or without finite values, has no cell.

    Raises
    ------
    ValueError
        If no plane has enough frames with finite values.
    """
    n_planes, n_rows, n_cols = task.movie.frame_shape
    border = task.params.border_planes
    places = range(border, n_planes - border)
    parts: list[Part] = [(slice(k, k + 1), slice(0, n_rows), slice(0, n_cols)) for k in places]
    found = dict(
        zip(
            places,
            map(_extract_plane, task.parts("plane", parts, drops_planes=True)),
            strict=True,
        )
    )
    by_plane = {plane: sources for plane, sources in found.items() if sources}
    if not by_plane:
        raise ValueError(
            f"no plane of {task.movie.name} has {MIN_FRAMES} frames with a finite value; check how "
            "it was motion-corrected."
        )
    return _joined(by_plane, task.movie.frame_shape)


def _extract_plane(plane: Task[Cnmf3dParams]) -> Sources | None:
    """Find the cells of a plane; None: it has hardly a frame with a finite value."""
    params = plane.params.of_plane
    grid = plan_grid(plane.movie, params, memory_bytes=plane.memory_bytes)
    survey = survey_movie(
        plane.movie,
        grid,
        threads=plane.threads,
        memory_bytes=plane.memory_bytes,
        progress=plane.progress,
    )
    if survey.kept.sum() < MIN_FRAMES:
        return None
    survey = survey.without_border(params.border_by_axis_px, plane.movie.frame_shape)
    stream = plane.stream(survey)
    model = find_footprints(stream, survey, params, plane.seeds)
    return trace_sources(model, stream, survey, params)


def _joined(by_plane: dict[int, Sources], frame_shape: tuple[int, ...]) -> Sources:
    """Return the components of all planes as those of a volume, plane after plane."""
    planes = list(by_plane.values())
    n_frames = planes[0].denoised.shape[1]
    traces: dict[str, Any] = {
        name: joined_rows([getattr(each, name) for each in planes], n_frames) for name in TRACES
    }
    backgrounds = {plane: each.background for plane, each in by_plane.items()}
    return Sources(
        footprints=_stacked({k: each.footprints for k, each in by_plane.items()}, frame_shape),
        background=Background(
            _stacked({k: each.spatial for k, each in backgrounds.items()}, frame_shape),
            joined_rows([each.temporal for each in backgrounds.values()], n_frames),
        ),
        quality=Quality(*map(np.concatenate, zip(*(each.quality for each in planes), strict=True))),
        accepted=np.concatenate([each.accepted for each in planes]),
        reasons=tuple(reason for each in planes for reason in each.reasons),
        dff_window_frames=max(each.dff_window_frames for each in planes),
        frame_shape=frame_shape,
        **traces,
    )


def _stacked(
    by_plane: Mapping[int, sparse.csc_array | NDArray[np.float32]], frame_shape: tuple[int, ...]
) -> sparse.csc_array:
    """Return columns of pixels of single planes as columns of pixels of the volume."""
    n_planes, n_rows, n_cols = frame_shape
    nothing = sparse.csc_array((n_rows * n_cols, 0), dtype=np.float32)
    blocks = [sparse.csc_array(by_plane.get(plane, nothing)) for plane in range(n_planes)]
    return sparse.csc_array(sparse.block_diag(blocks, format="csc"), dtype=np.float32)
