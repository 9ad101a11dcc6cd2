"""The background: what the pixels between the cells do, carried to the pixels under them.

The frame is cut into blocks a few cells wide. The course of a block is the mean of its pixels
outside the cells, and under a cell the courses of the blocks around are interpolated. Neuropil that
differs from place to place is followed in this way, no cell can make a course of its own, and the
slow bleaching of a cell stays with the cell.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import around_mean, mean_of_rows, products
from pipeline.scratch import by_frames, some_frames

BLOCK_GSIGS = 2.5
"""Side of a block, in half-sizes of a cell."""

MIN_FREE_FRACTION = 0.25
"""A block with fewer of its pixels outside the cells is closed."""

MAX_ONE_CELL = 0.8
"""Largest part of a closed block that one cell may cover; its light could not be told apart."""


class Blocks(NamedTuple):
    """How pixels are averaged into blocks, and blocks interpolated at pixels."""

    average: sparse.csc_array
    """``(n_pixels, n_blocks)``, each column of sum 1."""

    spread: sparse.csr_array
    """``(n_pixels, n_blocks)``, each row of sum 1; empty at a pixel that is not usable."""


class LocalBackground(NamedTuple):
    """The changing part of the background: ``spread @ courses``, ``(n_pixels, n_frames)``."""

    spread: sparse.csr_array
    """``(n_pixels, n_blocks)``."""

    courses: NDArray[np.float32]
    """Of the blocks, ``(n_blocks, n_frames)``."""


def find_blocks(
    footprints: sparse.csc_array, field: Field, *, gsigs: float = BLOCK_GSIGS
) -> Blocks:
    """Cut the field of view into blocks, outside the footprints where they leave enough.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        What is to be left out.
    field : Field
        The field of view.
    gsigs : float
        Side of a block, in half-sizes of a cell.

    Returns
    -------
    Blocks
        Those with a usable pixel.
    """
    counts = [
        max(1, round(length / (gsigs * gsig)))
        for length, gsig in zip(field.frame_shape, field.gsig_px, strict=True)
    ]
    block = _block_of_pixel(field.frame_shape, counts)
    average = _average(block, counts, footprints, field)
    filled = np.flatnonzero(np.diff(average.indptr))
    axes = [_hats(n, count) for n, count in zip(field.frame_shape, counts, strict=True)]
    spread = sparse.csr_array(reduce(_product, axes)) @ _stand_ins(filled, counts)
    usable = sparse.diags_array(field.usable.astype(np.float32))
    spread = sparse.csr_array(usable @ spread, dtype=np.float32)
    spread.eliminate_zeros()
    return Blocks(sparse.csc_array(average[:, filled]), spread)


def median_courses(movie: NDArray[np.float32], blocks: Blocks) -> NDArray[np.float32]:
    """Return the median over the pixels of each block: a cell in less than half leaves it alone.

    Parameters
    ----------
    movie : array, (n_frames, n_pixels)
        Around the mean of each pixel.
    blocks : Blocks
        Where.

    Returns
    -------
    array, (n_blocks, n_frames)
        The courses.
    """
    courses = np.empty((blocks.average.shape[1], len(movie)), np.float32)
    for course, start, stop in zip(
        courses, blocks.average.indptr[:-1], blocks.average.indptr[1:], strict=True
    ):
        course[:] = np.median(movie[:, blocks.average.indices[start:stop]], axis=1)
    return courses


def without_noise(courses: NDArray[np.float32], gnb: int | None) -> NDArray[np.float32]:
    """Keep what blocks have in common.

    Parameters
    ----------
    courses : array, (n_blocks, n_frames)
        Means of pixels.
    gnb : int or None
        Number of components, the constant among them; None keeps all.

    Returns
    -------
    array, (n_blocks, n_frames)
        The courses, of rank ``gnb``.
    """
    if gnb is None or gnb > len(courses):
        return courses
    mean = mean_of_rows(courses, np.float32)[:, np.newaxis]
    centred = around_mean(courses)
    _, images = np.linalg.eigh(products(centred, centred))
    leading = images[:, len(courses) - gnb + 1 :]
    return by_frames(
        (mean + leading @ (leading.T @ centred[:, frames]) for frames in some_frames(centred)),
        courses.shape,
    )


def at_entries(
    spread: sparse.csr_array, matrix: sparse.csc_array, by_block: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate numbers of blocks at the stored entries of a matrix, ``(n_stored,)``.

    Parameters
    ----------
    spread : sparse array, (n_pixels, n_blocks)
        Of `Blocks`.
    matrix : sparse array, (n_pixels, n_rois)
        Its entries say where.
    by_block : array, (n_blocks, n_rois)
        The numbers, different for each column of the matrix.
    """
    rows = sparse.csr_array(spread[matrix.indices])
    roi = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    entry = np.repeat(np.arange(roi.size), np.diff(rows.indptr))
    values = rows.data * by_block[rows.indices, roi[entry]]
    return np.asarray(np.bincount(entry, values, minlength=roi.size), np.float64)


