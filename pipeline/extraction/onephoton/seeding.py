"""Where the cells are: seeds in a small movie, found in rounds on what is not yet explained."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import Progress, no_progress
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import chosen_rows
from pipeline.extraction.onephoton.images import SeedImages, pick_seeds, seed_images
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.ring import RingBackground, RingStream
from pipeline.extraction.onephoton.small import Cells, SmallMovie, no_cells
from pipeline.extraction.spatial import dilated, update_footprints
from pipeline.extraction.temporal import above_median, update_traces
from pipeline.movie import Movie

MAX_ROUNDS = 5
MIN_NEW_FRACTION = 0.2
"""Least peak of a new cell, relative to that of a known cell in the same place."""

LOCAL_GSIGS = 2.5
LOCAL_MIN_WEIGHT = 0.2
TINY = 1e-30


class LocalCell(NamedTuple):
    """A cell as it is started."""

    pixels: NDArray[np.int64]
    """Of the small movie."""

    weights: NDArray[np.float32]
    """Of these pixels, above 0."""

    course: NDArray[np.float32]
    """``(n_bins,)``."""


def first_images(small: SmallMovie) -> SeedImages:
    """Return the images from which the first cells are started."""
    nothing = no_cells(small)
    rest = _unexplained(small, nothing, small.first or small.background(nothing))
    return seed_images(rest, small.field.gsig_px)[0]


def find_cells(
    small: SmallMovie, params: CnmfeParams, *, threads: int, memory_bytes: int, progress: Progress
) -> Cells:
    """Find cells in the small movie until none is left above the thresholds."""
    cells = no_cells(small)
    background = small.first or small.background(cells)
    for done in range(MAX_ROUNDS):
        progress("finding cells", done, MAX_ROUNDS)
        rest = _unexplained(small, cells, background)
        found = _round(rest, cells, small, params)
        if not len(found.calcium):
            break
        joined = Cells(
            sparse.csc_array(sparse.hstack([cells.footprints, found.footprints])),
            np.concatenate([cells.calcium, found.calcium]),
        )
        stream = _stream(small, small.background(joined, background), threads, memory_bytes)
        cells = _refined(joined, stream, small)
        background = small.background(cells)
    progress("finding cells", MAX_ROUNDS, MAX_ROUNDS)
    return cells


def one_block(field: Field) -> Field:
    """Return a field in which one block covers all: what all pixels share is the ring's to find."""
    return field._replace(gsig_px=(float(field.frame_shape[0]), float(field.frame_shape[1])))


def _stream(
    small: SmallMovie, background: RingBackground, threads: int, memory_bytes: int
) -> RingStream:
    """Return the small movie as it is read without its background."""
    return RingStream(
        movie=Movie(source=small.frames.reshape(-1, *small.field.frame_shape)),
        fill=None,
        kept=np.ones(len(small.frames), np.bool_),
        threads=threads,
        memory_bytes=memory_bytes,
        progress=no_progress,
        background=background,
    )


def _unexplained(
    small: SmallMovie, cells: Cells, background: RingBackground
) -> NDArray[np.float32]:
    """Return the small movie without background and known cells, ``(n_bins, n_rows, n_cols)``."""
    rest = background.subtract(slice(None), small.frames)
    rest -= (cells.footprints @ cells.calcium).T
    rest[:, ~small.field.usable] = 0
    return rest.reshape(-1, *small.field.frame_shape)


def _round(
    rest: NDArray[np.float32], known: Cells, small: SmallMovie, params: CnmfeParams
) -> Cells:
    """Take every seed as a cell, unless a known one accounts for it.

    What a bright cell leaves where its shape does not quite fit is small beside the cell.
    """
    field = small.field
    images, filtered = seed_images(rest, field.gsig_px)
    seeds = pick_seeds(images, field.gsig_px, min_corr=params.min_corr, min_pnr=params.min_pnr)
    peak = _peaks(known, small)
    cells = [
        _local_cell(rest, filtered[:, row, col], (row, col), small)
        for row, col in seeds
        if field.usable[row * field.frame_shape[1] + col]
        and rest[:, row, col].max() >= MIN_NEW_FRACTION * peak[row, col]
    ]
    cells = [cell for cell in cells if cell.pixels.size]  # the filter may peak beside the light
    traces = np.array([cell.course for cell in cells], np.float32).reshape(-1, len(rest))
    return Cells(_from_columns(cells, field.usable.size), traces)


def _peaks(cells: Cells, small: SmallMovie) -> NDArray[np.float32]:
    """Return the highest value that a known cell reaches at each pixel, ``(n_rows, n_cols)``."""
    known = np.zeros(small.field.usable.size, np.float32)
    top = cells.footprints @ sparse.diags_array(cells.calcium.max(axis=1, initial=0))
    entries = sparse.coo_array(top)
    np.maximum.at(known, entries.row, entries.data)
    return known.reshape(small.field.frame_shape)


def _local_cell(
    rest: NDArray[np.float32],
    trace: NDArray[np.float32],
    seed: tuple[int, int],
    small: SmallMovie,
) -> LocalCell:
    """Return a cell around a seed, given its filtered course."""
    shape = small.field.frame_shape
    reach = [round(LOCAL_GSIGS * gsig) for gsig in small.field.gsig_px]
    rows, cols = (
        np.arange(max(0, at - r), min(n, at + r + 1))
        for at, r, n in zip(seed, reach, shape, strict=True)
    )
    course = np.maximum(trace, 0)
    centred = course - course.mean()
    patch = rest[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].reshape(len(rest), -1)
    weights = np.maximum(centred @ patch / max(float(centred @ centred), TINY), 0)
    bright = weights > LOCAL_MIN_WEIGHT * weights.max()
    pixels = (rows[:, np.newaxis] * shape[1] + cols).ravel()
    return LocalCell(pixels[bright], weights[bright], course)


def _from_columns(cells: list[LocalCell], n_pixels: int) -> sparse.csc_array:
    """Return the footprints of cells, ``(n_pixels, n_rois)``."""
    if not cells:
        return sparse.csc_array((n_pixels, 0), dtype=np.float32)
    indptr = np.cumsum([0, *(cell.pixels.size for cell in cells)])
    weights = np.concatenate([cell.weights for cell in cells]).astype(np.float32)
    pixels = np.concatenate([cell.pixels for cell in cells])
    return sparse.csc_array((weights, pixels, indptr), shape=(n_pixels, len(cells)))


def _refined(cells: Cells, stream: RingStream, small: SmallMovie) -> Cells:
    """Fit all cells together, so that what they explain is not found again."""
    traces = update_traces(
        stream, *cells, field=one_block(small.field), gnb=1, denoise=above_median
    )
    support = dilated(cells.footprints, small.field)
    footprints, calcium = update_footprints(
        stream, support, traces.calcium, traces.courses, noise=small.noise
    )
    alive = np.diff(footprints.indptr) > 0
    return Cells(sparse.csc_array(footprints[:, alive]), chosen_rows(calcium, alive))
