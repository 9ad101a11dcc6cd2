"""A corrected movie, how its frames had moved, and what good it did."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.block import Corrected
from pipeline.motion.params import AXES, MotionParams
from pipeline.motion.patches import Lengths
from pipeline.motion.quality import MotionQuality, flag_outliers, flag_shifts
from pipeline.motion.registration import Shifts
from pipeline.motion.resample import NEGLIGIBLE_PX
from pipeline.motion.similarity import crispness
from pipeline.movie import Movie

USUAL = 0.99
"""Part of the volumes that must show a plane."""


@dataclass(frozen=True, kw_only=True)
class MotionResult:
    """A corrected movie, and how its frames had moved."""

    movie: Movie
    """The corrected movie, float32, read from the Zarr array where it is asked for."""

    shifts_px: NDArray[np.float32]
    """How far each frame lay from the template, ``(n_frames, n_axes)``: along rows and columns, or
    along planes, rows and columns; in piecewise mode the mean over its pixels. Where each plane
    moves by itself, ``(n_frames, n_planes, 2)``."""

    patch_shifts_px: NDArray[np.float32] | None
    """The same of each patch, rigid shift included, ``(n_frames, [n_patch_planes,] n_patch_rows,
    n_patch_cols, n_axes)``; None in rigid mode."""

    template: NDArray[np.float32]
    """What frames were registered to, ``([n_planes,] n_rows, n_cols)``, edges included."""

    quality: MotionQuality
    """Whether it did any good."""


def trimmed(shifts_px: NDArray[np.float32], params: MotionParams) -> NDArray[np.float32]:
    """Return shifts along the axes along which they were looked for."""
    return shifts_px[..., -params.n_axes :]


def rigid_px(shifts: Shifts, params: MotionParams) -> NDArray[np.float32]:
    """Return rigid shifts as the result gives them."""
    found = trimmed(shifts.rigid_px, params)
    return np.ascontiguousarray(found if params.planes == "each" else found[:, 0])


def patches_px(shifts: Shifts, params: MotionParams) -> NDArray[np.float32] | None:
    """Return shifts of patches as the result gives them."""
    if params.mode == "rigid":
        return None
    found = trimmed(shifts.patches_px, params)
    has_planes = params.planes == "each" or params.n_axes == len(AXES)
    return np.ascontiguousarray(found if has_planes else found[:, 0])


def border_px(shifts: Shifts, flags: NDArray[np.uint8]) -> Lengths:
    """Return how many planes, rows and columns at an edge the shift of a usable frame empties."""
    usable = np.abs(shifts.patches_px[flags == 0])
    planes, in_plane = (
        max(ceil(float(part.max(initial=0.0)) - NEGLIGIBLE_PX), 0)
        for part in (usable[..., 0], usable[..., 1:])
    )
    return planes, in_plane, in_plane


def missing_planes(shifts_px: NDArray[np.floating]) -> int:
    """Return how many planes at each end are missing in more than a hundredth of the volumes.

    The largest shift of all would cost planes that one volume alone does not show: a plane is a
    large part of a volume, as a row of pixels is not of an image.

    Parameters
    ----------
    shifts_px : array, (n_frames, ..., 2 or 3)
        Of the frames, as `MotionResult` has them.

    Returns
    -------
    int
        A plane is missing where a volume lies more than half of one away; 0 without shifts across
        planes.

    Examples
    --------
    >>> missing_planes(np.array([[0.2, 3, -1], [-0.9, 0, 0]]))
    1
    >>> missing_planes(np.array([[3.0, -1.0]]))
    0
    """
    if shifts_px.shape[-1] < len(AXES):
        return 0
    usual = np.nanquantile(np.abs(shifts_px[..., 0]), USUAL)
    return max(0, ceil(float(usual) - 0.5))


def judge(
    corrected: Corrected, params: MotionParams, *, cropped_px: Lengths, step: int
) -> MotionQuality:
    """Compare before and after.

    Parameters
    ----------
    corrected : Corrected
        What is known of all frames.
    params : MotionParams
        The settings.
    cropped_px : tuple of int
        Planes, rows and columns that were cut off on each side.
    step : int
        Every so many frames one was registered again.
    """
    shifts, correlations = corrected.shifts, corrected.correlations
    moved = trimmed(shifts.rigid_px, params)
    flags = flag_shifts(moved, shifts.flat, params.max_shift_px)
    flags = flag_outliers(moved, correlations[:, 1], flags)
    before, after = (crispness(mean.mean()) for mean in corrected.means)
    empty = border_px(shifts, flags)
    again = flags[::step] == 0
    return MotionQuality(
        correlation_before=correlations[:, 0],
        correlation_after=correlations[:, 1],
        flags=flags,
        crispness_before=before,
        crispness_after=after,
        residual_px=_rms(trimmed(corrected.residual.rigid_px[again], params)),
        residual_patch_px=_rms(trimmed(corrected.residual.patches_px[again], params)),
        largest_shift_px=float(np.abs(shifts.patches_px[flags == 0]).max(initial=0.0)),
        border_px=max(empty[-1] - cropped_px[-1], 0),
        cropped_px=cropped_px[-1],
        border_planes=max(empty[0] - cropped_px[0], 0),
        cropped_planes=cropped_px[0],
    )


def _rms(values: NDArray[np.float32]) -> float:
    """Return the root of the mean square, 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
