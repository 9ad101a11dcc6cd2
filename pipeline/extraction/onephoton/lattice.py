"""The coarse lattice of blocks on which the background is modelled."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Axis(NamedTuple):
    """How blocks lie along an axis: a pixel lies between the centres of two blocks."""

    block: NDArray[np.int64]
    """Block of each pixel, ``(n,)``."""

    first: NDArray[np.int64]
    """The block before each pixel, ``(n,)``; the other is the next."""

    weight: NDArray[np.float32]
    """Weight of the next block, 0 to 1, ``(n,)``."""

    n_blocks: int
    """Number of blocks."""


class Lattice(NamedTuple):
    """Blocks of pixels of an image."""

    rows: Axis
    """Along rows."""

    cols: Axis
    """Along columns."""

    share: NDArray[np.float32]
    """Weight of each pixel in the mean of its block, 0 if it is left out, ``(n_pixels,)``."""

    usable: NDArray[np.bool_]
    """Blocks that have a usable pixel, ``(n_blocks,)``."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks along rows and columns."""
        return self.rows.n_blocks, self.cols.n_blocks

    @property
    def block_of_pixel(self) -> NDArray[np.int64]:
        """The block in which each pixel lies, ``(n_pixels,)``."""
        return (self.rows.block[:, np.newaxis] * self.cols.n_blocks + self.cols.block).ravel()

    def means(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the means of blocks of images ``(n_images, n_pixels)``, unusable ones 0."""
        out = np.zeros((len(images), self.usable.size), np.float32)
        _add_blocks(images, self.block_of_pixel, self.share, out)
        return out


def make_lattice(
    frame_shape: tuple[int, ...], usable: NDArray[np.bool_], block_px: tuple[int, int]
) -> Lattice:
    """Cut an image into blocks.

    Parameters
    ----------
    frame_shape : tuple of int
        ``(n_rows, n_cols)``.
    usable : array, (n_pixels,)
        Pixels that count.
    block_px : tuple of int
        Rows and columns of a block; the last may be smaller.

    Returns
    -------
    Lattice
        The blocks.
    """
    rows, cols = (_axis(n, block) for n, block in zip(frame_shape, block_px, strict=True))
    block = (rows.block[:, np.newaxis] * cols.n_blocks + cols.block).ravel()
    count = np.bincount(block[usable], minlength=rows.n_blocks * cols.n_blocks)
    share = np.where(usable, 1 / np.maximum(count, 1)[block], 0).astype(np.float32)
    return Lattice(rows, cols, share, count > 0)


def ring_offsets(radius: tuple[float, float]) -> NDArray[np.int64]:
    """Return the steps from a block to those of a ring of one block's width, ``(n_ring, 2)``.

    Parameters
    ----------
    radius : tuple of float
        Along rows and columns, in blocks.

    Returns
    -------
    array, (n_ring, 2)
        Rows first.
    """
    reach = [math.ceil(r) + 1 for r in radius]
    steps = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    mean_radius = (radius[0] + radius[1]) / 2
    distance = mean_radius * np.hypot(steps[:, 0] / radius[0], steps[:, 1] / radius[1])
    return np.asarray(steps[np.abs(distance - mean_radius) <= 0.5])  # noqa: PLR2004 - half a block


def ring_members(lattice: Lattice, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the blocks on the ring around each block, ``(n_blocks, n_ring)``; -1 where none is."""
    n_rows, n_cols = lattice.shape
    rows, cols = (axis.ravel()[:, np.newaxis] for axis in np.indices((n_rows, n_cols)))
    rows, cols = rows + offsets[:, 0], cols + offsets[:, 1]
    inside = (rows >= 0) & (rows < n_rows) & (cols >= 0) & (cols < n_cols)
    members = np.where(inside, rows * n_cols + cols, 0)
    return np.where(inside & lattice.usable[members], members, -1)


def _axis(length: int, block: int) -> Axis:
    """Return how blocks lie along an axis."""
    pixel = np.arange(length)
    n_blocks = -(-length // block)
    edges = np.minimum(np.arange(n_blocks + 1) * block, length)
    centre = (edges[:-1] + edges[1:] - 1) / 2
    first = np.clip(np.searchsorted(centre, pixel, side="right") - 1, 0, max(0, n_blocks - 2))
    following = np.minimum(first + 1, n_blocks - 1)
    gap = np.maximum(centre[following] - centre[first], 1)
    weight = np.clip((pixel - centre[first]) / gap, 0, 1)
    return Axis(pixel // block, first, weight.astype(np.float32), n_blocks)


@njit(nogil=True, cache=True)
def _add_blocks(
    images: NDArray[np.float32],
    block: NDArray[np.int64],
    share: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Add the pixels of each image to its blocks."""
    for image in range(images.shape[0]):
        for pixel in range(images.shape[1]):
            out[image, block[pixel]] += share[pixel] * images[image, pixel]


@njit(nogil=True, cache=True)
def subtract_interpolated(
    images: NDArray[np.float32],
    level: NDArray[np.float32],
    gain: NDArray[np.float32],
    coarse: NDArray[np.float32],
    rows: tuple[NDArray[np.int64], NDArray[np.float32]],
    cols: tuple[NDArray[np.int64], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return images minus level minus gain times what is interpolated between blocks.

    Parameters
    ----------
    images : array, (n_images, n_pixels)
        Images.
    level, gain : array, (n_pixels,)
        Of each pixel.
    coarse : array, (n_images, n_block_rows, n_block_cols)
        Value of each block.
    rows, cols : tuple of array
        The block before each pixel along an axis, and the weight of the next.

    Returns
    -------
    array, (n_images, n_pixels)
        What is left.
    """
    n_rows, n_cols = rows[0].size, cols[0].size
    last_row, last_col = coarse.shape[1] - 1, coarse.shape[2] - 1
    out = np.empty(images.shape, np.float32)
    line = np.empty(coarse.shape[2], np.float32)
    for image in range(images.shape[0]):
        for row in range(n_rows):
            one, weight = rows[0][row], rows[1][row]
            other = min(one + 1, last_row)
            for col in range(line.size):
                start = coarse[image, one, col]
                line[col] = start + weight * (coarse[image, other, col] - start)
            for col in range(n_cols):
                at = cols[0][col]
                value = line[at] + cols[1][col] * (line[min(at + 1, last_col)] - line[at])
                pixel = row * n_cols + col
                out[image, pixel] = images[image, pixel] - level[pixel] - gain[pixel] * value
    return out
