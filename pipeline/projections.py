"""Images that stand for a movie: mean, maximum, standard deviation, local correlation."""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
)
from pipeline.movie import Movie

MAX_THREADS = 4
MAX_BLOCK_FRAMES = 256

FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Steps (rows, columns) to the neighbours that come later; the other four are their opposites."""

CONSTANT = 1e-12
"""A trace whose variance is a smaller part of its mean square is constant but for rounding."""

N_LOST = 3 * 3 * 3
"""Count, total and squares for each step to a neighbour."""

Image = NDArray[np.float32]
Sum = NDArray[np.float64]


class Projections(NamedTuple):
    """Images of a movie, each float32 and of the shape of a frame."""

    mean: Image
    """Mean over the finite frames of each pixel; NaN for a pixel that has none."""

    maximum: Image
    """Largest finite value of each pixel; NaN for a pixel that has none."""

    std: Image
    """Standard deviation (divided by n) of the finite frames; NaN for a pixel that has none."""

    local_correlation: Image
    """Mean correlation of a pixel's trace with those of its neighbours in the plane, -1 to 1."""


class _Sums(NamedTuple):
    """Sums over frames of the deviation of each pixel from a fixed value, float64."""

    n_finite: Sum
    """Finite frames, ``(n_planes, n_rows, n_cols)`` as all sums."""

    total: Sum
    """Deviations."""

    squares: Sum
    """Squared deviations."""

    maximum: Sum
    """Largest deviation."""

    products: Sum
    """Products with each forward neighbour, ``(4, n_planes, n_rows, n_cols)``."""


