"""Whether motion correction did any good, and in which frames it did not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

CHANGE = 0.01
"""Relative change of crispness, or change of correlation, below which nothing has changed."""

LIMIT_PX = 0.01
"""A shift this near to the largest allowed is at its limit."""

COURSE_FRAMES = 101
"""Frames over which the course of the shifts is followed."""

SUDDEN_PX = 3.0
"""Distance from the course at which a shift is sudden."""

LOW_SIGMAS, LOW_LOSS = 4.0, 0.02
"""Robust standard deviations below the others, and least loss, at which a correlation is low."""

UNLIKE_SIGMAS, UNLIKE_LOSS = 10.0, 0.05
"""The same for a frame that is unlike the others, wherever it lies."""

MAD_TO_SIGMA = 1.4826

REASONS = ("usable", "no contrast", "shift at its limit", "shift out of line", "unlike the others")
"""Why a frame is of no use, by the number in `MotionQuality.flags`."""

USABLE, NO_CONTRAST, AT_LIMIT, OUT_OF_LINE, UNLIKE = range(len(REASONS))


@dataclass(frozen=True, kw_only=True)
class MotionQuality:
    """How like the template the frames are, and how sharp their mean is, before and after.

    Both are measured in the core of the frame, where each frame has content whatever its shift.
    """

    correlation_before: NDArray[np.float32]
    """Correlation of each frame with the template, as recorded, ``(n_frames,)``; NaN if flat."""

    correlation_after: NDArray[np.float32]
    """The same of the corrected frame."""

    flags: NDArray[np.uint8]
    """Why a frame is of no use, a number of `REASONS`, 0 for one that is, ``(n_frames,)``."""

    crispness_before: float
    """Norm of the gradient of the mean image, as recorded."""

    crispness_after: float
    """The same of the corrected movie."""

    residual_px: float
    """Root mean square, over the axes, of the shift that may be left in a frame: what registering
    some corrected frames again finds, and how far the shifts of two halves of the pixels of a
    recorded frame lie from that of all of them; 0 if no frame is usable."""

    residual_patch_px: float
    """The same of the shifts of patches."""

    largest_shift_px: float
    """Largest shift of a usable frame or patch along an axis, in pixels."""

    border_px: int
    """Width of the edge of the corrected movie in which some usable frame has no content."""

    cropped_px: int
    """Width of the edge that was cut off, on each side."""

    border_planes: int = 0
    """Number of planes at each end in which some usable frame has no content."""

    cropped_planes: int = 0
    """Number of planes that were cut off at each end."""

    @property
    def mean_correlation_before(self) -> float:
        """Mean over the frames that have a correlation, 0 if none has."""
        return _mean(self.correlation_before)

    @property
    def mean_correlation_after(self) -> float:
        """Mean over the frames that have a correlation, 0 if none has."""
        return _mean(self.correlation_after)

    @property
    def n_unusable(self) -> int:
        """Number of frames of no use."""
        return int(np.count_nonzero(self.flags))

    @property
    def unusable(self) -> dict[str, list[int]]:
        """Frames of no use, by the reason."""
        return {
            reason: np.flatnonzero(self.flags == number).tolist()
            for number, reason in enumerate(REASONS)
            if number != USABLE and (self.flags == number).any()
        }

    @property
    def verdict(self) -> str:
        """'improved', 'unchanged' or 'worse': by the crispness, and else by the correlation."""
        gain = self.crispness_after - self.crispness_before
        if abs(gain) > CHANGE * self.crispness_before:
            return "improved" if gain > 0 else "worse"
        loss = _mean(self.correlation_before - self.correlation_after)
        return "worse" if loss > CHANGE else "unchanged"


def flag_shifts(
    shifts_px: NDArray[np.float32], flat: NDArray[np.bool_], max_shift_px: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Tell which frames are of no use for what is known of their shifts alone.

    Parameters
    ----------
    shifts_px : array, (n_frames, n_moving, n_axes)
        The rigid shifts of frames, or of each plane of them.
    flat : array, (n_frames,)
        Frames without contrast.
    max_shift_px : tuple of int
        Largest shift looked for: a frame that has it may lie beyond.

    Returns
    -------
    array, (n_frames,)
        Numbers of `REASONS`.
    """
    at_limit = (np.abs(shifts_px) >= np.asarray(max_shift_px) - LIMIT_PX).any(axis=(1, 2))
    return np.where(flat, NO_CONTRAST, np.where(at_limit, AT_LIMIT, USABLE)).astype(np.uint8)


def flag_outliers(
    shifts_px: NDArray[np.float32], correlations: NDArray[np.float32], flags: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Add the frames that are out of line with the others.

    A correlation far below the others is enough. A sudden shift is not, for animals do jump; but
    it is, together with a correlation that is low.

    Parameters
    ----------
    shifts_px : array, (n_frames, n_moving, n_axes)
        The rigid shifts of frames, or of each plane of them.
    correlations : array, (n_frames,)
        Of the corrected frames with the template; NaN if flat.
    flags : array, (n_frames,)
        From `flag_shifts`.

    Returns
    -------
    array, (n_frames,)
        Numbers of `REASONS`.
    """
    usable = (flags == USABLE) & np.isfinite(correlations)
    if not usable.any():
        return flags.copy()
    middle = np.median(correlations[usable])
    spread = MAD_TO_SIGMA * float(np.median(np.abs(correlations[usable] - middle)))
    loss = middle - np.where(usable, correlations, middle)
    unlike = loss > max(UNLIKE_LOSS, UNLIKE_SIGMAS * spread)
    course = median_filter(shifts_px, (COURSE_FRAMES, 1, 1), mode="nearest")
    sudden = (np.linalg.norm(shifts_px - course, axis=2) > SUDDEN_PX).any(axis=1)
    out_of_line = sudden & (loss > max(LOW_LOSS, LOW_SIGMAS * spread))
    return np.where(unlike, UNLIKE, np.where(out_of_line, OUT_OF_LINE, flags)).astype(np.uint8)


def _mean(values: NDArray[np.float32]) -> float:
    """Average what is not NaN."""
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if known.size else 0.0
