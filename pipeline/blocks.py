"""The one place that knows blocks of frames, threads, the memory budget and progress."""

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.movie import Movie

DEFAULT_MEMORY_BYTES = 1_000_000_000
DEFAULT_THREADS = 2

Progress = Callable[[str, int, int], None]
"""Called as ``progress(phase, done, total)``; may raise to cancel between blocks."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def no_progress(phase: str, done: int, total: int) -> None:
    """Report to nobody."""


def progress_of_several(progress: Progress, number: int, count: int) -> Progress:
    """Return the progress of one of several passes of the same length.

    Parameters
    ----------
    progress : callable
        That of all passes together.
    number : int
        Of this one, from 0.
    count : int
        Of passes.
    """

    def tell(phase: str, done: int, total: int) -> None:
        progress(phase, number * total + done, count * total)

    return tell


def give_back_memory() -> None:
    """Give the system the memory back that is no longer used, where the C library keeps it.

    What many threads take and free in turn lies in pieces, and would grow from part to part.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def frame_blocks(n_frames: int, *, frame_bytes: int, memory_bytes: int) -> list[slice]:
    """Cut a movie into blocks of frames that fit a memory budget.

    Parameters
    ----------
    n_frames : int
        Length of the movie.
    frame_bytes : int
        Memory that the work on one frame takes, copies included.
    memory_bytes : int
        Memory for one block.

    Returns
    -------
    list of slice
        Half-open, in order, covering every frame once; a block has at least one frame.

    Examples
    --------
    >>> frame_blocks(5, frame_bytes=10, memory_bytes=20)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    length = max(1, memory_bytes // max(1, frame_bytes))
    return [slice(start, min(start + length, n_frames)) for start in range(0, n_frames, length)]


def map_blocks(
    function: Callable[[slice, NDArray[Any]], Result],
    movie: Movie,
    blocks: list[slice],
    *,
    threads: int = DEFAULT_THREADS,
    phase: str = "reading",
    progress: Progress = no_progress,
) -> Iterator[Result]:
    """Read blocks of a movie, work on them in threads, and yield the results in order.

    At most ``threads + 1`` blocks are in memory at a time, so plan blocks of
    ``memory_bytes / (threads + 1)``. Results come in the order of the blocks whatever the number
    of threads, so that a sum over them has the same bits. BLAS uses one thread meanwhile.

    Parameters
    ----------
    function : callable
        ``function(frames, block) -> result``; must not change the block of an in-memory movie.
    movie : Movie
        What is read; frames are read by one thread at a time.
    blocks : list of slice
        From `frame_blocks`, or a choice of frames.
    threads : int
        Number of blocks worked on at once.
    phase : str
        Name of the step for ``progress``, which is told frames done and frames in all.
    progress : callable
        Called after each block; an exception raised there cancels the rest.

    Notes
    -----
    Of chunks that a block ends in, the rest is kept for the next block.

    Yields
    ------
    result
        What ``function`` returned for each block.
    """
    total = sum(block.stop - block.start for block in blocks)
    done = 0
    progress(phase, 0, total)
    ahead = _Ahead(movie)
    waiting: deque[tuple[slice, Future[Result]]] = deque()
    # threads of BLAS would fight with those that work on blocks
    with (
        threadpool_limits(limits=1, user_api="blas"),
        ThreadPoolExecutor(max_workers=threads) as pool,
    ):
        try:
            for block in blocks:
                waiting.append((block, pool.submit(function, block, ahead.read(block))))
                if len(waiting) > threads:
                    finished, future = waiting.popleft()
                    yield future.result()
                    done += finished.stop - finished.start
                    progress(phase, done, total)
            while waiting:
                finished, future = waiting.popleft()
                yield future.result()
                done += finished.stop - finished.start
                progress(phase, done, total)
        finally:
            for _, future in waiting:
                future.cancel()


class _Ahead:
    """Reads a movie from front to back in whole chunks, so that none is unpacked twice."""

    def __init__(self, movie: Movie) -> None:
        self._movie = movie
        self._chunk = movie.chunk_frames
        self._start = 0
        self._kept: NDArray[Any] | None = None

    def read(self, block: slice) -> NDArray[Any]:
        """Return the frames of a block."""
        if self._chunk == 1 or block.step not in (None, 1):
            return self._movie[block]
        if self._kept is None or not self._start <= block.start <= self._start + len(self._kept):
            self._start, self._kept = block.start - block.start % self._chunk, None
        n_kept = 0 if self._kept is None else len(self._kept)
        stop = min(-(-block.stop // self._chunk) * self._chunk, self._movie.n_frames)
        frames = self._kept
        if stop > self._start + n_kept:
            more = self._movie[self._start + n_kept : stop]
            frames = more if frames is None else np.concatenate([frames, more])
        assert frames is not None  # the block has a frame
        inside = slice(block.start - self._start, block.stop - self._start)
        rest = frames[inside.stop :]
        self._start, self._kept = block.stop, rest.copy() if len(rest) else None
        return frames[inside]


def map_items(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = DEFAULT_THREADS
) -> list[Result]:
    """Work on what is in memory already in threads, and return the results in order.

    Parameters
    ----------
    function : callable
        ``function(item) -> result``; spends its time where Python lets other threads run.
    items : iterable
        What to work on, each without the others.
    threads : int
        Number of items worked on at once.
    """
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(function, items))
