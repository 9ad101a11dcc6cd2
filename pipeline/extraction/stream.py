"""The two ways in which CNMF reads a movie: projected on footprints, and on traces."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import Progress, frame_blocks, map_blocks, progress_of_several
from pipeline.movie import Movie
from pipeline.scratch import add_frames, put_aside, scratch_array
from pipeline.window import slabs_of

MAX_BLOCKS = 6
"""Blocks in memory; fixed, so that the blocks and the bits do not depend on the threads."""

COPIES = 3
"""Float32 copies of a block that a pass makes at most, the block itself included."""

MAX_BLOCK_BYTES = 32_000_000
"""Larger blocks do not make a pass quicker."""

SLAB_PIXEL_BYTES = 4 * COPIES + 8
"""Memory of a pixel of a slab: in a block of one frame, and its part in the weights of pixels."""

SLAB_SHARE = 2
"""Part of the memory that is for blocks of slabs: one over this."""

MAX_EXCESS = 1.25
"""A block that is so much larger than it should be is still taken, if it is a whole chunk."""

Result = TypeVar("Result")


class Columns(Protocol):
    """Weights of pixels, ``(n_pixels, n_columns)``, of which a slab is looked at at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_pixels, n_columns)``."""
        ...

    def at(self, pixels: slice) -> sparse.csc_array:
        """Return the weights of some pixels, ``(n_some, n_columns)``."""
        ...


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

    in_slabs: bool = False
    """Whether frames that are too large are read in slabs of planes or rows, one pass for each."""

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

    def project(self, *columns: sparse.csc_array | Columns, phase: str) -> NDArray[np.float32]:
        """Return ``columns.T @ movie`` for the kept frames, ``(n_columns, n_kept)``."""
        n_columns = sum(each.shape[1] for each in columns)
        projected = scratch_array((n_columns, int(self.kept.sum())))
        for pixels, slab in self._slabs():
            parts = [
                _rows(each, pixels) if isinstance(each, sparse.csc_array) else each.at(pixels)
                for each in columns
            ]
            part = sparse.csc_array(sparse.hstack(parts))
            there = np.flatnonzero(np.diff(part.indptr))
            slab._add_projected(sparse.csc_array(part[:, there]), projected, there, phase)
        return projected

    def _add_projected(
        self,
        footprints: sparse.csc_array,
        projected: NDArray[np.float32],
        there: NDArray[np.integer],
        phase: str,
    ) -> None:
        """Add the footprints times the movie to some of the rows of what was projected."""
        indptr, pixels, weights = columns_of(footprints)
        parts = self.map(
            lambda frames, block: _project(block, indptr, pixels, weights)[self.kept[frames]].T,
            phase=phase,
        )
        add_frames(projected, parts, there)

    def weigh(
        self, support: sparse.csc_array, traces: NDArray[np.float32], *, phase: str
    ) -> NDArray[np.float64]:
        """Return ``movie.T @ traces.T`` at the pixels of the support, as ``support.data`` is."""
        total = np.zeros(support.nnz)
        for pixels, slab in self._slabs():
            inside = (support.indices >= pixels.start) & (support.indices < pixels.stop)
            total[inside] = slab._weighed(_rows(support, pixels), traces, phase)
        return total

    def _weighed(
        self, support: sparse.csc_array, traces: NDArray[np.float32], phase: str
    ) -> NDArray[np.float64]:
        """Return what `weigh` does for a movie that is read in one pass."""
        indptr, pixels, _ = columns_of(support)
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
            lambda frames, block: weigh_block(block, by_frame(frames), indptr, pixels), phase=phase
        ):
            total += part
        return total

    def _slabs(self) -> Iterator[tuple[slice, "Stream"]]:
        """Yield ranges of pixels with the stream of each, together all of the frame."""
        if not self.in_slabs:
            yield slice(0, math.prod(self.movie.frame_shape)), self
            return
        block_bytes = self.memory_bytes // MAX_BLOCKS // SLAB_SHARE
        slabs = slabs_of(self.movie, pixel_bytes=SLAB_PIXEL_BYTES, memory_bytes=block_bytes)
        # what is known of all slabs, as the support of footprints, needs room beside them
        memory_bytes = self.memory_bytes // (1 if len(slabs) == 1 else SLAB_SHARE)
        for number, (pixels, movie) in enumerate(slabs):
            fill = None if self.fill is None else np.array(self.fill[pixels])
            progress = progress_of_several(self.progress, number, len(slabs))
            yield (
                pixels,
                replace(
                    self,
                    movie=movie,
                    fill=fill,
                    progress=progress,
                    in_slabs=False,
                    memory_bytes=memory_bytes,
                ),
            )


def _rows(matrix: sparse.csc_array, pixels: slice) -> sparse.csc_array:
    """Return a range of the rows of a matrix; its entries keep their order."""
    if pixels.start == 0 and pixels.stop == matrix.shape[0]:
        return matrix
    inside = (matrix.indices >= pixels.start) & (matrix.indices < pixels.stop)
    indptr = np.concatenate([[0], np.cumsum(inside)])[matrix.indptr]
    return sparse.csc_array(
        (matrix.data[inside], matrix.indices[inside] - pixels.start, indptr),
        shape=(pixels.stop - pixels.start, matrix.shape[1]),
    )


def columns_of(
    matrix: sparse.csc_array,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the parts of a sparse matrix with the types that the compiled loops expect.

    Parameters
    ----------
    matrix : sparse array, (n_pixels, n_rois)
        Footprints.

    Returns
    -------
    tuple
        Where each column begins, its pixels, and their weights.
    """
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
def weigh_block(
    block: NDArray[np.float32],
    traces: NDArray[np.float32],
    indptr: NDArray[np.int64],
    pixels: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the sum over frames of block times trace at the pixels of each footprint.

    Parameters
    ----------
    block : array, (n_frames, n_pixels)
        Frames.
    traces : array, (n_frames, n_rois)
        A trace for each footprint.
    indptr, pixels : array
        Of `columns_of`.
    """
    total = np.zeros(pixels.size)
    for frame in range(block.shape[0]):
        for roi in range(indptr.size - 1):
            weight = np.float64(traces[frame, roi])
            if weight != 0:
                for i in range(indptr[roi], indptr[roi + 1]):
                    total[i] += weight * block[frame, pixels[i]]
    return total
