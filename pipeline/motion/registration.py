"""How far frames lie from a template: as a whole, and patch by patch."""

from dataclasses import dataclass
from math import ceil
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
from pipeline.motion.patches import Lengths, PatchGrid, plan_patches


class Shifts(NamedTuple):
    """How far the content of frames lies from the template, along planes, rows and columns."""

    rigid_px: NDArray[np.float32]
    """The mean over the pixels of a frame, ``(n_frames, 1, 3)``; where every plane moves by
    itself, over those of a plane, ``(n_frames, n_planes, 3)``."""

    patches_px: NDArray[np.float32]
    """Of each patch, the rigid shift included, ``(n_frames, n_patch_planes, n_patch_rows,
    n_patch_cols, 3)``; in rigid mode a frame (or plane) is one patch."""

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

    scales: Lengths
    """How many times smaller images are when they are compared, along each axis."""

    whole: Correlator
    """Compares the whole frame, or each plane of it."""

    patches: Correlator | None
    """Compares patches; None in rigid mode."""

    grid: PatchGrid
    """Where the patches lie."""

    @property
    def margin_px(self) -> Lengths:
        """Edges of the frame that some rigid shift may empty."""
        return self.params.reach_px

    def locate(self, frames: NDArray[np.float32]) -> Shifts:
        """Find how far frames ``(n_frames, n_planes, n_rows, n_cols)`` lie from the template.

        A pixel that is NaN counts as the mean of its frame; a frame without contrast, or all NaN,
        has not moved.
        """
        images = comparable(frames, self.params, scale=self.scales[-1])
        wholes = _wholes(images, self.params)
        rigid = self.whole.shifts_px(wholes, np.zeros((*wholes.shape[:2], 3)))
        found = rigid if self.patches is None else self._deviate(images, rigid)
        shifts = (found * self.scales).reshape(-1, *self.grid.shape, 3).astype(np.float32)
        flat = np.ptp(images, axis=(1, 2, 3)) == 0
        return Shifts(self._mean_px(shifts), shifts, flat)

    def _deviate(
        self, images: NDArray[np.float32], rigid_px: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find the shifts of the patches around the rigid shift."""
        assert self.patches is not None
        nearest = np.rint(rigid_px)
        planes, rows, cols = (
            -(-reach // scale)
            for reach, scale in zip(self.params.reach_px, self.scales, strict=True)
        )
        cuts = self.grid.cut(
            images, offsets_px=nearest.astype(int), max_offset_px=(planes, rows, cols)
        )
        n_each = cuts.shape[1] // rigid_px.shape[1]
        around = np.repeat(nearest, n_each, axis=1)
        return around + self.patches.shifts_px(cuts, np.repeat(rigid_px, n_each, axis=1) - around)

    def _mean_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the shifts over a frame, or over each plane that moves by itself."""
        means = self.grid.mean_px(shifts_px)
        if self.params.planes == "each":
            return means
        weights = self.grid.spreads[0].mean(axis=0)
        return np.asarray((weights[:, np.newaxis] * means).sum(axis=1, keepdims=True))


def prepare_registration(template: NDArray[np.float32], params: MotionParams) -> Registration:
    """Prepare a template ``(n_planes, n_rows, n_cols)``, in the mode of the settings."""
    scale = comparison_scale(params, template.shape[1:])
    image = comparable(template[np.newaxis], params, scale=scale)
    gsig_px = params.highpass_gsig_px
    # a glow leaves a trace in the images; the template, filtered twice, does not answer to it
    sizes_px = (gsig_px, 2 * gsig_px) if gsig_px else (FINEST_PX, COARSEST_PX)
    sharp = band(image, sizes_px[0] / scale, sizes_px[1] / scale)
    planes, *sides = params.reach_px
    reach = planes, sides[0] / scale, sides[1] / scale
    whole = prepare_templates(
        _wholes(sharp, params)[0],
        _wholes(image, params)[0],
        max_lag_px=reach,
        margin_px=(planes, ceil(reach[1]), ceil(reach[2])),
        upsampling=params.upsampling,
    )
    grid = _plan_grid(template.shape, params, scale)
    is_rigid = params.mode == "rigid"
    return Registration(
        template=template,
        params=params,
        scales=(1, scale, scale),
        whole=whole,
        patches=None if is_rigid else _patch_templates(sharp, image, grid, params, scale),
        grid=grid,
    )


def _wholes(images: NDArray[np.float32], params: MotionParams) -> NDArray[np.float32]:
    """Return what moves rigidly as patches: all planes of a frame together, or each of them."""
    return images[:, :, np.newaxis] if params.planes == "each" else images[:, np.newaxis]


def _plan_grid(frame_shape: tuple[int, ...], params: MotionParams, scale: int) -> PatchGrid:
    """Cut a frame into patches; in rigid mode it is a single one."""
    n_planes, n_rows, n_cols = frame_shape
    thickness = 1 if params.planes == "each" else n_planes
    stride = patch = frame_shape[1:]
    if params.mode == "piecewise":
        stride, patch = params.stride_px, params.patch_px
    with_planes = len(stride) == len(frame_shape)
    return plan_patches(
        (n_planes, n_rows, n_cols),
        stride_px=stride if with_planes else (thickness, *stride),
        patch_px=patch if with_planes else (thickness, *patch),
        scale=scale,
    )


def _patch_templates(
    sharp: NDArray[np.float32],
    image: NDArray[np.float32],
    grid: PatchGrid,
    params: MotionParams,
    scale: int,
) -> Correlator:
    """Prepare the patches of a template."""
    planes, rows, cols = params.deviation_px
    deviation = planes, rows / scale, cols / scale
    # the rigid shift is taken off in whole pixels, which leaves half of one to look for
    row_margin, col_margin = (ceil(lag + 0.5) for lag in deviation[1:])
    return prepare_templates(
        grid.cut(sharp)[0],
        grid.cut(image)[0],
        max_lag_px=deviation,
        margin_px=(ceil(planes + 0.5) if planes else 0, row_margin, col_margin),
        upsampling=params.upsampling,
        patches=grid.shape,
    )
