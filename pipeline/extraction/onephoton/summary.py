"""The ring background in short: what lies under each cell, and its leading courses."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.field import Field
from pipeline.extraction.onephoton.lattice import Axis, Lattice
from pipeline.extraction.onephoton.ring import MAX_FIT_FRAMES, RingBackground, RingStream
from pipeline.extraction.onephoton.small import SmallMovie
from pipeline.extraction.sources import Background
from pipeline.extraction.stream import Stream
from pipeline.scratch import by_frames, by_rows, scratch_array, some_rows

N_COURSES = 6
"""Background components that are stored: the mean image and the leading courses."""

MIN_RELATIVE_POWER = 1e-10
TINY = 1e-30


class Summary(NamedTuple):
    """What is kept of the background."""

    under_cells: NDArray[np.float32]
    """Background under each footprint, weighted as its trace, ``(n_rois, n_frames)``."""

    background: Background
    """The mean image and the leading courses."""


def summarise(
    stream: RingStream, small: SmallMovie, footprints: sparse.csc_array, field: Field
) -> Summary:
    """Read the movie once for the course of the background under each cell and in general.

    Parameters
    ----------
    stream : RingStream
        The movie and its background.
    small : SmallMovie
        From which the leading images are taken.
    footprints : sparse array, (n_pixels, n_rois)
        The cells.
    field : Field
        The pixels of the movie.

    Returns
    -------
    Summary
        A frame without any finite value is NaN.
    """
    background = stream.background
    images = _leading_images(small, background)
    spread = interpolation(background.lattice, background.gain)
    power = np.maximum(np.asarray(footprints.power(2).sum(axis=0)).ravel(), 1e-30)
    under = sparse.csr_array(sparse.diags_array(1 / power) @ footprints.T)
    of_blocks = sparse.csr_array(under @ spread).astype(np.float32)
    plain = Stream(
        movie=stream.movie,
        fill=stream.fill,
        kept=stream.kept,
        threads=stream.threads,
        memory_bytes=stream.memory_bytes,
        progress=stream.progress,
    )

    def read(frames: slice, block: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = background.prediction(frames, block).T
        return np.concatenate([of_blocks @ blocks, images.T @ blocks])

    n_rois, n_frames = footprints.shape[1], stream.kept.size
    shape = n_rois + images.shape[1], n_frames
    courses = by_frames(plain.map(read, phase="background"), shape)
    for rows in some_rows(courses):
        courses[rows, ~stream.kept] = np.nan
    level = np.where(field.usable, background.level, 0)
    wide = np.where(field.usable[:, np.newaxis], spread @ images, 0)
    spatial = np.zeros((field.usable.size, N_COURSES), np.float32)
    spatial[:, 0], spatial[:, 1 : 1 + wide.shape[1]] = level, wide
    temporal = scratch_array((N_COURSES, n_frames))
    temporal[0], temporal[1 : 1 + wide.shape[1]] = 1, courses[n_rois:]
    temporal[:, ~stream.kept] = np.nan
    return Summary(
        by_rows(np.add, courses[:n_rois], (under @ background.level)[:, np.newaxis]),
        Background(spatial, temporal),
    )


def interpolation(lattice: Lattice, gain: NDArray[np.float32]) -> sparse.csr_array:
    """Return the matrix from blocks to pixels, ``(n_pixels, n_blocks)``."""
    rows, cols = (_axis_matrix(axis) for axis in (lattice.rows, lattice.cols))
    spread = sparse.kron(rows, cols, format="csr")
    return sparse.csr_array(sparse.diags_array(gain) @ spread)


def _axis_matrix(axis: Axis) -> sparse.csr_array:
    """Return the interpolation along an axis, ``(n, n_blocks)``."""
    n = axis.block.size
    following = np.minimum(axis.first + 1, axis.n_blocks - 1)
    entries = np.concatenate([1 - axis.weight, axis.weight])
    places = np.tile(np.arange(n), 2), np.concatenate([axis.first, following])
    return sparse.csr_array((entries, places), shape=(n, axis.n_blocks))


def _leading_images(small: SmallMovie, background: RingBackground) -> NDArray[np.float32]:
    """Return the images on blocks that hold most of the fluctuation, orthonormal."""
    some = small.coarse[:: -(-small.n_bins // MAX_FIT_FRAMES)]
    level = small.lattice.means(small.mean[np.newaxis])
    fluctuation = background.predicted(some - level).astype(np.float64)
    # a product of frames is smaller than one of blocks, and has the same leading vectors
    power, courses = np.linalg.eigh(fluctuation @ fluctuation.T)
    strong = np.argsort(power)[::-1][: N_COURSES - 1]
    strong = strong[power[strong] > MIN_RELATIVE_POWER * max(float(power[-1]), TINY)]
    images = fluctuation.T @ courses[:, strong] / np.sqrt(power[strong])
    return np.ascontiguousarray(images, np.float32)