def _average(
    block: NDArray[np.int64], counts: list[int], footprints: sparse.csc_array, field: Field
) -> sparse.csc_array:
    """Return the weights that average the pixels of each block outside the cells.

    Where several cells leave few of them, all pixels count, and the light of the cells is taken
    off later; where a single cell does, the free pixels of the blocks around.
    """
    n_blocks = int(np.prod(counts))
    every = _indicator(block, field.usable, n_blocks)
    inside = np.zeros(block.size, np.bool_)
    inside[footprints.indices[footprints.data > 0]] = True
    free = _indicator(block, field.usable & ~inside, n_blocks)
    n_usable = np.asarray(every.sum(axis=0)).ravel()
    closed = np.asarray(free.sum(axis=0)).ravel() < MIN_FREE_FRACTION * n_usable
    by_cell = sparse.csr_array(every.T @ (footprints > 0).astype(np.float32))
    largest = by_cell.max(axis=1).toarray().ravel() if by_cell.shape[1] else np.zeros(n_blocks)
    one_cell = closed & (largest > MAX_ONE_CELL * n_usable)
    around = sparse.csr_array(reduce(_product, [_neighbours(count) for count in counts]))
    around = around @ sparse.diags_array(one_cell.astype(np.float32))
    weights = sparse.csc_array(
        free @ (sparse.diags_array((~closed).astype(np.float32)) + around)
        + every @ sparse.diags_array((closed & ~one_cell).astype(np.float32))
    )
    weights.eliminate_zeros()
    total = np.asarray(weights.sum(axis=0)).ravel()
    if not total.any():  # one cell is all there is
        weights, total = every, n_usable
    scale = sparse.diags_array(1 / np.maximum(total, 1))
    return sparse.csc_array(weights @ scale, dtype=np.float32)


def _indicator(
    block: NDArray[np.int64], pixels: NDArray[np.bool_], n_blocks: int
) -> sparse.csc_array:
    """Return 1 at each of some pixels in the column of its block, ``(n_pixels, n_blocks)``."""
    taken = np.flatnonzero(pixels)
    ones = np.ones(taken.size, np.float32)
    return sparse.csc_array((ones, (taken, block[taken])), shape=(block.size, n_blocks))


def _block_of_pixel(frame_shape: tuple[int, ...], counts: list[int]) -> NDArray[np.int64]:
    """Return the number of the block in which each pixel lies, ``(n_pixels,)``."""
    along = [np.arange(n) * count // n for n, count in zip(frame_shape, counts, strict=True)]
    places = np.meshgrid(*along, indexing="ij")
    return np.asarray(np.ravel_multi_index(places, counts), np.int64).ravel()


def _neighbours(count: int) -> sparse.csr_array:
    """Return which blocks along an axis lie next to each other, ``(count, count)``."""
    place = np.arange(count)
    return sparse.csr_array((np.abs(place[:, np.newaxis] - place) <= 1).astype(np.float32))


def _stand_ins(filled: NDArray[np.int64], counts: list[int]) -> sparse.csr_array:
    """Return which filled block stands for each block, ``(n_blocks, n_filled)``: the nearest."""
    n_blocks = int(np.prod(counts))
    empty = np.setdiff1d(np.arange(n_blocks), filled)
    choice = np.zeros(n_blocks, np.int64)
    choice[filled] = np.arange(filled.size)
    there = np.stack(np.unravel_index(filled, counts), axis=1)
    for block in empty if filled.size else ():
        away = there - np.array(np.unravel_index(block, counts))
        choice[block] = np.square(away).sum(axis=1).argmin()
    ones = np.ones(n_blocks if filled.size else 0, np.float32)
    places = np.arange(ones.size), choice[: ones.size]
    return sparse.csr_array((ones, places), shape=(n_blocks, filled.size))


def _product(one: sparse.csr_array, other: sparse.csr_array) -> sparse.csr_array:
    """Return weights along two axes from those along each."""
    return sparse.csr_array(sparse.kron(one, other, format="csr"))


def _hats(length: int, count: int) -> sparse.csr_array:
    """Return weights that interpolate blocks along an axis, ``(length, count)``."""
    block = np.arange(length) * count // length
    middles = np.bincount(block, np.arange(length)) / np.bincount(block)
    if count == 1:
        return sparse.csr_array(np.ones((length, 1), np.float32))
    # beyond the first and the last middle the line goes on, so that a slope is no cell
    left = np.clip(np.searchsorted(middles, np.arange(length)) - 1, 0, count - 2)
    right_weight = (np.arange(length) - middles[left]) / np.diff(middles)[left]
    weights = np.concatenate([1 - right_weight, right_weight]).astype(np.float32)
    places = np.tile(np.arange(length), 2), np.concatenate([left, left + 1])
    return sparse.csr_array((weights, places), shape=(length, count))
