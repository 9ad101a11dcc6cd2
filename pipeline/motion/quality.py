"""Whether motion correction did any good."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CRISPNESS_BLUR_PX = 1.0
CHANGE = 0.01
"""Relative change of crispness below which nothing has changed."""


@dataclass(frozen=True, kw_only=True)
class MotionQuality:
    """How like the template the frames are, and how sharp their mean is, before and after.

    Both are measured in the core of the frame, where each frame has content whatever its shift.
    """

    correlation_before: NDArray[np.float32]
    """Correlation of each frame with the template, as recorded, ``(n_frames,)``; NaN if flat."""

    correlation_after: NDArray[np.float32]
    """The same of the corrected frame."""

    crispness_before: float
    """Norm of the gradient of the mean image, as recorded."""

    crispness_after: float
    """The same of the corrected movie."""

    largest_shift_px: float
    """Largest shift of a frame or patch along an axis, in pixels."""

    border_px: int
    """Width of the edge in which some frame has no content of its own."""

    @property
    def mean_correlation_before(self) -> float:
        """Mean over the frames that have a correlation, 0 if none has."""
        return _mean(self.correlation_before)

    @property
    def mean_correlation_after(self) -> float:
        """Mean over the frames that have a correlation, 0 if none has."""
        return _mean(self.correlation_after)

    @property
    def verdict(self) -> str:
        """'improved', 'unchanged' or 'worse', judged by the crispness."""
        gain = self.crispness_after - self.crispness_before
        if abs(gain) <= CHANGE * self.crispness_before:
            return "unchanged"
        return "improved" if gain > 0 else "worse"


@dataclass(kw_only=True)
class RunningMean:
    """Mean of frames that come one after the other; its bits do not depend on the blocks."""

    total: NDArray[np.float64]
    """Sum of what is known of each pixel, ``(n_planes, n_rows, n_cols)``."""

    n_known: NDArray[np.int64]
    """Number of frames in which a pixel is known."""

    def add(self, images: NDArray[Any]) -> None:
        """Add a frame; NaN is not known."""
        known = np.isfinite(images)
        self.total += np.where(known, images, 0)
        self.n_known += known

    def mean(self) -> NDArray[np.float64]:
        """Return the mean, NaN where nothing is known."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.total / self.n_known)


def mean_of_nothing(shape: tuple[int, ...]) -> RunningMean:
    """Return the mean of no frames yet."""
    return RunningMean(total=np.zeros(shape), n_known=np.zeros(shape, np.int64))


def correlation(images: NDArray[Any], template: NDArray[Any]) -> float:
    """Return the correlation of two images where both are known; NaN if one of them is flat."""
    known = np.isfinite(images)
    if not known.all():
        images, template = images[known], template[known]
    if images.size == 0 or np.ptp(images) == 0 or np.ptp(template) == 0:
        return float("nan")
    first = (images - images.mean(dtype=np.float64)).ravel()
    second = (template - template.mean(dtype=np.float64)).ravel()
    return float(np.vdot(first, second) / np.sqrt(np.vdot(first, first) * np.vdot(second, second)))


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


def _mean(values: NDArray[np.float32]) -> float:
    """Average what is not NaN."""
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if known.size else 0.0
