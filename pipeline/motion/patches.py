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
    """First rows and first columns of the patches, in the image that is compared."""

    patch_px: tuple[int, int]
    """Height and width of a patch, in the image that is compared."""

    spreads: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Weights of the patches along rows and along columns of the frame, ``(length, n_patches)``."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of patches along rows and columns."""
        return self.firsts[0].size, self.firsts[1].size

    def cut(
        self,
        images: NDArray[np.float32],
        *,
        offsets_px: NDArray[np.int64] | None = None,
        max_offset_px: int = 0,
    ) -> NDArray[np.float32]:
        """Cut patches that lie further down and right by an offset.

        Parameters
        ----------
        images : array, (n_frames, n_planes, n_rows, n_cols)
            What lies outside of a frame repeats its edge.
        offsets_px : array, (n_frames, 2), optional
            How much further, in whole pixels; 0 if not given.
        max_offset_px : int
            No offset is larger.

        Returns
        -------
        array, (n_frames, n_patches, n_planes, n_patch_rows, n_patch_cols)
        """
        offsets = np.zeros((len(images), 2), int) if offsets_px is None else offsets_px
        around = [(0, 0), (0, 0), (max_offset_px,) * 2, (max_offset_px,) * 2]
        windows = sliding_window_view(np.pad(images, around, mode="edge"), self.patch_px, (2, 3))
        rows, cols = (
            first + max_offset_px + offset[:, np.newaxis]
            for first, offset in zip(self.firsts, offsets.T, strict=True)
        )
        frames = np.arange(len(images))[:, np.newaxis, np.newaxis]
        patches = windows[frames, :, rows[:, :, np.newaxis], cols[:, np.newaxis]]
        return patches.reshape(len(images), -1, images.shape[1], *self.patch_px)

    def field_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Join the shifts of the patches to one of every pixel, ``(2, n_rows, n_cols)``.

        Linear between the centres of patches, constant beyond the outermost; ``(2, 1, 1)`` if
        there is one patch.
        """
        if self.shape == (1, 1):
            return np.asarray(shifts_px.T)
        rows, cols = self.spreads
        return np.asarray(rows @ np.moveaxis(shifts_px, -1, 0) @ cols.T)

    def mean_px(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the field of each frame over its pixels.

        Parameters
        ----------
        shifts_px : array, (n_frames, n_patch_rows, n_patch_cols, 2)
            Shifts of the patches.

        Returns
        -------
        array, (n_frames, 2)
        """
        rows, cols = (spread.mean(axis=0, dtype=np.float64) for spread in self.spreads)
        mean = np.einsum("r,c,frcx->fx", rows, cols, shifts_px)
        return np.asarray(mean, np.float32)


def plan_patches(
    frame_shape: tuple[int, int],
    *,
    stride_px: tuple[int, int],
    patch_px: tuple[int, int],
    scale: int = 1,
) -> PatchGrid:
    """Cover a frame with patches; the last ones end at its last row and column.

    Parameters
    ----------
    frame_shape : tuple of int
        ``(n_rows, n_cols)``, not smaller than a patch.
    stride_px, patch_px : tuple of int
        Distance between patches, and their size.
    scale : int
        How many times smaller the image is that is compared.
    """
    size = -(-patch_px[0] // scale), -(-patch_px[1] // scale)
    rows, cols = (
        _firsts(-(-length // scale), stride / scale, part)
        for length, stride, part in zip(frame_shape, stride_px, size, strict=True)
    )
    return PatchGrid(
        firsts=(rows, cols),
        patch_px=size,
        spreads=(
            _spread(scale * (rows + (size[0] - 1) / 2), frame_shape[0]),
            _spread(scale * (cols + (size[1] - 1) / 2), frame_shape[1]),
        ),
    )


def _firsts(length: int, stride: float, size: int) -> NDArray[np.int64]:
    """Return where patches begin along an axis."""
    return np.append(np.rint(np.arange(0, length - size, stride)).astype(int), length - size)


def _spread(centers: NDArray[np.floating], length: int) -> NDArray[np.float32]:
    """Return the matrix that interpolates from the centres to every pixel of an axis."""
    weights = [np.interp(np.arange(length), centers, unit) for unit in np.eye(centers.size)]
    return np.stack(weights, axis=1).astype(np.float32)
