"""The frame cut into blocks: how pixels are averaged into blocks, and blocks spread over pixels.

Neither is kept for every pixel: a volume has many, and what is wanted of them follows from the
block that each lies in.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

PIXELS_AT_ONCE = 1 << 17
"""Pixels of which it is looked up at once where they lie."""

Pixels = NDArray[np.integer] | slice
"""Indices of pixels in C order, or a range of them."""

ALL = slice(None)


class Images(Protocol):
    """Weights of each pixel, ``(n_pixels, n_blocks)``, looked up where they are asked for."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_pixels, n_blocks)``."""
        ...

    def at(self, pixels: Pixels = ALL) -> sparse.csc_array | sparse.csr_array:
        """Return the weights of some pixels, ``(n_some, n_blocks)``."""
        ...


class Axis(NamedTuple):
    """How the places along an axis lie in blocks."""

    block: NDArray[np.int32]
    """The block in which each place lies, ``(length,)``."""

    near: NDArray[np.int32]
    """The blocks between which a place is interpolated, ``(length, 1 or 2)``."""

    weight: NDArray[np.float32]
    """How much of each, ``(length, 1 or 2)``, of sum 1."""

    n_blocks: int
    """Number of blocks."""


class Average(NamedTuple):
    """How pixels are averaged into blocks, ``(n_pixels, n_blocks)``, each column of sum 1."""

    axes: tuple[Axis, ...]
    """Where the pixels lie."""

    usable: NDArray[np.bool_]
    """Pixels that count in a block that is taken whole, ``(n_pixels,)``."""

    free: NDArray[np.bool_]
    """Pixels that count in the others, ``(n_pixels,)``."""

    by_usable: sparse.csr_array
    """Weight of a pixel by the block in which it lies, ``(n_all_blocks, n_blocks)``."""

    by_free: sparse.csr_array
    """The same for the free pixels."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_pixels, n_blocks)``."""
        return self.usable.size, int(self.by_free.shape[1])

    def at(self, pixels: Pixels = ALL) -> sparse.csc_array:
        """Return the weights of some pixels, ``(n_some, n_blocks)``."""
        if not isinstance(pixels, slice):
            return sparse.csc_array(self._at(pixels))
        start, stop, _ = pixels.indices(self.usable.size)
        starts = range(start, max(stop, start + 1), PIXELS_AT_ONCE)
        parts = [self._at(slice(first, min(first + PIXELS_AT_ONCE, stop))) for first in starts]
        return sparse.csc_array(sparse.vstack(parts, format="csr"))

    def _at(self, pixels: Pixels) -> sparse.csr_array:
        """Return the weights of few pixels."""
        block = block_of(self.axes, pixels)
        free = sparse.diags_array(self.free[pixels].astype(np.float32))
        usable = sparse.diags_array(self.usable[pixels].astype(np.float32))
        weights = sparse.csr_array(free @ self.by_free[block] + usable @ self.by_usable[block])
        weights.eliminate_zeros()
        return weights


class Spread(NamedTuple):
    """How blocks are interpolated at pixels, ``(n_pixels, n_blocks)``, each row of sum 1."""

    axes: tuple[Axis, ...]
    """Where the pixels lie."""

    choice: NDArray[np.int32]
    """The block with a usable pixel that stands for each block, ``(n_all_blocks,)``."""

    n_blocks: int
    """Blocks with a usable pixel."""

    usable: NDArray[np.bool_]
    """The other pixels have an empty row, ``(n_pixels,)``."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_pixels, n_blocks)``."""
        return self.usable.size, self.n_blocks

    def at(self, pixels: Pixels = ALL) -> sparse.csr_array:
        """Return the weights of some pixels, ``(n_some, n_blocks)``."""
        places = _places(self.axes, pixels)
        near = np.zeros((places[0].size, 1), np.int32)
        weight = self.usable[pixels].astype(np.float32)[:, np.newaxis]
        for axis, place in zip(self.axes, places, strict=True):
            near = (
                near[:, :, np.newaxis] * axis.n_blocks + axis.near[place][:, np.newaxis]
            ).reshape(place.size, -1)
            weight = (weight[:, :, np.newaxis] * axis.weight[place][:, np.newaxis]).reshape(
                place.size, -1
            )
        n_near = near.shape[1] if self.n_blocks else 0
        indices = self.choice[near].ravel() if self.n_blocks else near[:0].ravel()
        indptr = np.arange(places[0].size + 1) * n_near
        data = weight.ravel()[: indices.size]
        rows = sparse.csr_array((data, indices, indptr), shape=(places[0].size, self.n_blocks))
        rows.sum_duplicates()
        rows.eliminate_zeros()
        return rows