def project(
    movie: Movie,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Projections:
    """Compute the projections of a movie in one pass over its frames.

    Parameters
    ----------
    movie : Movie
        ``(n_frames[, n_planes], n_rows, n_cols)``.
    threads : int
        Blocks worked on at once, at most 4; the result has the same bits for any number.
    memory_bytes : int
        Memory for frames and sums; at least one frame is read at a time.
    progress : callable
        Told ``("projections", frames done, frames in all)``.

    Returns
    -------
    Projections
        Four images of ``movie.frame_shape``.

    Notes
    -----
    Sums are float64 of the deviation from each pixel's first frame, so that a large offset costs
    no precision. Values that are not finite are left out pixel by pixel. The correlation of two
    neighbours takes the frames in which both are finite; it is 0 where either is constant. A pair
    with fewer than two such frames does not count, and a pixel without any pair gets 0.
    """
    shape = (-1, *movie.frame_shape[-2:])
    first = movie[0].astype(np.float64).reshape(shape)
    reference = np.where(np.isfinite(first), first, 0)
    blocks, threads = _plan(movie, threads=threads, memory_bytes=memory_bytes)

    def add_up(_: slice, block: NDArray[Any]) -> tuple[_Sums, Sum | None]:
        return _block_sums(block.reshape(len(block), *reference.shape), reference)

    sums, lost = _empty_sums(reference.shape), None
    for more, more_lost in map_blocks(
        add_up, movie, blocks, threads=threads, phase="projections", progress=progress
    ):
        sums = _merge(sums, more)
        if more_lost is not None:
            lost = more_lost if lost is None else lost + more_lost
    images = _images(sums, lost, reference)
    return Projections(*(i.reshape(movie.frame_shape).astype(np.float32) for i in images))


def _plan(movie: Movie, *, threads: int, memory_bytes: int) -> tuple[list[slice], int]:
    """Cut blocks that do not depend on the number of threads: half the memory is for their sums."""
    half = memory_bytes // 2
    block_bytes = min(half // (MAX_THREADS + 1), MAX_BLOCK_FRAMES * movie.frame_bytes)
    blocks = frame_blocks(movie.n_frames, frame_bytes=movie.frame_bytes, memory_bytes=block_bytes)
    n_sums = len(_Sums._fields) - 1 + len(FORWARD) + (N_LOST if movie.dtype.kind == "f" else 0)
    sums_bytes = n_sums * int(np.prod(movie.frame_shape)) * np.dtype(np.float64).itemsize
    affordable = half // sums_bytes - 2
    return blocks, max(1, min(threads, MAX_THREADS, affordable))


def _empty_sums(shape: tuple[int, ...]) -> _Sums:
    return _Sums(
        n_finite=np.zeros(shape),
        total=np.zeros(shape),
        squares=np.zeros(shape),
        maximum=np.full(shape, -np.inf),
        products=np.zeros((len(FORWARD), *shape)),
    )


def _block_sums(block: NDArray[Any], reference: Sum) -> tuple[_Sums, Sum | None]:
    """Add up a block; also what its pairs of pixels lose where one of them is not finite."""
    block = np.ascontiguousarray(block, _compiled_type(block.dtype))
    sums = _empty_sums(reference.shape)
    for plane in range(reference.shape[0]):
        of_plane = _Sums(*(field[..., plane, :, :] for field in sums))
        _add_frames(block[:, plane], reference[plane], of_plane)
    if np.all(sums.n_finite == len(block)):
        return sums, None
    lost = np.zeros((3, 3, 3, *reference.shape))
    for plane in range(reference.shape[0]):
        _add_lost(block[:, plane], reference[plane], lost[:, :, :, plane])
    return sums, lost


def _compiled_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in native byte order; half precision is not known to the compiler."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _merge(sums: _Sums, more: _Sums) -> _Sums:
    """Add the sums of the next block in place."""
    for name, total, addend in zip(_Sums._fields, sums, more, strict=True):
        combine = np.maximum if name == "maximum" else np.add
        combine(total, addend, out=total)
    return sums


def _images(sums: _Sums, lost: Sum | None, reference: Sum) -> tuple[Sum, Sum, Sum, Sum]:
    """Turn sums into images."""
    seen = sums.n_finite > 0
    n = np.where(seen, sums.n_finite, np.nan)
    mean = sums.total / n
    maximum = np.where(seen, reference + sums.maximum, np.nan)
    std = np.sqrt(np.maximum(sums.squares / n - mean**2, 0))
    return reference + mean, maximum, std, _local_correlation(sums, lost)


def _local_correlation(sums: _Sums, lost: Sum | None) -> Sum:
    """Average the correlations of each pixel over its neighbours in the plane."""
    total, pairs = np.zeros_like(sums.n_finite), np.zeros_like(sums.n_finite)
    n_rows, n_cols = sums.n_finite.shape[-2:]
    for products, (rows, cols) in zip(sums.products, FORWARD, strict=True):
        first = (..., slice(n_rows - rows), slice(max(0, -cols), n_cols - max(0, cols)))
        second = (..., slice(rows, n_rows), slice(max(0, cols), n_cols + min(0, cols)))
        n, total_1, squares_1 = _common_moments(sums, lost, (rows, cols))[:, *first]
        _, total_2, squares_2 = _common_moments(sums, lost, (-rows, -cols))[:, *second]
        counted = n >= 2  # noqa: PLR2004 - two points make a correlation
        n = np.where(counted, n, 1)
        correlation = counted * _correlation(
            products[first] - total_1 * total_2 / n,
            _variance(n, total_1, squares_1),
            _variance(n, total_2, squares_2),
        )
        for pixels in (first, second):
            total[pixels] += correlation
            pairs[pixels] += counted
    return total / np.maximum(pairs, 1)


def _common_moments(sums: _Sums, lost: Sum | None, step: tuple[int, int]) -> Sum:
    """Return count, total and squares over the frames in which the neighbour is finite too."""
    moments = np.stack([sums.n_finite, sums.total, sums.squares])
    return moments if lost is None else moments - lost[1 + step[0], 1 + step[1]]


def _variance(n: Sum, total: Sum, squares: Sum) -> Sum:
    """Return n times the variance, exactly 0 for what is constant but for rounding."""
    variance = squares - total**2 / n
    return np.where(variance > CONSTANT * squares, variance, 0)


def _correlation(covariance: Sum, variance_1: Sum, variance_2: Sum) -> Sum:
    """Return the correlation, 0 where a trace is constant."""
    scale = np.sqrt(variance_1) * np.sqrt(variance_2)
    return np.clip(covariance / np.where(scale > 0, scale, np.inf), -1, 1)


compiled = numba.njit(nogil=True, cache=True)


@compiled
def _add_frames(frames: NDArray[Any], reference: Sum, sums: _Sums) -> None:
    """Add the frames of a plane to its sums, row by row so that the sums stay in the cache."""
    n_frames, n_rows, n_cols = frames.shape
    # a zero at either end stands for the neighbours outside the image
    here, below = np.zeros(n_cols + 2), np.zeros(n_cols + 2)
    ones = np.ones(n_cols)
    for row in range(n_rows):
        products = sums.products[:, row]
        below[:] = 0
        for frame in range(n_frames):
            _take_deviations(frames[frame, row], reference[row], here[1:-1])
            _add_finite(frames[frame, row], reference[row], sums.n_finite[row], sums.maximum[row])
            if row + 1 < n_rows:
                _take_deviations(frames[frame, row + 1], reference[row + 1], below[1:-1])
            _add_products(here[1:-1], ones, sums.total[row])
            _add_products(here[1:-1], here[1:-1], sums.squares[row])
            _add_products(here[1:-1], here[2:], products[0])
            _add_products(here[1:-1], below[:-2], products[1])
            _add_products(here[1:-1], below[1:-1], products[2])
            _add_products(here[1:-1], below[2:], products[3])


@compiled
def _take_deviations(values: NDArray[Any], reference: Sum, deviations: Sum) -> None:
    """Write how far a row lies from its reference, zero where it is not finite."""
    for col in range(len(values)):
        deviation = np.float64(values[col]) - reference[col]
        deviations[col] = deviation if np.isfinite(deviation) else 0.0


@compiled
def _add_finite(values: NDArray[Any], reference: Sum, count: Sum, maximum: Sum) -> None:
    """Count the finite values of a row and keep the largest deviations."""
    for col in range(len(values)):
        deviation = np.float64(values[col]) - reference[col]
        finite = np.isfinite(deviation)
        count[col] += 1.0 if finite else 0.0
        maximum[col] = deviation if finite and deviation > maximum[col] else maximum[col]


@compiled
def _add_products(left: Sum, right: Sum, sums: Sum) -> None:
    """Add the products of two rows to their sums."""
    for col in range(len(sums)):
        sums[col] += left[col] * right[col]


@compiled
def _add_lost(frames: NDArray[Any], reference: Sum, lost: Sum) -> None:
    """Add what the neighbours of missing pixels have in the frames that their pair lacks.

    ``lost[1 + rows, 1 + cols]`` holds count, total and squares of each finite pixel over the
    frames in which its neighbour at that step is missing.
    """
    n_frames, n_rows, n_cols = frames.shape
    for frame in range(n_frames):
        for row in range(n_rows):
            for col in range(n_cols):
                if not np.isfinite(frames[frame, row, col]):
                    _lose_neighbours(frames[frame], reference, lost, row, col)


@compiled
def _lose_neighbours(frame: NDArray[Any], reference: Sum, lost: Sum, row: int, col: int) -> None:
    """Add the finite neighbours of one missing pixel."""
    n_rows, n_cols = frame.shape
    for near_row in range(max(0, row - 1), min(n_rows, row + 2)):
        for near_col in range(max(0, col - 1), min(n_cols, col + 2)):
            deviation = np.float64(frame[near_row, near_col]) - reference[near_row, near_col]
            if np.isfinite(deviation):
                moments = lost[1 + row - near_row, 1 + col - near_col, :, near_row, near_col]
                moments[0] += 1
                moments[1] += deviation
                moments[2] += deviation**2
