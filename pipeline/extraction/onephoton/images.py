"""Correlation and peak-to-noise images: how much each pixel looks like the centre of a cell.

References
----------
Zhou et al. (2018), doi:10.7554/eLife.28728.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from pipeline.blocks import Progress, map_blocks, no_progress
from pipeline.extraction.onephoton.samples import few_frames, medians, noise_in, sampled
from pipeline.movie import FrameSource, Movie

KERNEL_GSIGS = 2.0
"""Half of the side of the filter, in half-sizes of a cell."""

MIN_SIGMAS = 3.0
"""Smaller values of the filtered movie count as 0 in correlations."""

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps to half of the eight neighbours of a pixel; those to the others are their opposites."""

MIN_RELATIVE_POWER = 1e-12
"""A course that varies less, relative to its sum of squares, is constant."""


class SeedImages(NamedTuple):
    """How much each pixel looks like the centre of a cell."""

    corr: NDArray[np.float32]
    """Mean correlation of its filtered course with that of its neighbours, ``(n_rows, n_cols)``."""

    pnr: NDArray[np.float32]
    """Peak of its filtered course over the noise, ``(n_rows, n_cols)``."""


def high_pass(
    image: NDArray[np.float32], gsig_px: tuple[float, ...], *, out: NDArray[np.float32]
) -> None:
    """Filter an image with a truncated Gaussian less its mean, so that smooth light vanishes.

    Parameters
    ----------
    image : array, (n_rows, n_cols)
        Finite.
    gsig_px : tuple of float
        Half-size of a cell along rows and columns.
    out : array, (n_rows, n_cols)
        Takes the filtered image; at the edges the image is mirrored.
    """
    halves = [max(2, round(KERNEL_GSIGS * gsig)) for gsig in gsig_px]
    rows, cols = (_gaussian(half, gsig) for half, gsig in zip(halves, gsig_px, strict=True))
    size = (cols.size, rows.size)
    cv2.sepFilter2D(image, cv2.CV_32F, cols, rows, dst=out)
    out -= cv2.blur(image, size)


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """A `FrameSource` of a movie that is filtered where it is asked for."""

    movie: FrameSource
    """``(n_frames, n_rows, n_cols)``, finite."""

    gsig_px: tuple[float, ...]
    """Half-size of a cell along rows and columns."""

    level: NDArray[np.float32] | None = None
    """What is taken off each pixel, ``(n_rows, n_cols)``; None: nothing."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames, n_rows, n_cols)``."""
        return self.movie.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[np.float32]:
        return self.of(self.movie[frames])

    def of(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the filtered movie, given some of its frames."""
        filtered = np.empty(images.shape, np.float32)
        for image, target in zip(images, filtered, strict=True):
            high_pass(image, self.gsig_px, out=target)
        return filtered if self.level is None else filtered - self.level


def seed_images(
    movie: FrameSource,
    gsig_px: tuple[float, ...],
    *,
    threads: int = 1,
    progress: Progress = no_progress,
) -> tuple[SeedImages, Filtered]:
    """Rate each pixel of a movie as a seed; the movie is read once, a few frames at a time.

    Parameters
    ----------
    movie : FrameSource
        ``(n_frames, n_rows, n_cols)``, finite.
    gsig_px : tuple of float
        Half-size of a cell along rows and columns.
    threads : int
        Blocks worked on at once.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    images : SeedImages
        0 where a pixel is constant.
    filtered : Filtered
        The filtered movie less the median of each pixel.
    """
    plain = Filtered(movie=movie, gsig_px=gsig_px)
    sample = sampled(plain)
    level = medians(sample.first, threads=threads).reshape(movie.shape[1:])
    noise = noise_in(sample, threads=threads).reshape(movie.shape[1:])
    filtered = replace(plain, level=level)
    peak = np.full(movie.shape[1:], -np.inf, np.float32)
    sums = np.zeros((2 + len(NEIGHBOURS), *movie.shape[1:]))
    for highest, total in map_blocks(
        lambda _, block: _sum_up(filtered.of(block), np.float32(MIN_SIGMAS) * noise),
        Movie(source=movie),
        few_frames(movie),
        threads=threads,
        progress=progress,
    ):
        peak = np.maximum(peak, highest)
        sums += total
    pnr = np.divide(peak, noise, out=np.zeros_like(peak), where=noise > 0)
    return SeedImages(_correlation(sums, movie.shape[0]), pnr), filtered


def pick_seeds(
    images: SeedImages, gsig_px: tuple[float, ...], *, min_corr: float, min_pnr: float
) -> NDArray[np.int64]:
    """Return the places where a cell is started: local maxima above both thresholds.

    Parameters
    ----------
    images : SeedImages
        Of a movie.
    gsig_px : tuple of float
        Half-size of a cell along rows and columns, in pixels of the images.
    min_corr, min_pnr : float
        Smallest correlation and smallest ratio of peak to noise.

    Returns
    -------
    array, (n_seeds, 2)
        Row and column of each seed, the best first.
    """
    score = images.corr * images.pnr
    size = [2 * max(1, round(gsig)) + 1 for gsig in gsig_px]
    good = (images.corr >= min_corr) & (images.pnr >= min_pnr)
    places = np.argwhere(good & (score > 0) & (score == maximum_filter(score, size)))
    order = np.argsort(-score[places[:, 0], places[:, 1]], kind="stable")
    return np.asarray(places[order])


def _gaussian(half: int, sigma: float) -> NDArray[np.float64]:
    """Return a truncated Gaussian of sum 1, ``(2 half + 1,)``."""
    profile = np.exp(-((np.arange(-half, half + 1) / sigma) ** 2) / 2)
    return np.asarray(profile / profile.sum(), np.float64)


def _correlation(sums: NDArray[np.float64], n_frames: int) -> NDArray[np.float32]:
    """Return the mean correlation of each pixel with the eight around it, noise cut away."""
    (total, square), products = sums[:2], sums[2:]
    power = square - total**2 / n_frames
    varies = power > MIN_RELATIVE_POWER * square
    scale = np.divide(1, np.sqrt(np.maximum(power, 0)), out=np.zeros_like(power), where=varies)
    n_rows, n_cols = total.shape
    corr = np.zeros((n_rows, n_cols))
    for (rows, cols), product in zip(NEIGHBOURS, products, strict=True):
        here = slice(0, n_rows - rows), slice(max(0, -cols), n_cols - max(0, cols))
        there = slice(rows, n_rows), slice(max(0, cols), n_cols + min(0, cols))
        alike = product[here] - total[here] * total[there] / n_frames
        alike *= scale[here] * scale[there]
        corr[here] += alike
        corr[there] += alike
    return np.asarray(corr / _n_neighbours(n_rows, n_cols), np.float32)


def _n_neighbours(n_rows: int, n_cols: int) -> NDArray[np.int64]:
    """Return how many of the eight pixels around each lie in the image."""
    rows, cols = (
        np.minimum(np.arange(n), 1) + np.minimum(np.arange(n)[::-1], 1) + 1
        for n in (n_rows, n_cols)
    )
    return np.asarray(np.maximum(np.multiply.outer(rows, cols) - 1, 1))


@njit(nogil=True, cache=True)
def _sum_up(
    filtered: NDArray[np.float32], least: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the peak of each pixel, and sums over frames of what is not below a limit.

    The sums are: value, square, product with each neighbour, ``(6, n_rows, n_cols)``.
    """
    n_frames, n_rows, n_cols = filtered.shape
    peak = np.full((n_rows, n_cols), -np.inf, np.float32)
    sums = np.zeros((2 + len(NEIGHBOURS), n_rows, n_cols))
    for frame in range(n_frames):
        image = filtered[frame]
        for row in range(n_rows):
            for col in range(n_cols):
                value = np.float64(image[row, col])
                peak[row, col] = max(peak[row, col], image[row, col])
                if image[row, col] < least[row, col]:
                    continue
                sums[0, row, col] += value
                sums[1, row, col] += value * value
                for number, (down, right) in enumerate(NEIGHBOURS):
                    other = row + down, col + right
                    inside = other[0] < n_rows and 0 <= other[1] < n_cols
                    if inside and image[other] >= least[other]:
                        sums[2 + number, row, col] += value * image[other]
    return peak, sums
