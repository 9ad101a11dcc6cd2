"""The two ways in which CNMF reads a movie: projected on footprints, and on traces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import Progress, frame_blocks, map_blocks
from pipeline.movie import Movie
from pipeline.scratch import by_frames, put_aside

MAX_BLOCKS = 6
"""Blocks in memory; fixed, so that the blocks and the bits do not depend on the threads."""

COPIES = 3
"""Float32 copies of a block that a pass makes at most, the block itself included."""

MAX_BLOCK_BYTES = 32_000_000
"""Larger blocks do not make a pass quicker."""

MAX_EXCESS = 1.25
"""A block that is so much larger than it should be is still taken, if it is a whole chunk."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A movie, and how every pass reads it: equal blocks, in order, as float32, without NaN."""

    movie: Movie
    """What is read, ``(n_frames, n_rows, n_cols)``."""

    fill: NDArray[np.float32] | None
    """What stands for a missing value of each pixel, ``(n_pixels,)``; None keeps them."""

    kept: NDArray[np.bool_]
    """Frames with at least one finite value, ``(n_frames,)``."""

    threads: int
    """Blocks worked on at once."""

    memory_bytes: int
    """Memory for blocks."""

    progress: Progress
    """Told the frames done; may raise to cancel."""

    def map(
        self,
        function: Callable[[slice, NDArray[np.float32]], Result],
        *,
        phase: str,
    ) -> Iterator[Result]:
        """Yield ``function(frames, block)`` in order, a block being ``(n_frames, n_pixels)``."""
        return map_blocks(
            lambda frames, block: function(frames, self._clean(block)),
            self.movie,
            self._blocks(),
            threads=min(self.threads, MAX_BLOCKS - 1),
            phase=phase,
            progress=self.progress,
        )

    def _blocks(self) -> list[slice]:
        """Cut the movie into blocks, of whole chunks where that takes little more memory."""
        frame_bytes = 4 * COPIES * int(np.prod(self.movie.frame_shape))
        memory_bytes = min(self.memory_bytes // MAX_BLOCKS, COPIES * MAX_BLOCK_BYTES)
        chunk = self.movie.chunk_frames
        length = memory_bytes // frame_bytes
        if chunk <= MAX_EXCESS * length:
            length = chunk * max(1, length // chunk)
        return frame_blocks(self.movie.n_frames, frame_bytes=1, memory_bytes=length)

    def _clean(self, block: NDArray[Any]) -> NDArray[np.float32]:
        """Return a block as float32, ``(n_frames, n_pixels)``, missing values filled."""
        flat = np.ascontiguousarray(block.reshape(len(block), -1), np.float32)
        if self.fill is None or block.dtype.kind in "ui":
            return flat
        missing = ~np.isfinite(flat)
        return np.where(missing, self.fill, flat) if missing.any() else flat

    def project(self, footprints: sparse.csc_array, *, phase: str) -> NDArray[np.float32]:
        """Return ``footprints.T @ movie`` for the kept frames, ``(n_rois, n_kept)``."""
        indptr, pixels, weights = _columns(footprints)
        parts = self.map(
            lambda frames, block: _project(block, indptr, pixels, weights)[self.kept[frames]].T,
            phase=phase,
        )
        return by_frames(parts, (footprints.shape[1], int(self.kept.sum())))

    def weigh(
        self, support: sparse.csc_array, traces: NDArray[np.float32], *, phase: str
    ) -> NDArray[np.float64]:
        """Return ``movie.T @ traces.T`` at the pixels of the support, as ``support.data`` is."""
        indptr, pixels, _ = _columns(support)
        kept_before = np.concatenate([[0], np.cumsum(self.kept)])

        def by_frame(frames: slice) -> NDArray[np.float32]:
            """Return traces as ``(n_frames, n_rois)``, 0 at the frames that are not kept."""
            some = np.zeros((frames.stop - frames.start, len(traces)), np.float32)
            there = slice(kept_before[frames.start], kept_before[frames.stop])
            some[self.kept[frames]] = traces[:, there].T
            put_aside(traces)
            return some

        total = np.zeros(pixels.size)
        for part in self.map(
            lambda frames, block: _weigh(block, by_frame(frames), indptr, pixels), phase=phase
        ):
            total += part
        return total


def _columns(
    matrix: sparse.csc_array,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the parts of a sparse matrix with the types that the compiled loops expect."""
    return (
        np.asarray(matrix.indptr, np.int64),
        np.asarray(matrix.indices, np.int64),
        np.asarray(matrix.data, np.float32),
    )


@njit(nogil=True, cache=True)
def _project(
    block: NDArray[np.float32],
    indptr: NDArray[np.int64],
    pixels: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the sum over pixels of block times footprint, ``(n_frames, n_rois)``."""
    n_rois = indptr.size - 1
    projected = np.empty((block.shape[0], n_rois), np.float32)
    for frame in range(block.shape[0]):
        for roi in range(n_rois):
            total = 0.0
            for i in range(indptr[roi], indptr[roi + 1]):
                total += weights[i] * np.float64(block[frame, pixels[i]])
            projected[frame, roi] = total
    return projected


@njit(nogil=True, cache=True)
def _weigh(
    block: NDArray[np.float32],
    traces: NDArray[np.float32],
    indptr: NDArray[np.int64],
    pixels: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the sum over frames of block times trace at the pixels of each footprint."""
    total = np.zeros(pixels.size)
    for frame in range(block.shape[0]):
        for roi in range(indptr.size - 1):
            weight = np.float64(traces[frame, roi])
            if weight != 0:
                for i in range(indptr[roi], indptr[roi + 1]):
                    total[i] += weight * block[frame, pixels[i]]
    return total
