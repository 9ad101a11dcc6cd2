"""The background that all pixels share: a few courses in time, each with an image.

The first course is a constant; the others are the leading singular vectors of a coarse movie of
the pixels outside the cells, shared by several blocks, so that no cell can make one. The images are
fitted pixel by pixel. They may take either sign: only their product has a meaning.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.field import Field

BLOCK_GSIGS = 4
"""Side of a block of the coarse movie, in half-sizes of a cell."""

MIN_FREE_FRACTION = 0.25
"""A block with fewer of its pixels outside the cells is taken whole."""

MIN_BLOCKS = 0.3
"""A course must explain at least so much of the variance, 1 being that of one block."""

MIN_RELATIVE_NORM = 1e-6
"""A block that varies less, relative to its level, is constant up to rounding."""


def coarse_blocks(
    footprints: sparse.csc_array,
    field: Field,
) -> sparse.csc_array:
    """Return the weights that average pixels outside the cells, ``(n_pixels, n_blocks)``."""
    block = _block_of_pixel(field)
    n_blocks = int(block.max()) + 1
    inside = np.asarray(footprints.astype(bool).sum(axis=1)).ravel() > 0
    free = field.usable & ~inside
    n_free = np.bincount(block[free], minlength=n_blocks)
    n_usable = np.bincount(block[field.usable], minlength=n_blocks)
    whole = n_free < MIN_FREE_FRACTION * n_usable
    taken = np.flatnonzero(np.where(whole[block], field.usable, free))
    count = np.bincount(block[taken], minlength=n_blocks)
    weights = (1 / count[block[taken]]).astype(np.float32)
    matrix = sparse.csc_array((weights, (taken, block[taken])), shape=(block.size, n_blocks))
    return matrix[:, np.flatnonzero(count)]


def leading_courses(
    coarse: NDArray[np.floating], gnb: int, *, min_blocks: float = MIN_BLOCKS
) -> NDArray[np.float32]:
    """Return a constant and the courses that most blocks of a coarse movie share.

    Parameters
    ----------
    coarse : array, (n_blocks, n_frames)
        Means of pixels, as far as possible outside the cells.
    gnb : int
        Largest number of courses.
    min_blocks : float
        A course must explain as much variance as so many blocks, each counted alike.

    Returns
    -------
    array, (at most gnb, n_frames)
        Courses of unit mean square.
    """
    movie = np.asarray(coarse, np.float64)
    movie = movie - movie.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(movie, axis=1, keepdims=True)
    varies = norm > MIN_RELATIVE_NORM * np.linalg.norm(coarse, axis=1, keepdims=True)
    movie = np.divide(movie, norm, out=np.zeros_like(movie), where=varies)
    power, images = np.linalg.eigh(movie @ movie.T)
    strongest = np.argsort(power)[::-1][: gnb - 1]
    strongest = strongest[power[strongest] >= min_blocks]
    courses = images[:, strongest].T @ movie
    courses /= np.sqrt(np.square(courses).mean(axis=1, keepdims=True))
    return np.concatenate([np.ones((1, movie.shape[1])), courses]).astype(np.float32)


def fit_courses(
    targets: NDArray[np.floating], courses: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the weight of each course in each target by least squares, ``(n_targets, gnb)``."""
    basis = np.asarray(courses, np.float64)
    weights = np.linalg.solve(basis @ basis.T, basis @ np.asarray(targets, np.float64).T)
    return np.asarray(weights.T, np.float64)


def _block_of_pixel(field: Field) -> NDArray[np.int64]:
    """Return the number of the block in which each pixel lies, ``(n_pixels,)``."""
    counts = [
        max(1, round(length / (BLOCK_GSIGS * gsig)))
        for length, gsig in zip(field.frame_shape, field.gsig_px, strict=True)
    ]
    rows, cols = (
        np.arange(length) * count // length
        for length, count in zip(field.frame_shape, counts, strict=True)
    )
    return (rows[:, np.newaxis] * counts[1] + cols).ravel()
