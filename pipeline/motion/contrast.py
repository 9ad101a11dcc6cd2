"""What of a frame is compared: small images, free of what does not say where it lies."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.motion.params import MotionParams

FINEST_PX = 0.7
"""Structure finer than this is the noise of the template, which each of its frames contains."""

COARSEST_PX = 4.0
"""Structure broader than this hardly says where an image lies."""

MIN_HALVED_PX = 32
"""Least width of what is compared of a patch (or frame) that can do with half the pixels."""

MIN_HALVED_GSIG_PX = 2.0
"""Cells smaller than this need every pixel."""

ROUNDING = 1e-6
"""Contrast, relative to the level of an image, that is nothing but rounding."""


def comparison_scale(params: MotionParams, frame_shape: tuple[int, ...]) -> int:
    """Return how many times smaller an image can be when it is compared: 2, or 1 if it is small.

    A microscope blurs more than two pixels as a rule, so half the resolution loses little, and
    the shift is found between pixels anyway.
    """
    core = [
        float(length - 2 * shift)
        for length, shift in zip(frame_shape[-2:], params.max_shift_px[-2:], strict=True)
    ]
    if params.mode == "piecewise":
        core += [length - 2 * params.max_deviation_px for length in params.patch_px[-2:]]
    is_fine = 0 < (params.highpass_gsig_px or 0) < MIN_HALVED_GSIG_PX
    return 1 if is_fine or min(core) < MIN_HALVED_PX else 2


def comparable(
    frames: NDArray[np.float32], params: MotionParams, *, scale: int
) -> NDArray[np.float32]:
    """Return frames as they are compared, ``(n_frames, n_planes, n_small_rows, n_small_cols)``.

    A pixel that is NaN counts as the mean of its frame; a frame without any has no contrast.
    """
    small = np.stack([[shrunken(plane, scale) for plane in frame] for frame in filled(frames)])
    level = small.mean(axis=(1, 2, 3), keepdims=True)
    small -= level
    small *= np.ptp(small, axis=(1, 2, 3), keepdims=True) > ROUNDING * np.abs(level)
    gsig_px = params.highpass_gsig_px
    return band(small, gsig_px / scale, 2 * gsig_px / scale) if gsig_px else small


def as_planes(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Return frames as float32 with an axis of planes, which they may already have."""
    return np.asarray(frames, np.float32).reshape(len(frames), -1, *frames.shape[-2:])


def filled(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return frames with the mean of a frame where it is NaN or infinite."""
    # a sum says at a glance whether there is anything to fill
    if np.isfinite(frames.sum()):
        return frames
    known = np.isfinite(frames)
    counts = known.sum(axis=(1, 2, 3), keepdims=True)
    totals = frames.sum(axis=(1, 2, 3), keepdims=True, where=known, dtype=np.float64)
    return np.where(known, frames, (totals / np.maximum(counts, 1)).astype(np.float32))


def shrunken(image: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Return an image of half the size, if the scale is 2."""
    return np.asarray(cv2.pyrDown(image)) if scale > 1 else image


def band(images: NDArray[np.float32], finest_px: float, coarsest_px: float) -> NDArray[np.float32]:
    """Keep structure between two sizes, in images of any number."""
    planes = images.reshape(-1, *images.shape[-2:])
    kept = [_blurred(plane, finest_px) - _blurred(plane, coarsest_px) for plane in planes]
    return np.stack(kept).reshape(images.shape)


def _blurred(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Blur an image."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px))
