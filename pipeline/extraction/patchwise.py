"""CNMF in patches: cells are sought in one part of the frames after the other.

There are so many patches that each fits the memory; traces and the background are then taken from
blocks of frames, of which large ones are read in slabs. Memory does not grow with the frames, and
hardly with their size: long traces lie in temporary files.

References
----------
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.factorisation import Model, find_footprints, trace_sources
from pipeline.extraction.long_traces import at_kept, chosen_rows, on_all_frames
from pipeline.extraction.merging import merge_components
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.patches import Patch, plan_patches
from pipeline.extraction.sources import Sources
from pipeline.extraction.spatial import centres_px
from pipeline.extraction.suitability import MIN_FRAMES, check_kept
from pipeline.extraction.survey import Grid, Survey, plan_grid, survey_movie
from pipeline.extraction.task import Task
from pipeline.movie import Movie
from pipeline.scratch import GatheredRows, put_aside, scratch_array
from pipeline.window import part_shape, pixels_of


def extract_in_patches(task: Task[CnmfParams]) -> Sources:
    """Find the cells of a movie in as many patches as the memory needs, often a single one."""
    patches = plan_patches(task.movie, task.params, memory_bytes=task.memory_bytes)
    parts = task.parts("part", [patch.seen for patch in patches])
    whole = _Whole(task.movie)
    for part, patch in zip(parts, patches, strict=True):
        whole.take(*_search(part, patch, task.movie.frame_shape), patch)
    survey = whole.survey()
    check_kept(task.movie, survey)
    footprints = sparse.csc_array(sparse.hstack(whole.footprints))
    calcium = at_kept(whole.calcium.joined(), survey.kept)
    if len(patches) > 1:  # a centre on a border may have been found from both sides
        footprints, calcium = merge_components(
            footprints, calcium, merge_corr=task.params.merge_corr
        )
    model = Model(footprints=footprints, calcium=calcium)
    return trace_sources(model, task.stream(survey), survey, task.params)


class _Whole:
    """The cells of all patches, and the statistics of all pixels.

    Each is from the patch that answers for it.
    """

    def __init__(self, movie: Movie) -> None:
        self.footprints: list[sparse.csc_array] = []
        self.calcium = GatheredRows(movie.n_frames)
        self._shape = movie.frame_shape
        n_pixels = math.prod(self._shape)
        self._mean, self._noise = scratch_array((n_pixels,)), scratch_array((n_pixels,))
        self._usable = np.zeros(n_pixels, np.bool_)
        self._kept = np.zeros(movie.n_frames, np.bool_)
        self._grid: Grid | None = None

    def take(self, survey: Survey, model: Model, patch: Patch) -> None:
        """Take the statistics and the cells of a patch."""
        self.footprints.append(model.footprints)
        self.calcium.add(model.calcium)
        within = tuple(
            slice(core.start - seen.start, core.stop - seen.start)
            for core, seen in zip(patch.core, patch.seen, strict=True)
        )
        for name in ("mean", "noise", "usable"):
            whole = getattr(self, f"_{name}").reshape(self._shape)
            whole[patch.core] = getattr(survey, name).reshape(part_shape(patch.seen))[within]
            put_aside(whole)
        self._kept |= survey.kept
        self._grid = self._grid or survey.grid

    def survey(self) -> Survey:
        """Return the statistics, once there are those of every patch."""
        assert self._grid is not None  # there is a patch
        return Survey(
            mean=self._mean,
            noise=self._noise,
            usable=self._usable,
            kept=self._kept,
            grid=self._grid._replace(cell_of_pixel=np.empty(0, np.int64)),
            small=np.empty((0, 0), np.float32),
        )


def _search(
    part: Task[CnmfParams], patch: Patch, frame_shape: tuple[int, ...]
) -> tuple[Survey, Model]:
    """Find the cells whose centres lie in the core of a patch, and return its statistics, too.

    Footprints are on whole frames, and calcium is at all frames, 0 where one was left out.
    """
    grid = plan_grid(part.movie, part.params, memory_bytes=part.memory_bytes)
    survey = survey_movie(
        part.movie,
        grid,
        threads=part.threads,
        memory_bytes=part.memory_bytes,
        progress=part.progress,
    )
    pixels = pixels_of(patch.seen, frame_shape)
    inside = np.ones((), np.bool_)
    for seen, length, width in zip(
        patch.seen, frame_shape, part.params.border_by_axis_px, strict=True
    ):
        place = np.arange(seen.start, seen.stop)
        inside = inside[..., np.newaxis] & (place >= width) & (place < length - width)
    survey = replace(survey, usable=survey.usable & inside.ravel())
    n_pixels = int(np.prod(frame_shape))
    if survey.kept.sum() < MIN_FRAMES:
        nothing = sparse.csc_array((n_pixels, 0), dtype=np.float32)
        calcium = np.empty((0, survey.kept.size), np.float32)
        return survey, Model(footprints=nothing, calcium=calcium)
    model = find_footprints(part.stream(survey), survey, part.params, part.seeds)
    owned = _centres_in(model.footprints, patch)
    spread = sparse.csc_array(model.footprints[:, owned])
    footprints = sparse.csc_array(
        (spread.data, pixels[spread.indices], spread.indptr), shape=(n_pixels, spread.shape[1])
    )
    own = chosen_rows(model.calcium, owned)
    calcium = on_all_frames(own, survey.kept, missing=0.0)
    return survey, Model(footprints=footprints, calcium=calcium)


def _centres_in(footprints: sparse.csc_array, patch: Patch) -> NDArray[np.bool_]:
    """Say which footprints have their centre in the core, or less than a pixel beyond it."""
    first = np.array([seen.start for seen in patch.seen])
    centres = centres_px(footprints, part_shape(patch.seen)) + first
    start, stop = np.array([(core.start, core.stop) for core in patch.core]).T
    return np.asarray(((centres > start - 1) & (centres < stop)).all(axis=1))
