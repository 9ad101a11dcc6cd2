"""Arrays that stay on disk: no file is open, and nothing is in memory, between two reads."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.movie import FrameSource

DROPPED = "-"
"""Letter of an axis of length 1 that is left out."""

WHOLE: Mapping[str, slice] = MappingProxyType({})
"""The part of a frame that is all of it."""


def read_frames(read: Callable[[slice], NDArray[Any]], frames: Any, n_frames: int) -> NDArray[Any]:
    """Read frames by number or slice, as NumPy would, from what reads only forward slices."""
    if not isinstance(frames, slice):
        number = operator.index(frames)
        if not -n_frames <= number < n_frames:
            raise IndexError(f"frame {number} is outside the movie of {n_frames} frames.")
        number %= n_frames
        frame: NDArray[Any] = read(slice(number, number + 1, 1))[0]
        return frame
    wanted = range(*frames.indices(n_frames))
    if not wanted:
        return read(slice(0, 1, 1))[:0]
    forward = wanted if wanted.step > 0 else wanted[::-1]
    block = read(slice(forward[0], forward[-1] + 1, forward.step))
    return block if forward is wanted else block[::-1]


@dataclass(frozen=True)
class MappedArray:
    """Pixels stored one after the other in a file, mapped only while they are read."""

    path: Path
    """The file."""

    shape: tuple[int, ...]
    """Length of each axis."""

    dtype: np.dtype[Any]
    """Type of one pixel, with the byte order of the file."""

    offset: int
    """Bytes before the first pixel."""

    order: Literal["C", "F"] = "C"
    """Whether the last (C) or the first (F) axis runs fastest."""

    def __getitem__(self, index: Any) -> NDArray[Any]:
        pixels = np.memmap(
            self.path, self.dtype, "r", offset=self.offset, shape=self.shape, order=self.order
        )
        return np.array(pixels[index])


class OrderedFrames:
    """A stored array seen as ``(n_frames[, n_planes], n_rows, n_cols)`` in native byte order."""

    def __init__(self, array: Any, letters: str, *, channel: int = 0) -> None:
        """Name each axis of the array ``T``, ``Z``, ``Y``, ``X``, ``C``, or ``-`` to leave it out.

        Of the axis ``C`` one channel is read.
        """
        self._array = array
        self._letters = letters
        lengths = dict(zip(letters, array.shape, strict=True))
        kept = [letter for letter in "TZYX" if letter in letters]
        stored = [letter for letter in letters if letter in kept]
        self._order = [stored.index(letter) for letter in kept]
        self._dropped = tuple(i for i, letter in enumerate(letters) if letter not in kept)
        self._channel = slice(channel, channel + 1)
        lengths.setdefault("T", 1)
        self.shape: tuple[int, ...] = tuple(
            int(lengths[letter]) for letter in "TZYX" if letter in lengths
        )
        self.dtype: np.dtype[Any] = np.dtype(array.dtype).newbyteorder("=")
        chunks = dict(zip(letters, getattr(array, "chunks", None) or (), strict=False))
        self.chunk_frames = int(chunks.get("T", 1))

    def __getitem__(self, frames: Any) -> NDArray[Any]:
        return read_frames(self._read, frames, self.shape[0])

    def read_part(self, frames: slice, part: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part of each frame, a forward slice for each of its axes, without the rest."""
        axes = [letter for letter in "ZYX" if letter in self._letters]
        return self._read(frames, dict(zip(axes, part, strict=True)))

    def _read(self, frames: slice, part: Mapping[str, slice] = WHOLE) -> NDArray[Any]:
        chosen = {"T": frames, "C": self._channel, **part}
        index = tuple(chosen.get(letter, slice(None)) for letter in self._letters)
        block = np.asarray(self._array[index]).squeeze(self._dropped).transpose(self._order)
        if "T" not in self._letters:
            block = block[np.newaxis]
        return np.ascontiguousarray(block, self.dtype)


class JoinedFrames:
    """Several movies of one frame shape, one after the other."""

    def __init__(self, parts: Sequence[FrameSource]) -> None:
        """Join parts whose frames have been checked to agree."""
        self._parts = parts
        self._stops = np.cumsum([part.shape[0] for part in parts]).tolist()
        self.shape: tuple[int, ...] = (self._stops[-1], *parts[0].shape[1:])
        self.dtype: np.dtype[Any] = parts[0].dtype

    def __getitem__(self, frames: Any) -> NDArray[Any]:
        return read_frames(self._read, frames, self.shape[0])

    def _read(self, frames: slice) -> NDArray[Any]:
        wanted = range(frames.start, frames.stop, frames.step)
        block = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        done = 0
        for part, stop in zip(self._parts, self._stops, strict=True):
            ahead = len(range(wanted.start, min(stop, wanted.stop), wanted.step))
            if ahead > done:
                first = wanted[done] - (stop - part.shape[0])
                here = slice(first, first + (ahead - done - 1) * wanted.step + 1, wanted.step)
                block[done:ahead] = part[here]
                done = ahead
        return block


class SideBySide:
    """Arrays of one shape, as one array with an axis before theirs."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        """Put arrays side by side whose shapes have been checked to agree."""
        self._arrays = arrays
        self.shape: tuple[int, ...] = (len(arrays), *arrays[0].shape)
        self.dtype: np.dtype[Any] = arrays[0].dtype
        chunks = getattr(arrays[0], "chunks", None)
        self.chunks: tuple[int, ...] | None = (1, *chunks) if chunks else None

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        chosen = self._arrays[index[0]]
        return np.stack([np.asarray(array[index[1:]]) for array in chosen])
