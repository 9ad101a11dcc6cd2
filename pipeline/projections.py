"""Images that stand for a movie: mean, maximum, standard deviation, local correlation."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
    progress_of_several,
)
from pipeline.movie import Movie
from pipeline.pixel_sums import Sum, Sums, add_frames, add_lost
from pipeline.scratch import put_aside, scratch_array
from pipeline.window import slabs_of

MAX_THREADS = 4
MAX_BLOCK_FRAMES = 256

FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Steps (rows, columns) to the neighbours that come later; the other four are their opposites."""

SLAB_COPIES = 4
"""Copies of the sums of a slab of planes that the memory holds, with those of blocks."""

CONSTANT = 1e-12
"""A trace whose variance is a smaller part of its mean square is constant but for rounding."""

N_LOST = 3 * 3 * 3
"""Count, total and squares for each step to a neighbour."""

Image = NDArray[np.float32]


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
        Memory for frames and sums; at least one frame is read at a time. A volume whose sums do
        not fit is read once for every so many of its planes.
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
    images = [scratch_array(movie.frame_shape) for _ in Projections._fields]
    slabs = _slabs(movie, memory_bytes=memory_bytes)
    for number, (pixels, slab) in enumerate(slabs):
        told = progress_of_several(progress, number, len(slabs))
        found = _project_slab(slab, threads=threads, memory_bytes=memory_bytes, progress=told)
        for image, part in zip(images, found, strict=True):
            image.reshape(-1)[pixels] = part.ravel()
            put_aside(image)
    return Projections(*images)


def _slabs(movie: Movie, *, memory_bytes: int) -> list[tuple[slice, Movie]]:
    """Cut volumes into slabs of planes that fit; what is computed stays in the plane."""
    if not movie.is_volume:
        return [(slice(0, math.prod(movie.frame_shape)), movie)]
    pixel_bytes = SLAB_COPIES * _n_sums(movie) * np.dtype(np.float64).itemsize
    return slabs_of(movie, pixel_bytes=pixel_bytes, memory_bytes=memory_bytes // 2)


def _project_slab(
    movie: Movie, *, threads: int, memory_bytes: int, progress: Progress
) -> list[Sum]:
    """Return the images of a movie whose sums fit the memory."""
    shape = (-1, *movie.frame_shape[-2:])
    first = movie[0].astype(np.float64).reshape(shape)
    reference = np.where(np.isfinite(first), first, 0)
    blocks, threads = _plan(movie, threads=threads, memory_bytes=memory_bytes)

    def add_up(_: slice, block: NDArray[Any]) -> tuple[Sums, Sum | None]:
        return _block_sums(block.reshape(len(block), *reference.shape), reference)

    sums, lost = _empty_sums(reference.shape), None
    for more, more_lost in map_blocks(
        add_up, movie, blocks, threads=threads, phase="projections", progress=progress
    ):
        sums = _merge(sums, more)
        if more_lost is not None:
            lost = more_lost if lost is None else lost + more_lost
    return list(_images(sums, lost, reference))


def _plan(movie: Movie, *, threads: int, memory_bytes: int) -> tuple[list[slice], int]:
    """Cut blocks that do not depend on the number of threads: half the memory is for their sums."""
    half = memory_bytes // 2
    block_bytes = min(half // (MAX_THREADS + 1), MAX_BLOCK_FRAMES * movie.frame_bytes)
    blocks = frame_blocks(movie.n_frames, frame_bytes=movie.frame_bytes, memory_bytes=block_bytes)
    sums_bytes = _n_sums(movie) * int(np.prod(movie.frame_shape)) * np.dtype(np.float64).itemsize
    affordable = half // sums_bytes - 2
    return blocks, max(1, min(threads, MAX_THREADS, affordable))


def _n_sums(movie: Movie) -> int:
    """Return how many sums there are of each pixel."""
    return len(Sums._fields) - 1 + len(FORWARD) + (N_LOST if movie.dtype.kind == "f" else 0)


def _empty_sums(shape: tuple[int, ...]) -> Sums:
    return Sums(
        n_finite=np.zeros(shape),
        total=np.zeros(shape),
        squares=np.zeros(shape),
        maximum=np.full(shape, -np.inf),
        products=np.zeros((len(FORWARD), *shape)),
    )


def _block_sums(block: NDArray[Any], reference: Sum) -> tuple[Sums, Sum | None]:
    """Add up a block; also what its pairs of pixels lose where one of them is not finite."""
    block = np.ascontiguousarray(block, _compiled_type(block.dtype))
    sums = _empty_sums(reference.shape)
    for plane in range(reference.shape[0]):
        of_plane = Sums(*(field[..., plane, :, :] for field in sums))
        add_frames(block[:, plane], reference[plane], of_plane)
    if np.all(sums.n_finite == len(block)):
        return sums, None
    lost = np.zeros((3, 3, 3, *reference.shape))
    for plane in range(reference.shape[0]):
        add_lost(block[:, plane], reference[plane], lost[:, :, :, plane])
    return sums, lost


def _compiled_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in native byte order; half precision is not known to the compiler."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _merge(sums: Sums, more: Sums) -> Sums:
    """Add the sums of the next block in place."""
    for name, total, addend in zip(Sums._fields, sums, more, strict=True):
        combine = np.maximum if name == "maximum" else np.add
        combine(total, addend, out=total)
    return sums


def _images(sums: Sums, lost: Sum | None, reference: Sum) -> tuple[Sum, Sum, Sum, Sum]:
    """Turn sums into images."""
    seen = sums.n_finite > 0
    n = np.where(seen, sums.n_finite, np.nan)
    mean = sums.total / n
    maximum = np.where(seen, reference + sums.maximum, np.nan)
    std = np.sqrt(np.maximum(sums.squares / n - mean**2, 0))
    return reference + mean, maximum, std, _local_correlation(sums, lost)


def _local_correlation(sums: Sums, lost: Sum | None) -> Sum:
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


def _common_moments(sums: Sums, lost: Sum | None, step: tuple[int, int]) -> Sum:
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
