"""A part of every frame of a movie, as a movie."""

import math
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

    @property
    def chunk_frames(self) -> int:
        """Frames that are stored together."""
        return int(getattr(self.source, "chunk_frames", 1))

    def __getitem__(self, frames: Any) -> NDArray[Any]:
        return read_frames(self._read, frames, self.source.shape[0])

    def read_part(self, frames: slice, part: Part) -> NDArray[Any]:
        """Read a part of the part, a forward slice for each of its axes, without the rest."""
        n_dropped = 1 if self.drops_planes else 0
        inner = [
            slice(axis.start + within.start, axis.start + within.stop)
            for axis, within in zip(self.part[n_dropped:], part, strict=True)
        ]
        block = _read_part(self.source, frames, (*self.part[:n_dropped], *inner))
        return block.reshape(len(block), *part_shape(part))

    def _read(self, frames: slice) -> NDArray[Any]:
        block = _read_part(self.source, frames, self.part)
        return block.reshape(len(block), *self.shape[1:])


def _read_part(source: Any, frames: slice, part: Part) -> NDArray[Any]:
    """Read a part of some frames."""
    if hasattr(source, "read_part"):
        return np.asarray(source.read_part(frames, part))
    if isinstance(source, np.ndarray):
        return source[(frames, *part)]
    # whole frames, one at a time: many would not fit the memory
    numbers = range(*frames.indices(source.shape[0]))
    return np.stack([np.asarray(source[number])[part] for number in numbers])


def window_of(movie: Movie, part: Part, *, drops_planes: bool = False) -> Movie:
    """Return a part of every frame as a movie of the same name and rate."""
    window = Window(source=movie.source, part=part, drops_planes=drops_planes)
    size_um = movie.pixel_size_um
    return replace(
        movie, source=window, pixel_size_um=size_um[1:] if drops_planes and size_um else size_um
    )


def slabs_of(movie: Movie, *, pixel_bytes: int, memory_bytes: int) -> list[tuple[slice, Movie]]:
    """Cut the first axis of the frames, planes or rows, so that the work on a part fits.

    Parameters
    ----------
    movie : Movie
        Of which frames that are stored together are read together.
    pixel_bytes : int
        Memory that the work on a pixel takes, of one frame at a time.
    memory_bytes : int
        Memory for this work, and for what is stored with a frame.

    Returns
    -------
    list of tuple
        Pixels, a range of those of the frame in C order, and the movie of them: as few as possible
        and as equal as possible; mostly a single one, the movie itself.
    """
    length, *widths = movie.frame_shape
    line_px = math.prod(widths)
    line_bytes = line_px * max(pixel_bytes, movie.dtype.itemsize * movie.chunk_frames)
    count = min(length, max(1, -(-length * line_bytes // max(1, memory_bytes))))
    if count == 1:
        return [(slice(0, length * line_px), movie)]
    edges = [length * place // count for place in range(count + 1)]
    whole = [slice(0, width) for width in widths]
    return [
        (slice(line_px * first, line_px * last), window_of(movie, (slice(first, last), *whole)))
        for first, last in zip(edges[:-1], edges[1:], strict=True)
    ]


def part_shape(part: Part) -> tuple[int, ...]:
    """Return the length of a part along each axis."""
    return tuple(along.stop - along.start for along in part)


def pixels_of(part: Part, frame_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the pixels of a part in a frame, both in C order, ``(n_pixels,)``."""
    along = [np.arange(axis.start, axis.stop) for axis in part]
    return np.asarray(np.ravel_multi_index(np.ix_(*along), frame_shape), np.int64).ravel()
