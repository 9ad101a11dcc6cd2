"""CNMF in patches: cells are sought in one part of the frames after the other.

There are so many patches that each fits the memory; traces and the background are then taken from
whole frames, in blocks of them. Memory grows with neither the frames nor their size: long traces
lie in temporary files.

References
----------
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.factorisation import Model, find_footprints, trace_sources
from pipeline.extraction.long_traces import at_kept, chosen_rows, joined_rows, on_all_frames
from pipeline.extraction.merging import merge_components
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.patches import Patch, plan_patches
from pipeline.extraction.sources import Sources
from pipeline.extraction.suitability import MIN_FRAMES, check_kept
from pipeline.extraction.survey import Survey, plan_grid, survey_movie
from pipeline.extraction.task import Task
from pipeline.extraction.window import part_shape, pixels_of


class Found(NamedTuple):
    """The cells that a patch answers for."""

    survey: Survey
    """Statistics of what the patch sees."""

    model: Model
    """Footprints on whole frames, and calcium at all frames, 0 where a frame was left out."""


def extract_in_patches(task: Task[CnmfParams]) -> Sources:
    """Find the cells of a movie in as many patches as the memory needs, often a single one."""
    patches = plan_patches(task.movie, task.params, memory_bytes=task.memory_bytes)
    parts = task.parts("part", [patch.seen for patch in patches])
    found = [
        _search(part, patch, task.movie.frame_shape)
        for part, patch in zip(parts, patches, strict=True)
    ]
    survey = _joined_survey([each.survey for each in found], patches, task.movie.frame_shape)
    check_kept(task.movie, survey)
    footprints = sparse.csc_array(sparse.hstack([each.model.footprints for each in found]))
    calcium = joined_rows([each.model.calcium for each in found], task.movie.n_frames)
    calcium = at_kept(calcium, survey.kept)
    del found
    if len(patches) > 1:  # a centre on a border may have been found from both sides
        footprints, calcium = merge_components(
            footprints, calcium, merge_corr=task.params.merge_corr
        )
    model = Model(footprints=footprints, calcium=calcium)
    return trace_sources(model, task.stream(survey), survey, task.params)


def _search(part: Task[CnmfParams], patch: Patch, frame_shape: tuple[int, ...]) -> Found:
    """Find the cells whose centres lie in the core of a patch."""
    grid = plan_grid(part.movie, part.params, memory_bytes=part.memory_bytes)
    survey = survey_movie(
        part.movie,
        grid,
        threads=part.threads,
        memory_bytes=part.memory_bytes,
        progress=part.progress,
    )
    pixels = pixels_of(patch.seen, frame_shape)
    inside = np.zeros(frame_shape, np.bool_)
    inside[tuple(slice(w, -w or None) for w in part.params.border_by_axis_px)] = True
    survey = replace(survey, usable=survey.usable & inside.ravel()[pixels])
    n_pixels = int(np.prod(frame_shape))
    if survey.kept.sum() < MIN_FRAMES:
        nothing = sparse.csc_array((n_pixels, 0), dtype=np.float32)
        calcium = np.empty((0, survey.kept.size), np.float32)
        return Found(_statistics(survey), Model(footprints=nothing, calcium=calcium))
    model = find_footprints(part.stream(survey), survey, part.params, part.seeds)
    owned = _centres_in(model.footprints, patch)
    spread = sparse.csc_array(model.footprints[:, owned])
    footprints = sparse.csc_array(
        (spread.data, pixels[spread.indices], spread.indptr), shape=(n_pixels, spread.shape[1])
    )
    own = chosen_rows(model.calcium, owned)
    calcium = on_all_frames(own, survey.kept, missing=0.0)
    return Found(_statistics(survey), Model(footprints=footprints, calcium=calcium))


def _statistics(survey: Survey) -> Survey:
    """Return a survey without its copies of the movie."""
    return replace(survey, small=np.empty((0, 0), np.float32), binned=None)


def _centres_in(footprints: sparse.csc_array, patch: Patch) -> NDArray[np.bool_]:
    """Say which footprints have their centre in the core, or less than a pixel beyond it."""
    shape = part_shape(patch.seen)
    weights = footprints / np.maximum(np.asarray(footprints.sum(axis=0)).ravel(), 1e-30)
    owned = np.ones(footprints.shape[1], np.bool_)
    places = np.unravel_index(np.arange(footprints.shape[0]), shape)
    for place, core, seen in zip(places, patch.core, patch.seen, strict=True):
        centre = weights.T @ place + seen.start
        owned &= (centre > core.start - 1) & (centre < core.stop)
    return owned


def _joined_survey(
    surveys: list[Survey], patches: list[Patch], frame_shape: tuple[int, ...]
) -> Survey:
    """Return the statistics of all pixels, each from the patch that answers for it."""
    mean, noise = np.empty(frame_shape, np.float32), np.empty(frame_shape, np.float32)
    usable = np.empty(frame_shape, np.bool_)
    for survey, (core, seen) in zip(surveys, patches, strict=True):
        within = tuple(
            slice(c.start - s.start, c.stop - s.start) for c, s in zip(core, seen, strict=True)
        )
        mean[core] = survey.mean.reshape(part_shape(seen))[within]
        noise[core] = survey.noise.reshape(part_shape(seen))[within]
        usable[core] = survey.usable.reshape(part_shape(seen))[within]
    kept = np.any([survey.kept for survey in surveys], axis=0)
    return replace(
        surveys[0], mean=mean.ravel(), noise=noise.ravel(), usable=usable.ravel(), kept=kept
    )
