"""How much each pixel of a movie looks like the centre of a cell."""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.blocks import map_items
from pipeline.extraction.field import Field

SURROUND_GSIGS = 2.0
"""Width of the surround that the filter subtracts, in half-sizes of a cell."""

CENTRE_GSIGS = 0.7
"""Width of the centre of the filter, in half-sizes of a cell."""

ENOUGH_BINS = 250
"""Bins from which a median is taken; more make it slower, not better."""

TILE_PX = 64
SPANS = 16
"""Parts in which a movie is worked on; more than there are threads, so that all have work."""

PLANE_NDIM = 2
_IN_PLANE = (0.0, 0.7, 0.7)
"""Blur that takes the noise of single pixels from a neighbour, along planes, rows and columns."""

MAD_TO_SD = 1.4826


class SeedImages(NamedTuple):
    """How much each pixel of the small movie looks like the centre of a cell."""

    corr: NDArray[np.float32]
    """Mean correlation with the pixels around it, ``([n_planes,] n_rows, n_cols)``."""

    pnr: NDArray[np.float32]
    """Ratio of the peak over time to the noise, of the same shape."""

    peak: NDArray[np.float32]
    """Peak over time, of the same shape."""

    filtered: NDArray[np.float32]
    """The movie, filtered for blobs of the size of a cell, ``(n_bins, …)``."""


def seed_images(rest: NDArray[np.float32], field: Field, *, threads: int = 1) -> SeedImages:
    """Filter a movie ``(n_bins, n_pixels)`` for blobs, and rate each pixel as a seed."""
    images = rest.reshape(-1, *field.frame_shape)
    filtered, smooth = np.empty_like(images), np.empty_like(images)

    def smoothen(bins: slice) -> None:
        for bin_ in range(bins.start, bins.stop):
            filtered[bin_] = _blobs(images[bin_], field.gsig_px)
            smooth[bin_] = _smoothed(images[bin_], _IN_PLANE[-images[bin_].ndim :])

    map_items(smoothen, spans(len(images)), threads=threads)
    flat = filtered.reshape(len(filtered), -1)

    def rate(pixels: slice) -> None:
        _centre(flat, pixels.start, pixels.stop, _step(len(flat)))

    map_items(rate, spans(flat.shape[1]), threads=threads)
    noise = noise_of(filtered, threads=threads)
    peak = filtered.max(axis=0)
    pnr = np.divide(peak, noise, out=np.zeros_like(peak), where=noise > 0)
    corr = _local_correlation(smooth, filtered, field.gsig_px, threads=threads)
    return SeedImages(corr, pnr, peak, filtered)


def noise_of(movie: NDArray[np.float32], *, threads: int = 1) -> NDArray[np.float32]:
    """Return the standard deviation of the noise of each pixel, from differences in time."""
    noise = np.zeros(movie.shape[1:], np.float32)
    if len(movie) < 2:  # noqa: PLR2004 - a difference needs two
        return noise
    flat, step = movie.reshape(len(movie), -1), _step(len(movie))
    out = noise.reshape(-1)
    map_items(
        lambda pixels: _median_steps(flat, pixels.start, pixels.stop, step, out),
        spans(out.size),
        threads=threads,
    )
    noise *= np.float32(MAD_TO_SD / np.sqrt(2))
    return noise


def spans(length: int) -> list[slice]:
    """Cut an axis into parts to be worked on at once."""
    edges = np.linspace(0, length, SPANS + 1).astype(int).tolist()
    return [slice(*pair) for pair in zip(edges[:-1], edges[1:], strict=True) if pair[0] < pair[1]]


def _blobs(image: NDArray[np.float32], gsig_px: tuple[float, ...]) -> NDArray[np.float32]:
    """Return an image smoothed to the size of a cell, minus its surround."""
    centre, surround = (
        _smoothed(image, tuple(gsigs * gsig for gsig in gsig_px))
        for gsigs in (CENTRE_GSIGS, SURROUND_GSIGS)
    )
    return np.asarray(centre - surround, np.float32)


def _smoothed(image: NDArray[np.float32], sd_px: tuple[float, ...]) -> NDArray[np.float32]:
    """Return an image or a volume blurred along each axis; beyond its ends planes repeat."""
    if image.ndim > PLANE_NDIM:
        planes = np.stack([_smoothed(plane, sd_px[1:]) for plane in image])
        if not sd_px[0]:
            return planes
        return np.asarray(gaussian_filter1d(planes, sd_px[0], axis=0, mode="nearest"))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sd_px[1], sigmaY=sd_px[0]))


