"""A part of every frame of a movie, as a movie."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.movie import FrameSource, Movie
from pipeline.readers.lazy import read_frames

Part = tuple[slice, ...]
"""Planes, rows and columns, each ``[start, stop)``."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A `FrameSource` of a part of the frames of another one."""

    source: FrameSource
    """Whole frames, ``(n_frames, n_planes, n_rows, n_cols)``."""

    part: Part
    """What is seen of each."""

    drops_planes: bool = False
    """Whether the axis of planes is left out; the part then has one plane."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames[, n_planes], n_rows, n_cols)``."""
        return self.source.shape[0], *part_shape(self.part)[1 if self.drops_planes else 0 :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(self.source.dtype)

    def __getitem__(self, frames: Any) -> NDArray[Any]:
        return read_frames(self._read, frames, self.source.shape[0])

    def _read(self, frames: slice) -> NDArray[Any]:
        if hasattr(self.source, "read_part"):
            block = self.source.read_part(frames, self.part)
        elif isinstance(self.source, np.ndarray):
            block = self.source[(frames, *self.part)]
        else:  # whole frames, one at a time: many would not fit the memory
            numbers = range(*frames.indices(self.source.shape[0]))
            block = np.stack([np.asarray(self.source[number])[self.part] for number in numbers])
        return np.asarray(block).reshape(len(block), *self.shape[1:])


def window_of(movie: Movie, part: Part, *, drops_planes: bool = False) -> Movie:
    """Return a part of every frame as a movie of the same name and rate."""
    window = Window(source=movie.source, part=part, drops_planes=drops_planes)
    size_um = movie.pixel_size_um
    return replace(
        movie, source=window, pixel_size_um=size_um[1:] if drops_planes and size_um else size_um
    )


def part_shape(part: Part) -> tuple[int, ...]:
    """Return the length of a part along each axis."""
    return tuple(along.stop - along.start for along in part)


def pixels_of(part: Part, frame_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the pixels of a part in a frame, both in C order, ``(n_pixels,)``."""
    along = [np.arange(axis.start, axis.stop) for axis in part]
    return np.asarray(np.ravel_multi_index(np.ix_(*along), frame_shape), np.int64).ravel()
