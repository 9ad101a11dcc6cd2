"""Arrays that grow with the movie: large ones lie in a temporary file and not in the memory.

Traces of many cells over a long recording may be larger than the memory. They are written and read
a few rows at a time; in between, what was touched is put aside.
"""

import math
import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST_BYTES = 2_000_000
"""Smaller arrays stay in the memory."""

ROWS_BYTES = 8_000_000
"""Of the rows of an array that are worked on at once."""

PAGE_FRAMES = 1024
"""Frames of a trace that a page of the memory holds."""


def scratch_array(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a float32 array of zeros, which lies in a temporary file if it is large.

    The file has no name, so that it vanishes with the last view of the array, even if the process
    is killed.

    Parameters
    ----------
    shape : tuple of int
        Of the array.

    Returns
    -------
    array
        May be written to.

    Raises
    ------
    OSError
        If the temporary folder has too little room.
    """
    n_bytes = 4 * math.prod(shape)
    if n_bytes < SMALLEST_BYTES:
        return np.zeros(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), n_bytes)
        mapped = mmap.mmap(file.fileno(), n_bytes)
    return np.frombuffer(mapped, np.float32).reshape(shape)


class GatheredRows:
    """Traces that come one part after the other, and that the memory need not hold together."""

    def __init__(self, n_frames: int) -> None:
        self._shape = 0, n_frames
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 closed by `joined`, or with this
        weakref.finalize(self, self._file.close)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Add traces, ``(n_rows, n_frames)``, after those that came before."""
        _check_room(rows.nbytes)
        for some in some_rows(rows):
            self._file.write(np.ascontiguousarray(rows[some], np.float32).data)
        self._shape = self._shape[0] + len(rows), self._shape[1]

    def joined(self) -> NDArray[np.float32]:
        """Return all of them, ``(n_all_rows, n_frames)``; nothing can be added any more."""
        with self._file as file:
            file.flush()
            if 0 in self._shape:
                return np.zeros(self._shape, np.float32)
            mapped = mmap.mmap(file.fileno(), 4 * math.prod(self._shape))
        return np.frombuffer(mapped, np.float32).reshape(self._shape)


@dataclass(frozen=True)
class ScratchFrames:
    """A scratch array as what a movie reads from; what was read does not stay in the memory."""

    frames: NDArray[np.float32]
    """``(n_frames, …)``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all frames."""
        return self.frames.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(self.frames.dtype)

    def __getitem__(self, frames: Any) -> NDArray[np.float32]:
        part = np.array(self.frames[frames])
        put_aside(self.frames)
        return part


def put_aside(*arrays: NDArray[Any]) -> None:
    """Give back the memory that scratch arrays take; what they hold stays in their files.

    Parameters
    ----------
    *arrays : array
        Or views of them; an array that lies in the memory stays there.
    """
    for array in arrays:
        owner: Any = array
        while isinstance(owner, np.ndarray):
            owner = owner.base
        mapped = owner.obj if isinstance(owner, memoryview) else owner
        if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


def some_rows(*arrays: NDArray[Any]) -> Iterator[slice]:
    """Yield the rows of arrays a few at a time, and put the arrays aside after each.

    Parameters
    ----------
    *arrays : array, (n_rows, n_frames)
        All with as many rows.

    Yields
    ------
    slice
        Of rows.
    """
    n_rows, n_frames = arrays[0].shape
    for part in portions(range(n_rows), n_frames=n_frames):
        yield slice(part[0], part[-1] + 1)
        put_aside(*arrays)


def portions(rows: Sequence[int], *, n_frames: int) -> Iterator[Sequence[int]]:
    """Yield so many rows at a time as may be worked on at once.

    Parameters
    ----------
    rows : sequence of int
        Rows of an array.
    n_frames : int
        Length of a row.

    Yields
    ------
    sequence of int
        At least one.

    Examples
    --------
    >>> [list(part) for part in portions(range(3), n_frames=1_000_000)]
    [[0, 1], [2]]
    """
    length = max(1, ROWS_BYTES // (4 * max(1, n_frames)))
    for start in range(0, len(rows), length):
        yield rows[start : start + length]


def some_frames(*arrays: NDArray[Any]) -> Iterator[slice]:
    """Yield the frames of arrays a few at a time, and put the arrays aside after each.

    Parameters
    ----------
    *arrays : array, (n_rows, n_frames)
        All with as many frames.

    Yields
    ------
    slice
        Of frames.
    """
    n_rows, n_frames = sum(map(len, arrays)), arrays[0].shape[1]
    pages = ROWS_BYTES // (4 * max(1, n_rows) * PAGE_FRAMES)
    length = PAGE_FRAMES * max(1, pages)
    for start in range(0, n_frames, length):
        yield slice(start, min(start + length, n_frames))
        put_aside(*arrays)


def by_rows(
    function: Callable[..., NDArray[Any]], *arrays: NDArray[Any], n_columns: int | None = None
) -> NDArray[np.float32]:
    """Return what a function makes of arrays, of which it is given a few rows at a time.

    Each row that it returns comes from the same row of the arrays, the first of which is
    ``(n_rows, n_frames)``; the result has ``n_columns``, if not as many as that.
    """
    width = arrays[0].shape[1] if n_columns is None else n_columns
    out = scratch_array((arrays[0].shape[0], width))
    for rows in some_rows(*arrays):
        out[rows] = function(*(array[rows] for array in arrays))
        put_aside(out)
    return out


def by_frames(parts: Iterable[NDArray[np.floating]], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an array that is filled from the first frame to the last.

    Parameters
    ----------
    parts : iterable of array, (n_rows, n_some)
        Of the frames, in order.
    shape : tuple of int
        ``(n_rows, n_frames)``.

    Returns
    -------
    array, (n_rows, n_frames)
        From `scratch_array`.
    """
    out = scratch_array(shape)
    add_frames(out, parts)
    return out


def add_frames(
    out: NDArray[np.float32],
    parts: Iterable[NDArray[np.floating]],
    rows: NDArray[np.integer] | None = None,
) -> None:
    """Add to an array what comes from the first frame to the last.

    Parameters
    ----------
    out : array, (n_rows, n_frames)
        From `scratch_array`; changed in place.
    parts : iterable of array, (n_some_rows, n_some_frames)
        Of the frames, in order.
    rows : array, (n_some_rows,), optional
        To which rows they are added, in increasing order; None: to all.
    """
    chosen = np.arange(len(out)) if rows is None else rows
    done, waiting, n_bytes = 0, [], 0
    for part in parts:
        waiting.append(part)
        n_bytes += part.nbytes
        if n_bytes >= ROWS_BYTES:
            done = _add_waiting(out, waiting, chosen, done)
            waiting, n_bytes = [], 0
    if waiting:
        _add_waiting(out, waiting, chosen, done)


def _add_waiting(
    out: NDArray[np.float32],
    waiting: list[NDArray[np.floating]],
    rows: NDArray[np.integer],
    done: int,
) -> int:
    """Add what waits after the frames that are done, and return how many are done then."""
    block = np.concatenate(waiting, axis=1)
    following = done + int(block.shape[1])
    # each row lies in a page of its own, so that few of them fit
    for some in portions(range(len(rows)), n_frames=max(PAGE_FRAMES, block.shape[1])):
        here = slice(some[0], some[-1] + 1)
        out[rows[here], done:following] += block[here]
        put_aside(out)
    return following


def _reserve(file: int, n_bytes: int) -> None:
    """Take room on the disk now: a full disk would end the process when it is written to."""
    _check_room(n_bytes)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, n_bytes)
    else:
        os.truncate(file, n_bytes)


def _check_room(n_bytes: int) -> None:
    """Refuse what does not fit into the temporary folder."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"the extraction needs {n_bytes / 1e9:.1f} GB for frames or traces in {folder}, which "
            f"has {free / 1e9:.1f} GB free; set TMPDIR to a folder with more room."
        )
