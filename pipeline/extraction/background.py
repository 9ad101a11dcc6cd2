"""The background: what the pixels between the cells do, carried to the pixels under them.

The frame is cut into blocks a few cells wide (see `pipeline.extraction.mosaic`). The course of a
block is the mean of its pixels outside the cells, and under a cell the courses of the blocks around
are interpolated. Neuropil that differs from place to place is followed in this way, no cell can
make a course of its own, and the slow bleaching of a cell stays with the cell.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import around_mean, mean_of_rows, products
from pipeline.extraction.mosaic import (
    PIXELS_AT_ONCE,
    Average,
    Axis,
    Images,
    Spread,
    axis_of,
    block_of,
    stand_ins,
)
from pipeline.scratch import by_frames, by_rows, some_frames, some_rows

BLOCK_GSIGS = 2.5
"""Side of a block, in half-sizes of a cell."""

MIN_FREE_FRACTION = 0.25
"""A block with fewer of its pixels outside the cells is closed."""

MAX_ONE_CELL = 0.8
"""Largest part of a closed block that one cell may cover; its light could not be told apart."""

MAX_DENSE = 2000
"""Of more blocks, as volumes have them, the products of each two would not fit the memory."""

ENTRIES_AT_ONCE = 1 << 17
"""Pixels of footprints at which blocks are interpolated at once."""


class Blocks(NamedTuple):
    """How pixels are averaged into blocks, and blocks interpolated at pixels."""

    average: Average
    """From pixels to blocks."""

    spread: Spread
    """From blocks to pixels; empty at a pixel that is not usable."""


class LocalBackground(NamedTuple):
    """The changing part of the background: ``spread @ courses``, ``(n_pixels, n_frames)``."""

    spread: Spread
    """From blocks to pixels."""

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
    axes = tuple(
        axis_of(length, max(1, round(length / (gsigs * gsig))))
        for length, gsig in zip(field.frame_shape, field.gsig_px, strict=True)
    )
    inside = np.zeros(field.usable.size, np.bool_)
    inside[footprints.indices[footprints.data > 0]] = True
    average = _average(axes, footprints, field.usable, field.usable & ~inside)
    filled = np.flatnonzero(_sizes(average))
    choice = stand_ins(filled, [axis.n_blocks for axis in axes])
    spread = Spread(axes, choice, int(filled.size), field.usable)
    only = {name: getattr(average, name)[:, filled] for name in ("by_usable", "by_free")}
    return Blocks(average._replace(**only), spread)


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
    average = blocks.average.at()
    courses = np.empty((average.shape[1], len(movie)), np.float32)
    for course, start, stop in zip(courses, average.indptr[:-1], average.indptr[1:], strict=True):
        course[:] = np.median(movie[:, average.indices[start:stop]], axis=1)
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
    if len(courses) > MAX_DENSE and gnb > 1:
        leading = _leading(centred, gnb - 1)
        common = leading.T @ centred
        return by_rows(
            lambda level, image: level + image @ common, mean, leading, n_columns=common.shape[1]
        )
    _, images = np.linalg.eigh(products(centred, centred))
    leading = images[:, len(courses) - gnb + 1 :]
    return by_frames(
        (mean + leading @ (leading.T @ centred[:, frames]) for frames in some_frames(centred)),
        courses.shape,
    )


def _leading(centred: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return what most courses have in common, ``(n_blocks, count)``, without their products."""

    def multiply(image: NDArray[np.float64]) -> NDArray[np.float64]:
        course = np.zeros(centred.shape[1])
        for rows in some_rows(centred):
            course += image.ravel()[rows] @ centred[rows]
        return np.concatenate([centred[rows] @ course for rows in some_rows(centred)])

    size = len(centred), len(centred)
    operator = LinearOperator(size, matvec=multiply, dtype=np.float64)
    # the same start each time, so that the result has the same bits; it is like no image
    _, images = eigsh(operator, k=count, v0=np.cos(np.arange(len(centred))))
    return np.asarray(images, np.float32)


