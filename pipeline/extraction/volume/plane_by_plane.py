"""The cells of every plane by itself, as one result."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.factorisation import find_footprints, trace_sources
from pipeline.extraction.mosaic import Axis, BackgroundImages, Spread
from pipeline.extraction.sources import Background, Quality, Sources
from pipeline.extraction.suitability import MIN_FRAMES
from pipeline.extraction.survey import plan_grid, survey_movie
from pipeline.extraction.task import Task
from pipeline.extraction.volume.params import Cnmf3dParams
from pipeline.scratch import GatheredRows, put_aside, scratch_array
from pipeline.window import Part

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
    planes = _Planes(task.movie.shape)
    for place, plane in zip(places, task.parts("plane", parts, drops_planes=True), strict=True):
        sources = _extract_plane(plane)
        if sources:
            planes.add(place, sources)
    if not planes.judged:
        raise ValueError(
            f"no plane of {task.movie.name} has {MIN_FRAMES} frames with a finite value; check how "
            "it was motion-corrected."
        )
    return planes.joined()


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


class _Planes:
    """The components of the planes, one plane after the other, as those of a volume."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        n_frames, n_planes, n_pixels = shape[0], shape[1], math.prod(shape[2:])
        self.judged: list[Sources] = []
        self._footprints: list[sparse.csc_array] = []
        self._traces = {name: GatheredRows(n_frames) for name in TRACES}
        self._courses = GatheredRows(n_frames)
        self._courses.add(np.full((1, n_frames), np.nan, np.float32))
        self._seen = np.zeros(n_frames, np.bool_)
        self._constant = scratch_array((n_planes * n_pixels,))
        self._usable = np.zeros(n_planes * n_pixels, np.bool_)
        self._choices: dict[int, NDArray[np.int32]] = {}
        self._n_blocks = 0

    def add(self, plane: int, sources: Sources) -> None:
        """Take the components and the background of a plane."""
        for name, traces in self._traces.items():
            traces.add(getattr(sources, name))
        n_pixels = math.prod(self._shape[2:])
        here = slice(plane * n_pixels, (plane + 1) * n_pixels)
        footprints = sources.footprints
        self._footprints.append(
            sparse.csc_array(
                (footprints.data, footprints.indices + here.start, footprints.indptr),
                shape=(self._usable.size, footprints.shape[1]),
            )
        )
        images, courses = sources.background
        assert isinstance(images, BackgroundImages)  # CNMF of a plane has made them
        self._seen |= np.isfinite(courses[0])
        self._courses.add(courses[1:])
        self._constant[here], self._usable[here] = images.constant, images.spread.usable
        put_aside(self._constant)
        self._choices[plane] = images.spread.choice + np.int32(self._n_blocks)
        self._n_blocks += images.spread.n_blocks
        self._in_plane = images.spread.axes
        nothing: dict[str, Any] = {name: courses[:0] for name in TRACES}
        self.judged.append(
            replace(sources, background=Background(courses[:0], courses[:0]), **nothing)
        )

    def joined(self) -> Sources:
        """Return the components of all planes as those of a volume, plane after plane."""
        courses = self._courses.joined()
        courses[0, self._seen] = 1
        traces: dict[str, Any] = {name: each.joined() for name, each in self._traces.items()}
        qualities = (each.quality for each in self.judged)
        return Sources(
            footprints=sparse.csc_array(sparse.hstack(self._footprints), dtype=np.float32),
            background=Background(BackgroundImages(self._constant, self._spread()), courses),
            quality=Quality(*map(np.concatenate, zip(*qualities, strict=True))),
            accepted=np.concatenate([each.accepted for each in self.judged]),
            reasons=tuple(reason for each in self.judged for reason in each.reasons),
            dff_window_frames=max(each.dff_window_frames for each in self.judged),
            frame_shape=self._shape[1:],
            **traces,
        )

    def _spread(self) -> Spread:
        """Return how the blocks of each plane are interpolated in it alone."""
        n_planes = self._shape[1]
        number = np.arange(n_planes, dtype=np.int32)
        each = Axis(number, number[:, np.newaxis], np.ones((n_planes, 1), np.float32), n_planes)
        in_plane = math.prod(axis.n_blocks for axis in self._in_plane)
        nothing = np.zeros(in_plane, np.int32)
        choice = np.concatenate([self._choices.get(plane, nothing) for plane in range(n_planes)])
        last = np.int32(max(0, self._n_blocks - 1))  # of a plane without a usable pixel
        choice = np.minimum(choice, last)
        return Spread((each, *self._in_plane), choice, self._n_blocks, self._usable)
