"""Correlation and peak-to-noise images: how much each pixel looks like the centre of a cell.

References
----------
Zhou et al. (2018), doi:10.7554/eLife.28728.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

MAD_TO_SD = 1.4826
KERNEL_GSIGS = 2.0
"""Half of the side of the filter, in half-sizes of a cell."""

MAX_SAMPLES = 400
"""Frames from which a median is taken; more make it slower, not better."""

MIN_SIGMAS = 3.0
"""Smaller values of the filtered movie count as 0 in correlations."""


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


def seed_images(
    movie: NDArray[np.float32], gsig_px: tuple[float, ...]
) -> tuple[SeedImages, NDArray[np.float32]]:
    """Rate each pixel of a movie as a seed.

    Parameters
    ----------
    movie : array, (n_frames, n_rows, n_cols)
        Finite.
    gsig_px : tuple of float
        Half-size of a cell along rows and columns.

    Returns
    -------
    images : SeedImages
        0 where a pixel is constant.
    filtered : array, (n_frames, n_rows, n_cols)
        The filtered movie less the median of each pixel.
    """
    filtered = np.empty(movie.shape, np.float32)
    for image, target in zip(movie, filtered, strict=True):
        high_pass(image, gsig_px, out=target)
    flat = filtered.reshape(len(movie), -1)
    flat -= _medians(flat)
    noise = noise_of(flat).reshape(movie.shape[1:])
    peak = filtered.max(axis=0)
    pnr = np.divide(peak, noise, out=np.zeros_like(peak), where=noise > 0)
    return SeedImages(_correlation(filtered, noise), pnr), filtered


def noise_of(movie: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation of the noise of each pixel, from differences in time.

    Parameters
    ----------
    movie : array, (n_frames, n_pixels)
        Finite.

    Returns
    -------
    array, (n_pixels,)
        From the median absolute difference; 0 for a single frame.
    """
    if len(movie) < 2:  # noqa: PLR2004 - a difference needs two
        return np.zeros(movie.shape[1], np.float32)
    return _median_steps(movie) * np.float32(MAD_TO_SD / np.sqrt(2))


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


def _correlation(filtered: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean correlation of each pixel with the eight around it, noise cut away."""
    n_frames, n_rows, n_cols = filtered.shape
    total = np.zeros((n_rows, n_cols))
    cut = np.where(filtered >= MIN_SIGMAS * noise, filtered, np.float32(0))
    cut -= cut.mean(axis=0)
    norm = np.sqrt(np.einsum("trc,trc->rc", cut, cut))
    cut *= np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    for rows, cols in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, n_rows - rows), slice(max(0, -cols), n_cols - max(0, cols))
        there = slice(rows, n_rows), slice(max(0, cols), n_cols + min(0, cols))
        product = np.einsum("trc,trc->rc", cut[:, *here], cut[:, *there])
        total[here] += product
        total[there] += product
    return np.asarray(total / _n_neighbours(n_rows, n_cols), np.float32)


def _n_neighbours(n_rows: int, n_cols: int) -> NDArray[np.int64]:
    """Return how many of the eight pixels around each lie in the image."""
    rows, cols = (
        np.minimum(np.arange(n), 1) + np.minimum(np.arange(n)[::-1], 1) + 1
        for n in (n_rows, n_cols)
    )
    return np.asarray(np.maximum(np.multiply.outer(rows, cols) - 1, 1))


@njit(nogil=True, cache=True)
def _medians(movie: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each pixel over time, from at most `MAX_SAMPLES` frames."""
    step = (movie.shape[0] + MAX_SAMPLES - 1) // MAX_SAMPLES
    out = np.empty(movie.shape[1], np.float32)
    for pixel in range(movie.shape[1]):
        out[pixel] = np.median(movie[::step, pixel].copy())
    return out


@njit(nogil=True, cache=True)
def _median_steps(movie: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median absolute difference of successive frames of each pixel."""
    step = (movie.shape[0] - 1 + MAX_SAMPLES - 1) // MAX_SAMPLES
    out = np.empty(movie.shape[1], np.float32)
    for pixel in range(movie.shape[1]):
        out[pixel] = np.median(np.abs(movie[1::step, pixel] - movie[:-1:step, pixel]))
    return out