class BackgroundImages(NamedTuple):
    """Images of a background: one that is constant in time, and those of the blocks."""

    constant: NDArray[np.float32]
    """``(n_pixels,)``, 0 where a pixel was left out."""

    spread: Spread
    """From blocks to pixels."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_pixels, n_courses)``: the constant one and the blocks."""
        return self.constant.size, 1 + self.spread.n_blocks

    def at(self, pixels: Pixels = ALL) -> sparse.csc_array:
        """Return the images at some pixels, ``(n_some, n_courses)``; all of them are many."""
        constant = sparse.csc_array(self.constant[pixels][:, np.newaxis])
        return sparse.csc_array(sparse.hstack([constant, self.spread.at(pixels)]))


def axis_of(length: int, count: int) -> Axis:
    """Cut an axis into blocks.

    Parameters
    ----------
    length : int
        Places along it.
    count : int
        Number of blocks.
    """
    place = np.arange(length)
    block = place * count // length
    middles = np.bincount(block, place) / np.bincount(block)
    if count == 1:
        nothing = np.zeros((length, 1), np.int32)
        return Axis(block.astype(np.int32), nothing, np.ones((length, 1), np.float32), 1)
    # beyond the first and the last middle the line goes on, so that a slope is no cell
    left = np.clip(np.searchsorted(middles, place) - 1, 0, count - 2)
    right_weight = (place - middles[left]) / np.diff(middles)[left]
    weight = np.stack([1 - right_weight, right_weight], axis=1).astype(np.float32)
    near = np.stack([left, left + 1], axis=1).astype(np.int32)
    return Axis(block.astype(np.int32), near, weight, count)


def block_of(axes: tuple[Axis, ...], pixels: Pixels = ALL) -> NDArray[np.int32]:
    """Return the number of the block in which each of some pixels lies, ``(n_some,)``.

    Parameters
    ----------
    axes : tuple of Axis
        Of the frame.
    pixels : array or slice
        Which.
    """
    block = np.zeros(1, np.int32)
    for axis, place in zip(axes, _places(axes, pixels), strict=True):
        block = block * axis.n_blocks + axis.block[place]
    return block


def stand_ins(filled: NDArray[np.int64], counts: list[int]) -> NDArray[np.int32]:
    """Return which filled block stands for each block, ``(n_blocks,)``: the nearest.

    Parameters
    ----------
    filled : array
        Numbers of the blocks that have a usable pixel.
    counts : list of int
        Blocks along each axis.
    """
    choice = np.zeros(int(np.prod(counts)), np.int32)
    empty = np.setdiff1d(np.arange(choice.size), filled)
    choice[filled] = np.arange(filled.size)
    there = np.stack(np.unravel_index(filled, counts), axis=1)
    for block in empty if filled.size else ():
        away = there - np.array(np.unravel_index(block, counts))
        choice[block] = np.square(away).sum(axis=1).argmin()
    return choice


def _places(axes: tuple[Axis, ...], pixels: Pixels) -> list[NDArray[np.int32]]:
    """Return where pixels lie along each axis, each ``(n_some,)``."""
    lengths = [axis.block.size for axis in axes]
    if isinstance(pixels, slice):
        pixels = np.arange(*pixels.indices(int(np.prod(lengths))), dtype=np.int32)
    places = []
    for length in lengths[:0:-1]:
        pixels, place = np.divmod(pixels, np.int32(length))
        places.append(place)
    return [pixels, *places[::-1]]
