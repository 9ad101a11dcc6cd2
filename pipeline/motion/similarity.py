"""How like each other images are, and how sharp one is."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Row = NDArray[np.float32]
Margin = tuple[int, int, int]
Sums = tuple[NDArray[np.float64], NDArray[np.float64]]

CRISPNESS_BLUR_PX = 1.0
FLAT = 1e-12
"""Variance, relative to the square of the values, that is nothing but rounding."""

ZERO, ONE = np.float32(0), np.float32(1)

# sums may be regrouped, in the same way for every frame: equal bits on any thread
_compiled = njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})


@dataclass(kw_only=True)
class RunningMean:
    """Mean of frames that come one after the other."""

    total: NDArray[np.float64]
    """Weighted sum of what is known of each pixel, ``(n_planes, n_rows, n_cols)``."""

    weight: NDArray[np.float64]
    """Weight of the frames in which a pixel is known."""

    margin_px: Margin
    """Planes, rows and columns at the edges that are left out."""

    def add(self, images: NDArray[np.float32], weight: float = 1.0) -> None:
        """Add a frame ``(n_planes, n_rows, n_cols)``; NaN is not known."""
        sums = self.total, self.weight
        inner = _without(images, self.margin_px[0])
        _add_known(inner, *self.margin_px[1:], np.float64(weight), sums)

    def merge(self, other: "RunningMean") -> None:
        """Add the frames of another."""
        self.total += other.total
        self.weight += other.weight

    def mean(self) -> NDArray[np.float64]:
        """Return the mean, NaN where nothing is known."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.total / self.weight)


def mean_of_nothing(frame_shape: tuple[int, ...], *, margin_px: Margin = (0, 0, 0)) -> RunningMean:
    """Return the mean of no frames yet.

    Parameters
    ----------
    frame_shape : tuple of int
        ``(n_planes, n_rows, n_cols)``.
    margin_px : tuple of int
        Planes, rows and columns at the edges to leave out.
    """
    shape = [length - 2 * margin for length, margin in zip(frame_shape, margin_px, strict=True)]
    return RunningMean(total=np.zeros(shape), weight=np.zeros(shape), margin_px=margin_px)


def correlation(
    images: NDArray[np.float32],
    template: NDArray[np.float32],
    *,
    margin_px: Margin = (0, 0, 0),
) -> float:
    """Return the correlation of two images where both are known; NaN if one of them is flat.

    Parameters
    ----------
    images : array, (n_planes, n_rows, n_cols)
        A frame; NaN is not known.
    template : array, (n_planes, n_rows, n_cols)
        What it is compared with; all known.
    margin_px : tuple of int
        Planes, rows and columns at the edges that do not count.
    """
    inner, reference = (_without(each, margin_px[0]) for each in (images, template))
    product, first, second, squares = _moments(inner, reference, *margin_px[1:])
    if min(first, second) <= FLAT * squares:
        return float("nan")
    return float(product / np.sqrt(first * second))


def crispness(mean_image: NDArray[np.float64]) -> float:
    """Return the norm of the gradient of an image ``(n_planes, n_rows, n_cols)``.

    A slight blur comes first, so that the noise of a short movie does not count as structure.
    NaN counts as no gradient.
    """
    squares = 0.0
    for plane in mean_image:
        smooth = cv2.GaussianBlur(plane, (0, 0), CRISPNESS_BLUR_PX)
        squares += sum(float(np.nansum(slope**2)) for slope in np.gradient(smooth))
    return float(np.sqrt(squares))


def _without(images: NDArray[np.float32], n_planes: int) -> NDArray[np.float32]:
    """Leave out planes at both ends."""
    return np.ascontiguousarray(images[n_planes : len(images) - n_planes])


@_compiled
def _moments(
    images: Planes, template: Planes, n_rows: int, n_cols: int
) -> tuple[float, float, float, float]:
    """Return covariance, both variances, and the squared means, each summed over what is known.

    ``n_rows`` and ``n_cols`` on either side do not count.
    """
    last_row, last_col = images.shape[1] - n_rows, images.shape[2] - n_cols
    count = first = second = np.float64(0)
    for plane in range(len(images)):
        for row in range(n_rows, last_row):
            here = images[plane, row, n_cols:last_col]
            n, x, y = _row_sums(here, template[plane, row, n_cols:last_col])
            count, first, second = count + n, first + x, second + y
    if count == 0:
        return 0.0, 0.0, 0.0, 0.0
    mean, template_mean = np.float32(first / count), np.float32(second / count)
    product = variance = template_variance = np.float64(0)
    for plane in range(len(images)):
        for row in range(n_rows, last_row):
            here, there = images[plane, row, n_cols:last_col], template[plane, row, n_cols:last_col]
            xy, xx, yy = _row_products(here, there, mean, template_mean)
            product, variance, template_variance = (
                product + xy,
                variance + xx,
                template_variance + yy,
            )
    squares = count * float(max(mean * mean, template_mean * template_mean))
    return product, variance, template_variance, squares


@_compiled
def _row_sums(here: Row, there: Row) -> tuple[np.float32, np.float32, np.float32]:
    """Count what is known in a row, and sum both images there."""
    count, first, second = ZERO, ZERO, ZERO
    for i in range(len(here)):
        known = np.isfinite(here[i])
        count += ONE if known else ZERO
        first += here[i] if known else ZERO
        second += there[i] if known else ZERO
    return count, first, second


@_compiled
def _row_products(
    here: Row, there: Row, mean: np.float32, template_mean: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Sum the products of deviations along a row."""
    product, first, second = ZERO, ZERO, ZERO
    for i in range(len(here)):
        known = np.isfinite(here[i])
        x = here[i] - mean if known else ZERO
        y = there[i] - template_mean if known else ZERO
        product += x * y
        first += x * x
        second += y * y
    return product, first, second


@_compiled
def _add_known(images: Planes, n_rows: int, n_cols: int, weight: float, sums: Sums) -> None:
    """Add what is known of a frame to sums that leave out its edges."""
    total, weights = sums
    _, n_inner_rows, n_inner_cols = total.shape
    for plane in range(len(images)):
        for row in range(n_inner_rows):
            here = images[plane, n_rows + row, n_cols : n_cols + n_inner_cols]
            row_total, row_weights = total[plane, row], weights[plane, row]
            for i in range(n_inner_cols):
                known = np.isfinite(here[i])
                row_total[i] += weight * here[i] if known else 0.0
                row_weights[i] += weight if known else 0.0
