"""Overlapping patches of a frame, and the smooth field that joins their shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Lengths = tuple[int, int, int]

NEIGHBOUR_PART = np.float32(0.4)
"""How much each neighbour of a patch counts when its shift is looked for: tissue is one piece, and
a patch alone may show too little."""


@dataclass(frozen=True, kw_only=True)
class PatchGrid:
    """Where patches lie, and how much each of them counts at a pixel; planes, rows and columns.

    Examples
    --------
    >>> grid = plan_patches((1, 100, 64), stride_px=(1, 40, 64), patch_px=(1, 50, 64))
    >>> [first.tolist() for first in grid.firsts]
    [[0], [0, 40, 50], [0]]
    """

    firsts: tuple[NDArray[np.int64], ...]
    """First planes, rows and columns of the patches, in the image that is compared."""

    patch_px: Lengths
    """Size of a patch, in the image that is compared."""

    spreads: tuple[NDArray[np.float32], ...]
    """Weights of the patches along each axis of the frame, ``(length, n_patches)``."""

    @property
    def shape(self) -> Lengths:
        """Number of patches along planes, rows and columns."""
        n_planes, n_rows, n_cols = (first.size for first in self.firsts)
        return n_planes, n_rows, n_cols

    def cut(
        self,
        images: NDArray[np.float32],
        *,
        offsets_px: NDArray[np.int64] | None = None,
        max_offset_px: Lengths = (0, 0, 0),
    ) -> NDArray[np.float32]:
        """Cut patches that lie further down and right by an offset.

        Parameters
        ----------
        images : array, (n_frames, n_planes, n_rows, n_cols)
            What lies outside of a frame repeats its edge.
        offsets_px : array, (n_frames, 1 or n_patch_planes, 3), optional
            How much further, in whole pixels; 0 if not given.
        max_offset_px : tuple of int
            No offset is larger.

        Returns
        -------
        array, (n_frames, n_patches, n_patch_planes, n_patch_rows, n_patch_cols)
        """
        n_frames = len(images)
        offsets = np.zeros((n_frames, 1, 3), int) if offsets_px is None else offsets_px
        around = [(0, 0), *((reach, reach) for reach in max_offset_px)]
        windows = sliding_window_view(np.pad(images, around, mode="edge"), self.patch_px, (1, 2, 3))
        planes, rows, cols = (
            first + reach + offset[..., np.newaxis]
            for first, reach, offset in zip(
                self.firsts, max_offset_px, np.moveaxis(offsets, -1, 0), strict=True
            )
        )
        # an offset of its own for each plane belongs to the patches of that plane
        own = np.diagonal(planes, axis1=1, axis2=2) if offsets.shape[1] > 1 else planes[:, 0]
        patches = windows[
            np.arange(n_frames)[:, np.newaxis, np.newaxis, np.newaxis],
            own[:, :, np.newaxis, np.newaxis],
            rows[:, :, :, np.newaxis],
            cols[:, :, np.newaxis],
        ]
        return np.asarray(patches.reshape(n_frames, -1, *self.patch_px))

    def field_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Join the shifts of the patches to one of every pixel.

        Linear between the centres of patches, constant beyond the outermost.

        Parameters
        ----------
        shifts_px : array, (n_patch_planes, n_patch_rows, n_patch_cols, n_axes)
            Of one frame.

        Returns
        -------
        array, (n_axes, n_planes, n_rows, n_cols)
            One plane where all planes move alike, and one pixel where all pixels of a plane do.
        """
        planes, rows, cols = self.spreads
        field = np.asarray(np.moveaxis(shifts_px, -1, 0))
        if planes.shape[1] > 1:
            field = np.einsum("zp,apij->azij", planes, field)
        if self.shape[1:] != (1, 1):
            field = np.asarray(rows @ field @ cols.T, np.float32)
        return np.ascontiguousarray(field, np.float32)

    def mean_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the field of each frame over its pixels.

        Parameters
        ----------
        shifts_px : array, (n_frames, n_patch_planes, n_patch_rows, n_patch_cols, n_axes)
            Shifts of the patches.

        Returns
        -------
        array, (n_frames, n_patch_planes, n_axes)
            Of all pixels next to each patch along planes.
        """
        rows, cols = (spread.mean(axis=0, dtype=np.float64) for spread in self.spreads[1:])
        return np.asarray(np.einsum("r,c,fprcx->fpx", rows, cols, shifts_px), np.float32)


def plan_patches(
    frame_shape: Lengths, *, stride_px: Sequence[int], patch_px: Sequence[int], scale: int = 1
) -> PatchGrid:
    """Cover a frame with patches; the last ones end at its last plane, row and column.

    Parameters
    ----------
    frame_shape : tuple of int
        ``(n_planes, n_rows, n_cols)``, not smaller than a patch.
    stride_px, patch_px : sequence of int
        Distance between patches, and their size, along each axis.
    scale : int
        How many times smaller the rows and columns of the image are that is compared.
    """
    scales = 1, scale, scale
    n_planes, n_rows, n_cols = (-(-size // by) for size, by in zip(patch_px, scales, strict=True))
    size = n_planes, n_rows, n_cols
    firsts = tuple(
        _firsts(-(-length // by), stride / by, part)
        for length, stride, part, by in zip(frame_shape, stride_px, size, scales, strict=True)
    )
    return PatchGrid(
        firsts=firsts,
        patch_px=size,
        spreads=tuple(
            _spread(by * (first + (part - 1) / 2), length)
            for first, part, length, by in zip(firsts, size, frame_shape, scales, strict=True)
        ),
    )


def with_neighbours(
    values: NDArray[Any], shape: Lengths, *, axis: int, across_planes: bool
) -> NDArray[Any]:
    """Add to each patch a part of its neighbours.

    Parameters
    ----------
    values : array
        Of which one axis counts patches, in C order of planes, rows and columns.
    shape : tuple of int
        Number of patches along planes, rows and columns.
    axis : int
        The axis of patches.
    across_planes : bool
        Whether patches further up and down are neighbours, too.

    Examples
    --------
    >>> with_neighbours(np.array([0.0, 1, 0]), (1, 3, 1), axis=0, across_planes=False).round(1)
    array([0.4, 1. , 0.4])
    """
    patches = values.reshape(*values.shape[:axis], *shape, *values.shape[axis + 1 :])
    for along in range(axis + (0 if across_planes else 1), axis + len(shape)):
        alone = np.moveaxis(patches, along, 0)
        together = alone.copy()
        together[1:] += NEIGHBOUR_PART * alone[:-1]
        together[:-1] += NEIGHBOUR_PART * alone[1:]
        patches = np.moveaxis(together, 0, along)
    return np.ascontiguousarray(patches.reshape(values.shape))


def _firsts(length: int, stride: float, size: int) -> NDArray[np.int64]:
    """Return where patches begin along an axis."""
    return np.append(np.rint(np.arange(0, length - size, stride)).astype(int), length - size)


def _spread(centers: NDArray[np.floating], length: int) -> NDArray[np.float32]:
    """Return the matrix that interpolates from the centres to every pixel of an axis."""
    weights = [np.interp(np.arange(length), centers, unit) for unit in np.eye(centers.size)]
    return np.stack(weights, axis=1).astype(np.float32)
