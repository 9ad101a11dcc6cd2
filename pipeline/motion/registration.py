"""How far a frame lies from a template: as a whole, and patch by patch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.motion.correlation import Correlator, prepare_templates
from pipeline.motion.params import MotionParams
from pipeline.motion.patches import PatchGrid, plan_patches

FINEST_PX = 0.7
"""Structure finer than this is the noise of the template, which each of its frames contains."""

COARSEST_PX = 4.0
"""Structure broader than this hardly says where an image lies."""


class FrameShift(NamedTuple):
    """How far the content of one frame lies from the template."""

    rigid_px: NDArray[np.float32]
    """Of the whole frame, ``(2,)``, rows first."""

    patches_px: NDArray[np.float32] | None
    """Of each patch, the rigid shift included, ``(n_patch_rows, n_patch_cols, 2)``."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A template, ready to have frames registered to it.

    References
    ----------
    Pnevmatikakis and Giovannucci, J. Neurosci. Methods 291, 83 (2017),
    doi:10.1016/j.jneumeth.2017.07.031.
    """

    template: NDArray[np.float32]
    """``(n_planes, n_rows, n_cols)``."""

    params: MotionParams
    """The settings."""

    whole: Correlator
    """Compares the whole frame."""

    patches: Correlator | None
    """Compares patches; None in rigid mode."""

    grid: PatchGrid | None
    """Where the patches lie; None in rigid mode."""

    @property
    def core(self) -> tuple[slice, slice, slice]:
        """The part of the frame ``(n_planes, n_rows, n_cols)`` that no shift empties."""
        rows, cols = (slice(margin, -margin) for margin in self.params.max_shift_px)
        return slice(None), rows, cols

    def locate(self, frame: NDArray[np.float32]) -> FrameShift:
        """Find how far a frame ``(n_planes, n_rows, n_cols)`` lies from the template.

        A pixel that is NaN counts as the mean of its plane; a frame without contrast, or all NaN,
        has not moved.
        """
        image = _contrast(_filled(frame), self.params.highpass_gsig_px)
        rigid = self.whole.shifts_px(image[np.newaxis], np.zeros(2))[0]
        if self.patches is None or self.grid is None:
            return FrameShift(rigid.astype(np.float32), None)
        nearest = np.rint(rigid)
        offset_px = int(nearest[0]), int(nearest[1])
        cut = self.grid.cut(image, offset_px=offset_px, max_offset_px=max(self.params.max_shift_px))
        shifts = nearest + self.patches.shifts_px(cut, rigid - nearest)
        return FrameShift(
            rigid.astype(np.float32), shifts.reshape(*self.grid.shape, 2).astype(np.float32)
        )

    def displacement_px(self, shift: FrameShift) -> NDArray[np.float32]:
        """Return the displacement of a frame, ``(2,)`` or of every pixel."""
        if self.grid is None or shift.patches_px is None:
            return shift.rigid_px
        return self.grid.field_px(shift.patches_px)


def prepare_registration(template: NDArray[np.float32], params: MotionParams) -> Registration:
    """Prepare a template ``(n_planes, n_rows, n_cols)``, in the mode of the settings."""
    image = _contrast(_filled(template), params.highpass_gsig_px)
    sharp = image if params.highpass_gsig_px else _band(image, FINEST_PX, COARSEST_PX)
    max_rows, max_cols = params.max_shift_px
    whole = prepare_templates(
        sharp[np.newaxis],
        image[np.newaxis],
        max_lag_px=(max_rows, max_cols),
        margin_px=(max_rows, max_cols),
        upsampling=params.upsampling,
    )
    if params.mode == "rigid":
        return Registration(template=template, params=params, whole=whole, patches=None, grid=None)
    grid = plan_patches(
        (template.shape[1], template.shape[2]),
        stride_px=params.stride_px,
        patch_px=params.patch_px,
    )
    deviation = params.max_deviation_px
    patches = prepare_templates(
        grid.cut(sharp),
        grid.cut(image),
        max_lag_px=(deviation, deviation),
        margin_px=(int(np.ceil(deviation + 0.5)),) * 2,
        upsampling=params.upsampling,
    )
    return Registration(template=template, params=params, whole=whole, patches=patches, grid=grid)


def as_planes(frame: NDArray[Any]) -> NDArray[np.float32]:
    """Return a frame as float32 with an axis of planes, which it may already have."""
    return np.asarray(frame, np.float32).reshape(-1, *frame.shape[-2:])


def _filled(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a frame of mean zero, with its mean where it is NaN or infinite."""
    known = np.isfinite(frame)
    if not known.any():
        return np.zeros_like(frame)
    mean = frame.mean(where=known, dtype=np.float64)
    return np.where(known, frame - np.float32(mean), np.float32(0))


def _contrast(images: NDArray[np.float32], gsig_px: float | None) -> NDArray[np.float32]:
    """Keep structure of the size of a cell; keep everything where no size is given."""
    return _band(images, gsig_px, 2 * gsig_px) if gsig_px else images


def _band(images: NDArray[np.float32], finest_px: float, coarsest_px: float) -> NDArray[np.float32]:
    """Keep structure between two sizes."""
    return _blurred(images, finest_px) - _blurred(images, coarsest_px)


def _blurred(images: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Blur each plane."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma_px) for image in images])
