"""The first pass: statistics of each pixel, and a small movie to find the cells in."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.blocks import Progress
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.stream import Stream
from pipeline.movie import Movie
from pipeline.scratch import put_aside, scratch_array, some_rows

MIN_KEPT_FRACTION = 0.9
"""A pixel that misses in more of the kept frames than the rest is left out."""

SEED_GSIG_PX = 2.5
"""Half-size that a cell has in the small movie, in its pixels."""

BINS_PER_DECAY = 5
MIN_BINS = 200
SMALL_MOVIE_COPIES = 8
BINNED_MOVIE_COPIES = 1.5
"""Size that the binned movie may have, if its bins can be longer: the budget over this."""

MIN_FILED_BIN = 4
"""Shorter bins, of a movie that is larger than the memory, are not worth a file of their own."""


class Grid(NamedTuple):
    """How frames and pixels are binned into the small movie."""

    bin_frames: int
    """Frames averaged into one."""

    bin_px: tuple[int, ...]
    """Pixels along each axis averaged into one."""

    shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)`` of the small movie."""

    cell_of_pixel: NDArray[np.int64]
    """Pixel of the small movie in which each pixel lies, ``(n_pixels,)``."""

    decay_bins: float = BINS_PER_DECAY
    """Decay time of a transient, in bins."""

    keeps_pixels: bool = False
    """Whether the movie is also kept with its frames binned and its pixels as they are."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the first pass learns."""

    mean: NDArray[np.float32]
    """Mean over time of the finite values, ``(n_pixels,)``."""

    noise: NDArray[np.float32]
    """Standard deviation of the noise, from differences of frames, ``(n_pixels,)``."""

    usable: NDArray[np.bool_]
    """Pixels that are finite in nearly all kept frames and not constant, ``(n_pixels,)``."""

    kept: NDArray[np.bool_]
    """Frames with at least one finite value, ``(n_frames,)``."""

    grid: Grid
    """How the small movie is binned."""

    small: NDArray[np.float32]
    """The small movie, ``(n_bins, n_small_pixels)``, finite."""

    binned: NDArray[np.float32] | None = None
    """All pixels of the bins, ``(n_bins, n_pixels)``, NaN where all is missing; None: too large."""

    def without_border(self, border_px: tuple[int, ...], frame_shape: tuple[int, ...]) -> "Survey":
        """Return the same with the pixels at both ends of each axis left out."""
        inside = np.zeros(frame_shape, np.bool_)
        inside[tuple(slice(width, -width or None) for width in border_px)] = True
        return replace(self, usable=self.usable & inside.ravel())


