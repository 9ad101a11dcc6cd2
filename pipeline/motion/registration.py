"""How far frames lie from a template: as a whole, and patch by patch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.contrast import (
    COARSEST_PX,
    FINEST_PX,
    band,
    comparable,
    comparison_scale,
)
from pipeline.motion.correlation import Correlator, prepare_templates
from pipeline.motion.params import MotionParams
from pipeline.motion.patches import PatchGrid, plan_patches


class Shifts(NamedTuple):
    """How far the content of frames lies from the template."""

    rigid_px: NDArray[np.float32]
    """Of the whole frame, ``(n_frames, 2)``, rows first: the mean over its pixels."""

    patches_px: NDArray[np.float32]
    """Of each patch, the rigid shift included, ``(n_frames, n_patch_rows, n_patch_cols, 2)``; in
    rigid mode the frame is one patch."""

    flat: NDArray[np.bool_]
    """Frames without contrast, ``(n_frames,)``."""


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

    scale: int
    """How many times smaller images are when they are compared."""

    whole: Correlator
    """Compares the whole frame."""

    patches: Correlator | None
    """Compares patches; None in rigid mode."""

    grid: PatchGrid
    """Where the patches lie."""

    @property
    def core(self) -> tuple[slice, slice, slice]:
        """The part of the frame ``(n_planes, n_rows, n_cols)`` that no rigid shift empties."""
        rows, cols = (slice(margin, -margin) for margin in self.params.max_shift_px)
        return slice(None), rows, cols

    def locate(self, frames: NDArray[np.float32]) -> Shifts:
        """Find how far frames ``(n_frames, n_planes, n_rows, n_cols)`` lie from the template.

        A pixel that is NaN counts as the mean of its frame; a frame without contrast, or all NaN,
        has not moved.
        """
        images = comparable(frames, self.params, scale=self.scale)
        rigid = self.whole.shifts_px(images[:, np.newaxis], np.zeros((len(images), 2)))[:, 0]
        patches = rigid[:, np.newaxis] if self.patches is None else self._deviate(images, rigid)
        shifts = (self.scale * patches).reshape(-1, *self.grid.shape, 2).astype(np.float32)
        flat = np.ptp(images, axis=(1, 2, 3)) == 0
        return Shifts(self.grid.mean_px(shifts), shifts, flat)

    def _deviate(
        self, images: NDArray[np.float32], rigid_px: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find the shifts of the patches around the rigid shift."""
        assert self.patches is not None
        nearest = np.rint(rigid_px)
        reach = -(-max(self.params.max_shift_px) // self.scale)
        cuts = self.grid.cut(images, offsets_px=nearest.astype(int), max_offset_px=reach)
        return nearest[:, np.newaxis] + self.patches.shifts_px(cuts, rigid_px - nearest)


def prepare_registration(template: NDArray[np.float32], params: MotionParams) -> Registration:
    """Prepare a template ``(n_planes, n_rows, n_cols)``, in the mode of the settings."""
    frame_shape = template.shape[1], template.shape[2]
    scale = comparison_scale(params, frame_shape)
    image = comparable(template[np.newaxis], params, scale=scale)[0]
    gsig_px = params.highpass_gsig_px
    # a glow leaves a trace in the images; the template, filtered twice, does not answer to it
    sizes_px = (gsig_px, 2 * gsig_px) if gsig_px else (FINEST_PX, COARSEST_PX)
    sharp = band(image, sizes_px[0] / scale, sizes_px[1] / scale)
    max_rows, max_cols = (shift / scale for shift in params.max_shift_px)
    whole = prepare_templates(
        sharp[np.newaxis],
        image[np.newaxis],
        max_lag_px=(max_rows, max_cols),
        margin_px=(int(np.ceil(max_rows)), int(np.ceil(max_cols))),
        upsampling=params.upsampling,
    )
    is_rigid = params.mode == "rigid"
    grid = plan_patches(
        frame_shape,
        stride_px=frame_shape if is_rigid else params.stride_px,
        patch_px=frame_shape if is_rigid else params.patch_px,
        scale=scale,
    )
    return Registration(
        template=template,
        params=params,
        scale=scale,
        whole=whole,
        patches=None if is_rigid else _patch_templates(sharp, image, grid, params, scale),
        grid=grid,
    )


def _patch_templates(
    sharp: NDArray[np.float32],
    image: NDArray[np.float32],
    grid: PatchGrid,
    params: MotionParams,
    scale: int,
) -> Correlator:
    """Prepare the patches of a template."""
    deviation = params.max_deviation_px / scale
    return prepare_templates(
        grid.cut(sharp[np.newaxis])[0],
        grid.cut(image[np.newaxis])[0],
        max_lag_px=(deviation, deviation),
        margin_px=(int(np.ceil(deviation + 0.5)),) * 2,
        upsampling=params.upsampling,
    )
