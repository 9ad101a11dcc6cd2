"""A cell as it is started: the course at its seed, and the pixels around that follow it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import Progress, map_blocks
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import chosen_rows
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.images import Filtered
from pipeline.extraction.onephoton.samples import few_frames
from pipeline.extraction.spatial import from_columns
from pipeline.extraction.stream import columns_of, weigh_block
from pipeline.movie import Movie
from pipeline.scratch import by_frames, some_rows

LOCAL_GSIGS = 2.5
LOCAL_MIN_WEIGHT = 0.2
TINY = 1e-30


class _Part(NamedTuple):
    """What some frames tell of all seeds."""

    courses: NDArray[np.float32]
    """The filtered movie at each seed where it is above 0, ``(n_seeds, n_frames)``."""

    highest: NDArray[np.float32]
    """Highest value of the movie at each seed, ``(n_seeds,)``."""

    total: NDArray[np.float64]
    """Sum over frames of each pixel, ``(n_pixels,)``."""

    follows: NDArray[np.float64]
    """Sum over frames of course times pixel, at the pixels around each seed."""


def start_cells(
    filtered: Filtered,
    seeds: NDArray[np.int64],
    field: Field,
    *,
    least: NDArray[np.float32],
    threads: int,
    progress: Progress,
) -> Cells:
    """Read a movie once for the cells at seeds.

    Parameters
    ----------
    filtered : Filtered
        The movie and how it is filtered.
    seeds : array, (n_seeds, 2)
        Rows and columns.
    field : Field
        The pixels of the movie.
    least : array, (n_seeds,)
        A seed at which the movie stays below it starts no cell.
    threads : int
        Blocks worked on at once.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    Cells
        In the order of the seeds, without those around which nothing follows the course.
    """
    around = _around(seeds, field)
    parts = _read(filtered, seeds, around, threads=threads, progress=progress)
    highest = np.full(len(seeds), -np.inf, np.float32)
    total, follows = np.zeros(field.usable.size), np.zeros(around.nnz)

    def courses_of_parts() -> Iterator[NDArray[np.float32]]:
        for part in parts:
            np.maximum(highest, part.highest, out=highest)
            np.add(total, part.total, out=total)
            np.add(follows, part.follows, out=follows)
            yield part.courses

    courses = by_frames(courses_of_parts(), (len(seeds), filtered.shape[0]))
    footprints = _footprints(courses, around, follows, total)
    alive = (highest >= least) & (np.diff(footprints.indptr) > 0)
    return Cells(sparse.csc_array(footprints[:, alive]), chosen_rows(courses, alive))


def _read(
    filtered: Filtered,
    seeds: NDArray[np.int64],
    around: sparse.csc_array,
    *,
    threads: int,
    progress: Progress,
) -> Iterator[_Part]:
    """Yield what each block of frames tells of the seeds."""
    rows, cols = seeds.T
    indptr, pixels, _ = columns_of(around)

    def look(_: slice, block: NDArray[np.float32]) -> _Part:
        courses = np.maximum(filtered.of(block)[:, rows, cols], 0)
        flat = block.reshape(len(block), -1)
        return _Part(
            courses=courses.T,
            highest=block[:, rows, cols].max(axis=0),
            total=flat.sum(axis=0, dtype=np.float64),
            follows=weigh_block(flat, courses, indptr, pixels),
        )

    movie = Movie(source=filtered.movie)
    return map_blocks(look, movie, few_frames(movie), threads=threads, progress=progress)


def _around(seeds: NDArray[np.int64], field: Field) -> sparse.csc_array:
    """Return 1 at the pixels around each seed, ``(n_pixels, n_seeds)``."""
    n_rows, n_cols = field.frame_shape
    row_reach, col_reach = (round(LOCAL_GSIGS * gsig) for gsig in field.gsig_px)
    columns = []
    for row, col in seeds:
        rows = np.arange(max(0, row - row_reach), min(n_rows, row + row_reach + 1))
        cols = np.arange(max(0, col - col_reach), min(n_cols, col + col_reach + 1))
        pixels = (rows[:, np.newaxis] * n_cols + cols).ravel()
        columns.append((pixels, np.ones(pixels.size, np.float32)))
    return from_columns(columns, field.usable.size)


def _footprints(
    courses: NDArray[np.float32],
    around: sparse.csc_array,
    follows: NDArray[np.float64],
    total: NDArray[np.float64],
) -> sparse.csc_array:
    """Return how much the pixels around each seed follow its course, ``(n_pixels, n_seeds)``."""
    mean, power = np.zeros((2, len(courses)))
    for rows in some_rows(courses):
        some = courses[rows].astype(np.float64)
        mean[rows] = some.mean(axis=1)
        power[rows] = np.square(some - mean[rows, np.newaxis]).sum(axis=1)
    columns = []
    for roi, start in enumerate(around.indptr[:-1]):
        entries = slice(start, around.indptr[roi + 1])
        pixels = around.indices[entries]
        # the sum of products with the course around its mean
        together = follows[entries] - mean[roi] * total[pixels]
        weights = np.maximum(together / max(power[roi], TINY), 0).astype(np.float32)
        bright = weights > LOCAL_MIN_WEIGHT * weights.max(initial=0)
        columns.append((pixels[bright], weights[bright]))
    return from_columns(columns, around.shape[0])