def plan_grid(movie: Movie, params: CnmfParams, *, memory_bytes: int) -> Grid:
    """Choose bins that keep a cell and a transient resolved and the small movie in memory."""
    frame_shape = movie.frame_shape
    bin_px = tuple(max(1, round(gsig_px / SEED_GSIG_PX)) for gsig_px in params.half_sizes_px)
    if params.of_processes:  # they are as thin as a pixel
        bin_px = tuple(1 for _ in bin_px)
    shape = tuple(-(-length // width) for length, width in zip(frame_shape, bin_px, strict=True))
    decay_frames = params.decay_time_s * movie.require_rate_hz()
    for_memory = _bin_that_fits(movie, SMALL_MOVIE_COPIES * math.prod(shape), memory_bytes)
    if for_memory > max(1.0, decay_frames):
        warnings.warn(
            f"the memory holds {movie.name} only in bins of {for_memory} frames, longer than a "
            f"transient of {decay_frames:.0f}: dim cells may be missed; give more memory_bytes.",
            stacklevel=3,
        )
    for_pixels = _bin_that_fits(movie, BINNED_MOVIE_COPIES * math.prod(frame_shape), memory_bytes)
    longest = max(1, math.floor(decay_frames))  # longer bins do not resolve a transient
    keeps_pixels = for_pixels <= longest or longest >= MIN_FILED_BIN
    wanted = min(round(decay_frames / BINS_PER_DECAY), movie.n_frames // MIN_BINS)
    along = [np.arange(length) // width for length, width in zip(frame_shape, bin_px, strict=True)]
    cell_of_pixel = np.ravel_multi_index(np.ix_(*along), shape)
    bin_frames = max(1, wanted, for_memory, min(for_pixels, longest) if keeps_pixels else 1)
    return Grid(
        bin_frames=bin_frames,
        decay_bins=decay_frames / bin_frames,
        bin_px=bin_px,
        shape=shape,
        cell_of_pixel=cell_of_pixel.ravel(),
        keeps_pixels=keeps_pixels,
    )


def _bin_that_fits(movie: Movie, n_values: float, memory_bytes: int) -> int:
    """Return how many frames make a bin if a bin takes so many values of the memory."""
    max_bins = int(memory_bytes / (4 * n_values))
    return -(-movie.n_frames // max(1, max_bins))


def survey_movie(
    movie: Movie, grid: Grid, *, threads: int, memory_bytes: int, progress: Progress
) -> Survey:
    """Read the movie once for its statistics and its small copy."""
    stream = Stream(
        movie=movie,
        fill=None,
        kept=np.ones(movie.n_frames, np.bool_),
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    sums = np.zeros((4, grid.cell_of_pixel.size))
    finite = []
    bins = _Bins(grid, movie.n_frames)
    for part in stream.map(
        lambda frames, block: _survey_block(block, grid, frames.start),
        phase="surveying the movie",
    ):
        sums += part.sums
        finite.append(part.finite)
        bins.add(part)
    kept = np.concatenate(finite) > 0
    count, total, difference_count, difference_total = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, 0)
        noise = np.sqrt(np.where(difference_count > 0, difference_total / difference_count / 2, 0))
    return Survey(
        mean=mean.astype(np.float32),
        noise=noise.astype(np.float32),
        usable=(count >= MIN_KEPT_FRACTION * kept.sum()) & (noise > 0),
        kept=kept,
        grid=grid,
        small=_without_gaps(bins.small),
        binned=bins.binned if grid.keeps_pixels else None,
    )


def _without_gaps(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the mean of the pixel, or 0 where it is never there, in the place of what is missing."""
    total, count = np.zeros((2, small.shape[1]))
    for some in some_rows(small):
        there = ~np.isnan(small[some])
        total += np.where(there, small[some], 0).sum(axis=0, dtype=np.float64)
        count += there.sum(axis=0)
    if (count < len(small)).any():
        mean = (total / np.maximum(count, 1)).astype(np.float32)
        for some in some_rows(small):
            small[some] = np.where(np.isnan(small[some]), mean, small[some])
    return small


class _Part(NamedTuple):
    """What a block contributes to the survey."""

    sums: NDArray[np.float64]
    finite: NDArray[np.int64]

    first_bin: int
    """Number of the bin in which the block begins."""

    binned: NDArray[np.float32]
    """Means of bins; sums of the first and the last bin, of which the block may have a part."""

    counts: NDArray[np.float32]
    """Finite values in the first and the last bin, ``(2, n_pixels)``; of a single bin, the first.
    """

    small: NDArray[np.float32]
    """The bins, pixels binned as well; of no use for the first and the last."""


class _Bins:
    """The bins of a movie, filled from its blocks in order."""

    def __init__(self, grid: Grid, n_frames: int) -> None:
        self._grid = grid
        n_bins, n_pixels = -(-n_frames // grid.bin_frames), grid.cell_of_pixel.size
        self.small = scratch_array((n_bins, math.prod(grid.shape)))
        self.binned = scratch_array((n_bins if grid.keeps_pixels else 0, n_pixels))
        self._open, self._total = -1, np.zeros(n_pixels, np.float32)
        self._count = np.zeros(n_pixels, np.float32)

    def add(self, part: _Part) -> None:
        """Take the bins of the next block."""
        last = len(part.binned) - 1
        inner = slice(part.first_bin + 1, part.first_bin + last)
        self.small[inner] = part.small[1:last]
        if self._grid.keeps_pixels:
            self.binned[inner] = part.binned[1:last]
        put_aside(self.small, self.binned)
        self._add_edge(part.first_bin, part.binned[0], part.counts[0])
        if last:
            self._add_edge(part.first_bin + last, part.binned[last], part.counts[1])

    def _add_edge(self, bin_: int, total: NDArray[np.float32], count: NDArray[np.float32]) -> None:
        """Add a part of a bin; a bin is right once its last part is there."""
        if bin_ != self._open:
            self._open, self._total, self._count = bin_, total, count
        else:
            self._total, self._count = self._total + total, self._count + count
        with np.errstate(invalid="ignore"):
            mean = np.where(self._count > 0, self._total / np.maximum(self._count, 1), np.nan)
        images = mean[np.newaxis].astype(np.float32)
        self.small[bin_] = _shrunk(images, self._grid.cell_of_pixel, self.small.shape[1])[0]
        if self._grid.keeps_pixels:
            self.binned[bin_] = images[0]


def _survey_block(block: NDArray[np.float32], grid: Grid, start: int) -> _Part:
    """Survey some frames from a place in the movie on."""
    first_bin, begun = divmod(start, grid.bin_frames)
    sums, finite, binned, counts = _sum_up(block, grid.bin_frames, begun)
    small = _shrunk(binned, grid.cell_of_pixel, math.prod(grid.shape))
    return _Part(sums, finite, first_bin, binned, counts, small)


@njit(nogil=True, cache=True)
def _sum_up(
    block: NDArray[np.float32], bin_frames: int, begun: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return sums over frames, finite values of each frame, means of bins, counts of two bins.

    The sums are: count, total, count of differences, total of squared differences. Of the first
    bin, ``begun`` frames came before. The first and the last bin are sums, not means.
    """
    n_frames, n_pixels = block.shape
    sums = np.zeros((4, n_pixels))
    finite = np.zeros(n_frames, np.int64)
    n_bins = (begun + n_frames + bin_frames - 1) // bin_frames
    binned = np.zeros((n_bins, n_pixels), np.float32)
    counts = np.zeros((2, n_pixels), np.float32)
    count = np.zeros(n_pixels, np.float32)
    for frame in range(n_frames):
        bin_ = (begun + frame) // bin_frames
        for pixel in range(n_pixels):
            value = block[frame, pixel]
            if not np.isfinite(value):
                continue
            finite[frame] += 1
            sums[0, pixel] += 1
            sums[1, pixel] += value
            binned[bin_, pixel] += value
            count[pixel] += 1
            if frame > 0:
                difference = np.float64(value) - block[frame - 1, pixel]
                if np.isfinite(difference):
                    sums[2, pixel] += 1
                    sums[3, pixel] += difference * difference
        if frame == n_frames - 1 or (begun + frame + 1) % bin_frames == 0:
            if 0 < bin_ < n_bins - 1:
                binned[bin_] = np.where(count > 0, binned[bin_] / np.maximum(count, 1), np.nan)
            else:
                counts[min(bin_, 1)] = count
            count[:] = 0
    return sums, finite, binned, counts


@njit(nogil=True, cache=True)
def _shrunk(
    binned: NDArray[np.float32], cell_of_pixel: NDArray[np.int64], n_small: int
) -> NDArray[np.float32]:
    """Return the means over pixels, NaN where none is finite, ``(n_bins, n_small)``."""
    small = np.zeros((len(binned), n_small), np.float32)
    count = np.zeros(n_small, np.float32)
    for bin_ in range(len(binned)):
        count[:] = 0
        for pixel in range(cell_of_pixel.size):
            value = binned[bin_, pixel]
            if np.isfinite(value):
                small[bin_, cell_of_pixel[pixel]] += value
                count[cell_of_pixel[pixel]] += 1
        for cell in range(n_small):
            small[bin_, cell] = small[bin_, cell] / count[cell] if count[cell] > 0 else np.nan
    return small
