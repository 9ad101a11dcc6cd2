"""Where dendrites, axons and boutons are: of any shape, grown by their course in time.

A process is the pixels that belong together and follow one course. From the pixel that stands out
most, its course is compared with that of every pixel; those around it that follow it are the
process, whose own course is then taken in turn. The footprints are factorised together afterwards:
non-negative, and sparse, as weights that do not exceed their error vanish.

References
----------
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037.
Mairal et al. (2010), Online learning for matrix factorization and sparse coding, JMLR 11, 19-60.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import binary_dilation, gaussian_filter, generate_binary_structure, label

from pipeline.extraction.blobs import noise_of
from pipeline.extraction.field import Field
from pipeline.extraction.params import MIN_PROCESS_PX, CnmfParams
from pipeline.extraction.spatial import dilated, ones

SMOOTH_PX = 1.0
"""Width over which pixels are averaged to find the course of a seed."""

SMOOTH_CORR_PX = 0.7
"""And over which their correlations with it are, so that a noisy pixel does not cut a process."""

STEPS = 2
"""How often a process is grown, each time by the course of all of it."""

MIN_SIGMAS = 4.0
"""A correlation is one if it exceeds its error so many times, however low the threshold."""

MIN_NEW_FRACTION = 0.2
"""Least peak of a new process, relative to what is known in the same place."""

MAX_SEEDS = 1000
MIN_RELATIVE_WEIGHT = 0.05
TINY = 1e-30


class Process(NamedTuple):
    """A process as it is begun."""

    pixels: NDArray[np.int64]
    """Of the small movie, in order."""

    weights: NDArray[np.float32]
    """Of these pixels, above 0."""

    course: NDArray[np.float32]
    """``(n_bins,)``, not negative."""


def find_processes(
    rest: NDArray[np.float32],
    known: NDArray[np.float32],
    field: Field,
    params: CnmfParams,
    *,
    threads: int,
) -> list[Process]:
    """Find what stands out of a movie and moves in time as one, whatever its shape.

    Parameters
    ----------
    rest : array, (n_bins, n_pixels)
        The movie without its background and what is known.
    known : array, ([n_planes,] n_rows, n_cols)
        Highest value that is known at each pixel.
    field : Field
        The pixels.
    params : CnmfParams
        ``min_pnr`` of a seed, and ``min_corr`` of a pixel with the course of its process.
    threads : int
        Blocks worked on at once.

    Returns
    -------
    list of Process
        The most prominent first; they may overlap.
    """
    smooth = _smoothed(rest, field.frame_shape)
    noise = noise_of(smooth, threads=threads)
    peak = smooth.max(axis=0)
    pnr = np.divide(peak, noise, out=np.zeros_like(peak), where=noise > 0)
    stands_out = (pnr >= params.min_pnr) & (peak >= MIN_NEW_FRACTION * known.ravel())
    limit = max(params.min_corr, MIN_SIGMAS / np.sqrt(len(rest)))
    unit = rest - rest.mean(axis=0)
    norm = np.linalg.norm(unit, axis=0)
    unit *= np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    return list(
        _grown(rest, smooth, unit, np.where(stands_out & field.usable, pnr, 0), field, limit)
    )


def reach_of(footprints: sparse.csc_array, field: Field) -> sparse.csc_array:
    """Return how far processes reach for parts of themselves: two margins around each."""
    return dilated(ones(dilated(footprints, field)), field)


def _smoothed(rest: NDArray[np.float32], frame_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the movie averaged over neighbours within a plane."""
    images = rest.reshape(-1, *frame_shape)
    widths = (0, *(0 for _ in frame_shape[:-2]), SMOOTH_PX, SMOOTH_PX)
    return np.asarray(gaussian_filter(images, widths, mode="nearest").reshape(rest.shape))


def _grown(  # noqa: PLR0913 - three views of one movie
    rest: NDArray[np.float32],
    smooth: NDArray[np.float32],
    unit: NDArray[np.float32],
    score: NDArray[np.float32],
    field: Field,
    limit: float,
) -> Iterator[Process]:
    """Grow processes from the best pixels that none before has taken."""
    order = np.argsort(-score, kind="stable")[: np.count_nonzero(score)]
    free = np.ones(field.frame_shape, np.bool_)
    n_seeds = 0
    for seed in order:
        if not free.flat[seed] or n_seeds == MAX_SEEDS:
            continue
        n_seeds += 1
        course = np.maximum(smooth[:, seed], 0)
        region = np.zeros(field.frame_shape, np.bool_)
        for _ in range(STEPS):
            region = _followers(unit, course, int(seed), field, limit)
            if region.sum() < MIN_PROCESS_PX:
                break
            process = _fitted(rest, region, course)
            course = process.course
        free &= ~binary_dilation(region, generate_binary_structure(region.ndim, region.ndim))
        free.flat[seed] = False
        if region.sum() >= MIN_PROCESS_PX and process.pixels.size:
            yield process


def _followers(
    unit: NDArray[np.float32],
    course: NDArray[np.float32],
    seed: int,
    field: Field,
    limit: float,
) -> NDArray[np.bool_]:
    """Return the pixels connected with a seed that follow a course."""
    centred = course - course.mean()
    centred /= max(float(np.linalg.norm(centred)), TINY)
    corr = np.where(field.usable, centred @ unit, 0).reshape(field.frame_shape)
    widths = (*(0 for _ in corr.shape[:-2]), SMOOTH_CORR_PX, SMOOTH_CORR_PX)
    follows = gaussian_filter(corr, widths, mode="nearest") >= limit
    follows &= field.usable.reshape(field.frame_shape)
    pieces, _ = label(follows, generate_binary_structure(follows.ndim, follows.ndim))
    piece = pieces.flat[seed]
    return np.asarray(pieces == piece) if piece else np.zeros_like(follows)


def _fitted(
    rest: NDArray[np.float32], region: NDArray[np.bool_], course: NDArray[np.float32]
) -> Process:
    """Return the weights of a region, and the course that they have in the movie."""
    pixels = np.flatnonzero(region)
    patch = rest[:, pixels]
    weights = np.maximum(course @ patch / max(float(course @ course), TINY), 0)
    bright = weights > MIN_RELATIVE_WEIGHT * weights.max(initial=0)
    pixels, weights, patch = pixels[bright], weights[bright], patch[:, bright]
    fitted = np.maximum(patch @ weights / max(float(weights @ weights), TINY), 0)
    return Process(pixels, weights.astype(np.float32), fitted.astype(np.float32))