def _step(n_bins: int) -> int:
    """Return every how many bins are enough for a median over time."""
    return -(-n_bins // ENOUGH_BINS)


def _local_correlation(
    smooth: NDArray[np.float32],
    filtered: NDArray[np.float32],
    gsig_px: tuple[float, ...],
    *,
    threads: int,
) -> NDArray[np.float32]:
    """Return how well each pixel, filtered, follows the pixels half a cell away, on average.

    Along the planes there is nothing half a cell away: a cell may be seen in one of them alone.
    """
    n_bins, shape = len(filtered), filtered.shape[1:]
    stacked = (n_bins, -1, *shape[-PLANE_NDIM:])
    rows, cols = (max(1, round(gsig)) for gsig in gsig_px[-PLANE_NDIM:])
    centre, around = filtered.reshape(stacked), smooth.reshape(stacked)
    total = np.zeros(centre.shape[1:])
    moments = np.zeros((2, 2, *total.shape))

    def sum_up(lines: slice) -> None:
        _moments(centre, lines.start, lines.stop, moments[0])
        _moments(around, lines.start, lines.stop, moments[1])

    lines = spans(total.shape[1])
    map_items(sum_up, lines, threads=threads)
    moments[:, 0] /= n_bins
    norm = np.sqrt(np.maximum(moments[:, 1] - n_bins * moments[:, 0] ** 2, 0))
    map_items(
        lambda part: _correlate(
            (centre, around), moments[:, 0], norm, (part.start, part.stop, rows, cols), total
        ),
        lines,
        threads=threads,
    )
    return np.asarray(total.reshape(shape), np.float32)


@njit(nogil=True, cache=True)
def _centre(movie: NDArray[np.float32], start: int, stop: int, step: int) -> None:
    """Subtract from some pixels their median over time, in place."""
    for first in range(start, stop, TILE_PX):
        last = min(first + TILE_PX, stop)
        tile = movie[::step, first:last].T.copy()
        median = np.empty(last - first, np.float32)
        for pixel in range(last - first):
            median[pixel] = np.median(tile[pixel])
        for bin_ in range(movie.shape[0]):
            movie[bin_, first:last] -= median


@njit(nogil=True, cache=True)
def _median_steps(
    movie: NDArray[np.float32], start: int, stop: int, step: int, out: NDArray[np.float32]
) -> None:
    """Find the median absolute difference of successive bins for some pixels."""
    for first in range(start, stop, TILE_PX):
        last = min(first + TILE_PX, stop)
        tile = np.abs(movie[1::step, first:last] - movie[:-1:step, first:last]).T.copy()
        for pixel in range(last - first):
            out[first + pixel] = np.median(tile[pixel])


@njit(nogil=True, cache=True)
def _moments(movie: NDArray[np.float32], start: int, stop: int, out: NDArray[np.float64]) -> None:
    """Add up the pixels of some rows, and their squares, over time."""
    for bin_ in range(movie.shape[0]):
        for plane in range(movie.shape[1]):
            for row in range(start, stop):
                for col in range(movie.shape[3]):
                    value = np.float64(movie[bin_, plane, row, col])
                    out[0, plane, row, col] += value
                    out[1, plane, row, col] += value * value


@njit(nogil=True, cache=True)
def _correlate(
    movies: tuple[NDArray[np.float32], NDArray[np.float32]],
    mean: NDArray[np.float64],
    norm: NDArray[np.float64],
    where: tuple[int, int, int, int],
    total: NDArray[np.float64],
) -> None:
    """Correlate some rows of a movie with another, rows and columns away, in four directions."""
    centre, around = movies
    start, stop, rows, cols = where
    n_bins, n_planes, n_rows, n_cols = centre.shape
    products = np.empty(n_cols)
    for plane in range(n_planes):
        for row in range(start, stop):
            for down, right in ((-rows, 0), (rows, 0), (0, -cols), (0, cols)):
                other = min(max(row + down, 0), n_rows - 1)
                products[:] = 0
                for bin_ in range(n_bins):
                    for col in range(n_cols):
                        there = min(max(col + right, 0), n_cols - 1)
                        products[col] += (
                            np.float64(centre[bin_, plane, row, col])
                            * around[bin_, plane, other, there]
                        )
                for col in range(n_cols):
                    there = min(max(col + right, 0), n_cols - 1)
                    power = norm[0, plane, row, col] * norm[1, plane, other, there]
                    if power > 0:
                        means = mean[0, plane, row, col] * mean[1, plane, other, there]
                        total[plane, row, col] += (products[col] - n_bins * means) / power / 4
