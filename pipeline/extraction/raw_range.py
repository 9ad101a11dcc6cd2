"""The grey levels between which a component's trace lies in the movie itself."""

from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
    progress_of_several,
)
from pipeline.movie import Movie
from pipeline.scratch import put_aside
from pipeline.window import slabs_of

MAX_BLOCK_BYTES = 32_000_000
"""Of the movie as it is stored; in shorter blocks, more of them hold no extreme and are not read.
"""

BRIGHTEST = ("top_5", "top_10", "top_5p", "top_10p", "top_25p", "full_mean")
"""Of how many of the brightest pixels of a footprint the mean is taken: a number, a percentage, or
all of them."""

NUMBERS = (5, 10)
TWENTIETHS = (1, 2, 5)


class RawRange(NamedTuple):
    """Grey levels in two frames, in the order of `BRIGHTEST`; NaN where a frame has none."""

    low: NDArray[np.float32]
    """In the frame in which the denoised trace is lowest, ``(n_rois, 6)``."""

    high: NDArray[np.float32]
    """In the frame in which it is highest, ``(n_rois, 6)``."""


def raw_range(
    movie: Movie,
    footprints: sparse.csc_array,
    denoised: NDArray[np.float32],
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> RawRange:
    """Return what the brightest pixels of each footprint are at the extremes of its trace.

    Parameters
    ----------
    movie : Movie
        What the traces were taken from.
    footprints : sparse array, (n_pixels, n_rois)
        Pixels in C order.
    denoised : array, (n_rois, n_frames)
        Frames that are not finite are passed over.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for blocks.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    RawRange
        With it, a trace can be brought back to the grey levels of the recording.

    Notes
    -----
    A twentieth of the pixels is rounded down, and tenth and quarter are two and five times that;
    where that is no pixel, all are taken.
    """
    wanted = _extremes(denoised)
    sorted_ = footprints.sorted_indices()
    values = np.zeros((2, sorted_.nnz), movie.dtype)
    slabs = slabs_of(
        movie, pixel_bytes=movie.dtype.itemsize, memory_bytes=memory_bytes // (threads + 2)
    )
    for number, (pixels, slab) in enumerate(slabs):
        told = progress_of_several(progress, number, len(slabs))
        fill = _filler(sorted_, pixels, wanted, values)
        blocks = _blocks(slab, wanted, memory_bytes // (threads + 1))
        for _ in map_blocks(
            fill, slab, blocks, threads=threads, phase="grey levels", progress=told
        ):
            pass
    ranges = np.full((2, footprints.shape[1], len(BRIGHTEST)), np.nan, np.float32)
    for which, roi in (each for extremes in wanted.values() for each in extremes):
        column = slice(*sorted_.indptr[[roi, roi + 1]])
        ranges[which, roi] = brightest(values[which, column])
    return RawRange(*ranges)


def _extremes(denoised: NDArray[np.float32]) -> dict[int, list[tuple[int, int]]]:
    """Return by frame which traces are lowest (0) or highest (1) there: pairs of that and a ROI."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for roi, trace in enumerate(denoised):
        put_aside(denoised)
        if np.isfinite(trace).any():
            wanted.setdefault(int(np.nanargmin(trace)), []).append((0, roi))
            wanted.setdefault(int(np.nanargmax(trace)), []).append((1, roi))
    return wanted


def _blocks(movie: Movie, wanted: Container[int], memory_bytes: int) -> list[slice]:
    """Cut a movie into blocks, of whole chunks where they fit, and leave out what nobody wants."""
    length = min(memory_bytes, MAX_BLOCK_BYTES) // movie.frame_bytes
    chunk = movie.chunk_frames
    length = min(chunk, length) if length < 2 * chunk else length - length % chunk
    blocks = frame_blocks(movie.n_frames, frame_bytes=1, memory_bytes=length)
    return [block for block in blocks if any(n in wanted for n in range(block.start, block.stop))]


def _filler(
    footprints: sparse.csc_array,
    pixels: slice,
    wanted: Mapping[int, list[tuple[int, int]]],
    values: NDArray[np.generic],
) -> Callable[[slice, NDArray[np.generic]], None]:
    """Return what takes the values at footprints from a block of frames, some of their pixels."""
    columns = np.split(footprints.indices, footprints.indptr[1:-1])[: footprints.shape[1]]
    inside = [np.searchsorted(column, (pixels.start, pixels.stop)) for column in columns]

    def fill(frames: slice, block: NDArray[np.generic]) -> None:
        for frame in wanted.keys() & range(frames.start, frames.stop):
            flat = block[frame - frames.start].reshape(-1)
            for which, roi in wanted[frame]:
                first, last = inside[roi]
                there = slice(footprints.indptr[roi] + first, footprints.indptr[roi] + last)
                values[which, there] = flat[columns[roi][first:last] - pixels.start]

    return fill


def brightest(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the means of the brightest pixels, in the order of `BRIGHTEST`.

    Examples
    --------
    >>> brightest(np.arange(40)).tolist()
    [37.0, 34.5, 38.5, 37.5, 34.5, 19.5]
    """
    pixels = np.asarray(values, np.float64)
    falling = np.sort(pixels[np.isfinite(pixels)])[::-1]
    if not falling.size:
        return np.full(len(BRIGHTEST), np.nan, np.float32)
    twentieth = falling.size // 20
    counts = [min(number, falling.size) for number in NUMBERS]
    counts += [part * twentieth or falling.size for part in TWENTIETHS]
    return np.array([falling[:count].mean() for count in (*counts, falling.size)], np.float32)