def at_entries(
    images: Images | sparse.csr_array, matrix: sparse.csc_array, by_image: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up images with weights at the stored entries of a matrix, ``(n_stored,)``.

    Parameters
    ----------
    images : Spread, Average or sparse array, (n_pixels, n_images)
        Of blocks, or of cells.
    matrix : sparse array, (n_pixels, n_rois)
        Its entries say where.
    by_image : array, (n_images, n_rois)
        The weights, different for each column of the matrix.
    """
    found = np.empty(matrix.nnz)
    for start in range(0, matrix.nnz, ENTRIES_AT_ONCE):
        some = slice(start, min(start + ENTRIES_AT_ONCE, matrix.nnz))
        roi = np.searchsorted(matrix.indptr, np.arange(some.start, some.stop), side="right") - 1
        rows = _rows(images, matrix.indices[some])
        entry = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        values = rows.data * by_image[rows.indices, roi[entry]]
        found[some] = np.bincount(entry, values, minlength=rows.shape[0])
    return found


def under_footprints(footprints: sparse.csc_array, images: Images) -> sparse.csr_array:
    """Return ``footprints.T @ images``, ``(n_rois, n_images)``.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Few of their pixels are looked at at once.
    images : Spread or Average, (n_pixels, n_images)
        Of blocks.
    """
    n_rois = footprints.shape[1]
    # whole footprints at once, so that each sum is taken in one
    group = footprints.indptr[:-1] // ENTRIES_AT_ONCE
    edges = np.flatnonzero(np.diff(group, prepend=-1, append=group[-1:] + 1))
    parts = [sparse.csr_array((0, images.shape[1]), dtype=np.float32)]
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        indptr = footprints.indptr[first : last + 1]
        some = slice(indptr[0], indptr[-1])
        places = np.arange(some.stop - some.start), indptr - indptr[0]
        weights = sparse.csr_array(
            (footprints.data[some], *places), shape=(last - first, places[0].size)
        )
        parts.append(weights @ images.at(footprints.indices[some]))
    return sparse.csr_array(sparse.vstack(parts, format="csr")[:n_rois])


def _rows(images: Images | sparse.csr_array, pixels: NDArray[np.integer]) -> sparse.csr_array:
    """Return images at some pixels."""
    if isinstance(images, sparse.csr_array):
        return sparse.csr_array(images[pixels])
    return sparse.csr_array(images.at(pixels))


def _average(
    axes: tuple[Axis, ...],
    footprints: sparse.csc_array,
    usable: NDArray[np.bool_],
    free: NDArray[np.bool_],
) -> Average:
    """Return the weights that average the pixels of each block outside the cells.

    Where several cells leave few of them, all pixels count, and the light of the cells is taken
    off later; where a single cell does, the free pixels of the blocks around.
    """
    counts = [axis.n_blocks for axis in axes]
    n_usable, n_free = _numbers(axes, usable), _numbers(axes, free)
    closed = n_free < MIN_FREE_FRACTION * n_usable
    one_cell = closed & (_largest(axes, footprints, usable) > MAX_ONE_CELL * n_usable)
    around = sparse.csr_array(reduce(_product, [_neighbours(count) for count in counts]))
    around = around @ sparse.diags_array(one_cell.astype(np.float32))
    by_free = sparse.csr_array(sparse.diags_array((~closed).astype(np.float32)) + around)
    by_usable = sparse.csr_array(sparse.diags_array((closed & ~one_cell).astype(np.float32)))
    total = np.asarray(by_free.T @ n_free + by_usable.T @ n_usable)
    if not total.any():  # one cell is all there is
        by_usable = sparse.csr_array(sparse.eye_array(n_usable.size, dtype=np.float32))
        total = n_usable
    scale = sparse.diags_array(np.asarray(1 / np.maximum(total, 1), np.float32))
    return Average(
        axes,
        usable,
        free,
        sparse.csr_array(by_usable @ scale).astype(np.float32),
        sparse.csr_array(by_free @ scale).astype(np.float32),
    )


def _sizes(average: Average) -> NDArray[np.float64]:
    """Return the sum of the weights of each block, 0 where it has no pixel."""
    free, usable = _numbers(average.axes, average.free), _numbers(average.axes, average.usable)
    return np.asarray(average.by_free.T @ free + average.by_usable.T @ usable)


def _numbers(axes: tuple[Axis, ...], pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how many of some pixels lie in each block."""
    n_blocks = int(np.prod([axis.n_blocks for axis in axes]))
    count = np.zeros(n_blocks)
    for start in range(0, pixels.size, PIXELS_AT_ONCE):
        some = slice(start, start + PIXELS_AT_ONCE)
        count += np.bincount(block_of(axes, some), pixels[some], minlength=n_blocks)
    return count


def _largest(
    axes: tuple[Axis, ...], footprints: sparse.csc_array, usable: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return how many pixels of each block the cell covers that covers most of it."""
    n_blocks = int(np.prod([axis.n_blocks for axis in axes]))
    largest = np.zeros(n_blocks, np.int64)
    for start, stop in zip(footprints.indptr[:-1], footprints.indptr[1:], strict=True):
        pixels = footprints.indices[start:stop][footprints.data[start:stop] > 0]
        block, count = np.unique(block_of(axes, pixels[usable[pixels]]), return_counts=True)
        largest[block] = np.maximum(largest[block], count)
    return largest


def _neighbours(count: int) -> sparse.csr_array:
    """Return which blocks along an axis lie next to each other, ``(count, count)``."""
    place = np.arange(count)
    return sparse.csr_array((np.abs(place[:, np.newaxis] - place) <= 1).astype(np.float32))


def _product(one: sparse.csr_array, other: sparse.csr_array) -> sparse.csr_array:
    """Return weights along two axes from those along each."""
    return sparse.csr_array(sparse.kron(one, other, format="csr"))
