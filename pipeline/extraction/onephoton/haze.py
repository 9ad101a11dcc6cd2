"""Light from out of focus: what blocks share over more than the size of a cell.

A cell fills a few blocks and leaves those around it alone; haze is smooth, so that a block does
what the ring around it does. The images of the fluctuation that stand out of the noise are told
apart by it: haze is what follows its ring. Without haze there is none, and nothing is subtracted.

References
----------
Gavish and Donoho (2014), doi:10.1109/TIT.2014.2323359: singular values that stand out of the noise.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from pipeline.extraction.onephoton.lattice import Lattice, ring_members, ring_offsets
from pipeline.extraction.onephoton.samples import noise_of
from pipeline.movie import FrameSource

MAX_FIT_BINS = 600
"""More bins do not make the images better, and take time with their third power."""

MIN_SMOOTHNESS = 0.5
"""Least correlation of an image of haze with its mean over the ring around each block."""

EDGE = (0.56, -0.95, 1.82, 1.43)
"""Singular values of noise end at their median times this polynomial of the matrix's proportions.
"""

TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Haze:
    """The images whose sum the haze is."""

    images: NDArray[np.float32]
    """Orthonormal, in units of the noise, ``(n_images, n_blocks)``."""

    noise: NDArray[np.float32]
    """Of each block, above 0, ``(n_blocks,)``."""

    def in_blocks(self, coarse: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the part of the fluctuation of blocks that is haze.

        Parameters
        ----------
        coarse : array, (n_frames, n_blocks)
            Without mean and without known cells.

        Returns
        -------
        array, (n_frames, n_blocks)
            What the images explain.
        """
        with _libraries().limit(limits=1, user_api="blas"):  # the same bits on any machine
            strengths = (coarse / self.noise) @ self.images.T
            return np.asarray((strengths @ self.images) * self.noise, np.float32)


def find_haze(coarse: FrameSource, lattice: Lattice, radius_blocks: tuple[float, float]) -> Haze:
    """Find the images of haze.

    Parameters
    ----------
    coarse : FrameSource
        ``(n_bins, n_blocks)``, mean over each block without its mean in time and without known
        cells, of which a few hundred bins are read.
    lattice : Lattice
        The blocks.
    radius_blocks : tuple of float
        Of the ring along rows and columns.

    Returns
    -------
    Haze
        With no image where nothing smooth stands out of the noise.
    """
    noise = noise_of(coarse)
    noise = np.maximum(noise, max(float(np.median(noise)) * 0.01, TINY)).astype(np.float32)
    courses = (coarse[:: -(-coarse.shape[0] // MAX_FIT_BINS)] / noise).astype(np.float64)
    with _libraries().limit(limits=1, user_api="blas"):
        # a product of bins is smaller than one of blocks, and has the same images
        power, vectors = np.linalg.eigh(courses @ courses.T)
        strength = np.sqrt(np.maximum(power, 0))
        chosen = np.flatnonzero(strength > _edge_of_noise(strength, courses.shape))[::-1]
        images = (vectors[:, chosen] / strength[chosen]).T @ courses
    smooth = _smoothness(images, lattice, radius_blocks) >= MIN_SMOOTHNESS
    return Haze(images=images[smooth].astype(np.float32), noise=noise)


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries of linear algebra; to look for them at each block takes longer than it.

    They are looked for once, when all are loaded.
    """
    return ThreadpoolController()


def _edge_of_noise(strength: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Return the singular value that noise of a matrix does not exceed."""
    proportions = min(shape) / max(shape)
    edge = np.polyval(EDGE, proportions) * np.median(strength[-min(shape) :])
    return float(max(edge, 1e-5 * strength.max(initial=0), TINY))


def _smoothness(
    images: NDArray[np.float64], lattice: Lattice, radius_blocks: tuple[float, float]
) -> NDArray[np.float64]:
    """Return how well each image correlates with its mean over the ring around each block."""
    members = ring_members(lattice, ring_offsets(radius_blocks))
    there = members >= 0
    n_members = np.maximum(there.sum(axis=1), 1)
    around = np.stack([np.where(there, image[members], 0).sum(axis=1) for image in images] or [[]])
    around = (around / n_members).reshape(images.shape) if len(images) else images
    power = np.square(images).sum(axis=1) * np.square(around).sum(axis=1)
    return np.asarray((images * around).sum(axis=1) / np.sqrt(np.maximum(power, TINY)))
