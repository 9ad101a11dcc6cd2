"""Overlapping patches of a frame, and the smooth field that joins their shifts."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class PatchGrid:
    """Where patches lie, and how much each of them counts at a pixel.

    Examples
    --------
    >>> grid = plan_patches((100, 64), stride_px=(40, 64), patch_px=(50, 64))
    >>> [first.tolist() for first in grid.firsts]
    [[0, 40, 50], [0]]
    """

    firsts: tuple[NDArray[np.int64], NDArray[np.int64]]
    """First rows and first columns of the patches."""

    patch_px: tuple[int, int]
    """Height and width of a patch."""

    spreads: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Weights of the patches along rows and along columns, ``(length, n_patches)``."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of patches along rows and columns."""
        return self.firsts[0].size, self.firsts[1].size

    def cut(
        self,
        images: NDArray[np.float32],
        *,
        offset_px: tuple[int, int] = (0, 0),
        max_offset_px: int = 0,
    ) -> NDArray[np.float32]:
        """Cut patches that lie further down and right by an offset.

        Parameters
        ----------
        images : array, (n_planes, n_rows, n_cols)
            A frame; what lies outside of it repeats its edge.
        offset_px : tuple of int
            How much further, in whole pixels.
        max_offset_px : int
            No offset is larger.

        Returns
        -------
        array, (n_patches, n_planes, n_patch_rows, n_patch_cols)
        """
        around = [(0, 0), (max_offset_px, max_offset_px), (max_offset_px, max_offset_px)]
        windows = sliding_window_view(np.pad(images, around, mode="edge"), self.patch_px, (1, 2))
        rows, cols = (
            first + max_offset_px + offset
            for first, offset in zip(self.firsts, offset_px, strict=True)
        )
        patches = windows[:, rows[:, np.newaxis], cols].swapaxes(0, 2).swapaxes(0, 1)
        return patches.reshape(-1, len(images), *self.patch_px)

    def field_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Join the shifts of the patches to one of every pixel, ``(2, n_rows, n_cols)``.

        Linear between the centres of patches, constant beyond the outermost.
        """
        rows, cols = self.spreads
        return np.asarray(rows @ np.moveaxis(shifts_px, -1, 0) @ cols.T)


def plan_patches(
    frame_shape: tuple[int, int], *, stride_px: tuple[int, int], patch_px: tuple[int, int]
) -> PatchGrid:
    """Cover a frame with patches; the last ones end at its last row and column.

    Parameters
    ----------
    frame_shape : tuple of int
        ``(n_rows, n_cols)``, not smaller than a patch.
    stride_px, patch_px : tuple of int
        Distance between patches, and their size.
    """
    rows, cols = (
        _firsts(length, stride, size)
        for length, stride, size in zip(frame_shape, stride_px, patch_px, strict=True)
    )
    return PatchGrid(
        firsts=(rows, cols),
        patch_px=patch_px,
        spreads=(
            _spread(rows + (patch_px[0] - 1) / 2, frame_shape[0]),
            _spread(cols + (patch_px[1] - 1) / 2, frame_shape[1]),
        ),
    )


def _firsts(length: int, stride: int, size: int) -> NDArray[np.int64]:
    """Return where patches begin along an axis."""
    return np.append(np.arange(0, length - size, stride), length - size)


def _spread(centers: NDArray[np.floating], length: int) -> NDArray[np.float32]:
    """Return the matrix that interpolates from the centres to every pixel of an axis."""
    weights = [np.interp(np.arange(length), centers, unit) for unit in np.eye(centers.size)]
    return np.stack(weights, axis=1).astype(np.float32)
