"""The ring background: each block follows the blocks on a ring around it.

References
----------
Zhou et al. (2018), doi:10.7554/eLife.28728.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.extraction.onephoton.haze import Haze
from pipeline.extraction.onephoton.lattice import (
    Lattice,
    ring_members,
    ring_offsets,
    subtract_interpolated,
)
from pipeline.extraction.stream import Stream
from pipeline.movie import FrameSource
from pipeline.scratch import put_aside

MAX_FIT_FRAMES = 600
"""More frames do not make the weights of a ring better."""

RIDGE = 1e-3
"""Added to the powers of the blocks on a ring, relative to their mean."""

CLIP_SIGMAS = 3.0
"""What exceeds the prediction by so much is taken for a cell that is not yet known."""

MAD_TO_SD = 1.4826
GAIN_FRAMES = 64
GAIN_RIDGE = 0.02
"""Pull of the gain of a pixel towards 1, relative to the mean power of the prediction."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Ring:
    """How the blocks follow those around them."""

    members: NDArray[np.int64]
    """The blocks on the ring around each, ``(n_blocks, n_ring)``; the first block where none is."""

    weights: NDArray[np.float32]
    """Their weights, ``(n_blocks, n_ring)``; 0 where none is."""

    def predict(self, coarse: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fluctuation of the background of blocks from that of blocks.

        Parameters
        ----------
        coarse : array, (n_frames, n_blocks)
            Without mean and without cells.

        Returns
        -------
        array, (n_frames, n_blocks)
            The prediction.
        """
        return _predict(coarse, self.members, self.weights)


def fit_ring(coarse: FrameSource, lattice: Lattice, radius_blocks: tuple[float, float]) -> Ring:
    """Fit the weights of the ring around each block.

    Parameters
    ----------
    coarse : FrameSource
        ``(n_frames, n_blocks)``, mean over each block without its mean in time and without known
        cells, of which a few hundred frames are read.
    lattice : Lattice
        The blocks.
    radius_blocks : tuple of float
        Of the ring along rows and columns.

    Returns
    -------
    Ring
        Weights by least squares with a small ridge, fitted a second time to the values clipped
        at `CLIP_SIGMAS` above the first prediction, as cells shine and never darken.
    """
    members = ring_members(lattice, ring_offsets(radius_blocks))
    step = -(-coarse.shape[0] // MAX_FIT_FRAMES)
    courses = np.ascontiguousarray(coarse[::step].T, np.float64)
    with threadpool_limits(limits=1, user_api="blas"):
        weights = _fit(courses, members)
    return Ring(members=np.maximum(members, 0), weights=weights)


@dataclass(frozen=True, kw_only=True)
class RingBackground:
    """The background of every pixel: ``level + gain * interpolated(fluctuation of blocks)``."""

    haze: Haze | None
    """What blocks share; None: the background is constant."""

    ring: Ring | None
    """How the blocks follow each other, as long as no cell is known: what a block itself does may
    be a cell. None: the haze of a block is its own."""

    lattice: Lattice
    """Blocks of the pixels."""

    level: NDArray[np.float32]
    """Mean of the background, ``(n_pixels,)``."""

    gain: NDArray[np.float32]
    """How much a pixel follows its surround; less under a vessel, ``(n_pixels,)``."""

    coarse_level: NDArray[np.float32]
    """Mean of each block, cells included, ``(n_blocks,)``."""

    coarse_footprints: sparse.csr_array
    """Footprints of the known cells on the blocks, ``(n_blocks, n_rois)``."""

    calcium: NDArray[np.float32]
    """Their traces less the mean, ``(n_rois, n_frames)``."""

    def without_cells(self, coarse: NDArray[np.float32], frames: slice) -> NDArray[np.float32]:
        """Return the means of blocks ``(n_images, n_blocks)`` without their level and cells."""
        cells = (self.coarse_footprints @ self.calcium[:, frames]).T
        put_aside(self.calcium)
        return np.ascontiguousarray(coarse - self.coarse_level - cells)

    def prediction(self, frames: slice, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fluctuation of the background of each block, ``(n_images, n_blocks)``."""
        return self.predicted(self.without_cells(self.lattice.means(images), frames))

    def predicted(self, coarse: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fluctuation of the background from that of blocks without cells."""
        if not (self.haze and len(self.haze.images)):
            return np.zeros_like(coarse)
        return self.ring.predict(coarse) if self.ring else self.haze.in_blocks(coarse)

    def subtract(self, frames: slice, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return frames ``(n_images, n_pixels)`` without background."""
        coarse = self.prediction(frames, images).reshape(len(images), *self.lattice.shape)
        rows, cols = self.lattice.rows, self.lattice.cols
        return subtract_interpolated(
            images,
            self.level,
            self.gain,
            coarse,
            (rows.first, rows.weight),
            (cols.first, cols.weight),
        )


@dataclass(frozen=True, kw_only=True)
class RingStream(Stream):
    """A movie that every pass reads without its ring background."""

    background: RingBackground
    """What is subtracted."""

    def map(
        self,
        function: Callable[[slice, NDArray[np.float32]], Result],
        *,
        phase: str,
    ) -> Iterator[Result]:
        """Yield ``function(frames, block)`` in order, a block being ``(n_frames, n_pixels)``."""
        return super().map(
            lambda frames, block: function(frames, self.background.subtract(frames, block)),
            phase=phase,
        )


def fit_gain(
    movie: FrameSource, background: RingBackground, footprints: sparse.csc_array
) -> NDArray[np.float32]:
    """Return how much each pixel follows the prediction, ``(n_pixels,)``, 1 where it is constant.

    Parameters
    ----------
    movie : FrameSource
        The movie, ``(n_frames, n_pixels)``.
    background : RingBackground
        With a gain of 1.
    footprints : sparse array, (n_pixels, n_rois)
        Known cells.

    Returns
    -------
    array, (n_pixels,)
        The slope of the regression of a pixel, without cells, on what is interpolated there.
    """
    n_frames, n_pixels = movie.shape
    power, left = np.zeros((2, n_pixels))
    for start in range(0, n_frames, GAIN_FRAMES):
        frames = slice(start, start + GAIN_FRAMES)
        block = movie[frames]
        rest = background.subtract(frames, block)
        fluctuation = block - background.level - rest
        power += np.einsum("tp,tp->p", fluctuation, fluctuation)
        left += np.einsum("tp,tp->p", rest, fluctuation)
        left -= np.einsum("tp,tp->p", (footprints @ background.calcium[:, frames]).T, fluctuation)
        put_aside(background.calcium)
    pull = max(float(GAIN_RIDGE * power.mean()), 1e-30)
    return np.asarray(1 + left / (power + pull), np.float32)


@njit(nogil=True, cache=True)
def _predict(
    coarse: NDArray[np.float32], members: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the weighted sum over the ring around each block."""
    out = np.empty(coarse.shape, np.float32)
    for frame in range(coarse.shape[0]):
        for block in range(members.shape[0]):
            total = np.float32(0)
            for i in range(members.shape[1]):
                total += weights[block, i] * coarse[frame, members[block, i]]
            out[frame, block] = total
    return out


@njit(nogil=True, cache=True)
def _fit(courses: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the weights of the ring around each block, ``(n_blocks, n_ring)``."""
    weights = np.zeros(members.shape, np.float32)
    for block in range(members.shape[0]):
        there = np.flatnonzero(members[block] >= 0)
        if there.size == 0:
            continue
        around = courses[members[block][there]]
        gram = around @ around.T
        pull = RIDGE * np.trace(gram) / there.size + 1e-12
        for i in range(there.size):
            gram[i, i] += pull
        target = courses[block]
        first = np.linalg.solve(gram, around @ target)
        predicted = first @ around
        rest = target - predicted
        limit = CLIP_SIGMAS * MAD_TO_SD * np.median(np.abs(rest))
        clipped = predicted + np.minimum(rest, limit)
        fitted = np.linalg.solve(gram, around @ clipped)
        for i in range(there.size):
            weights[block, there[i]] = fitted[i]
    return weights
