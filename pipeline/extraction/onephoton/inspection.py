"""Correlation and peak-to-noise images of a movie, to choose the thresholds of seeds by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.onephoton.images import SeedImages, pick_seeds
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.seeding import first_images
from pipeline.extraction.onephoton.small import prepare_small
from pipeline.movie import Movie


class Inspection(NamedTuple):
    """From what the first cells of an extraction are started."""

    images: SeedImages
    """In bins of pixels."""

    bin_px: tuple[int, ...]
    """Rows and columns of the movie in a bin."""

    bin_frames: int
    """Frames of the movie that were averaged."""


def inspect_seeds(
    movie: Movie,
    params: CnmfeParams,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Inspection:
    """Rate each place of a movie as a seed, exactly as `extract_sources_one_photon` begins.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CnmfeParams
        Settings; ``min_corr`` and ``min_pnr`` play no part.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for frames.
    progress : callable
        Told the phase and how far it is; may raise to cancel.

    Returns
    -------
    Inspection
        Images of the movie without its ring background.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.
    """
    small = prepare_small(
        movie,
        for_movie(params, movie),
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
        keeps_pixels=False,
    )
    images = first_images(small, threads=threads, progress=progress)
    return Inspection(images, small.grid.bin_px, small.grid.bin_frames)


def seed_places_px(
    images: SeedImages,
    bin_px: tuple[int, ...],
    params: CnmfeParams,
) -> NDArray[np.float64]:
    """Return where cells would be started, ``(n_seeds, 2)`` in pixels of the movie, rows first.

    Parameters
    ----------
    images : SeedImages
        Of `inspect_seeds`.
    bin_px : tuple of int
        Rows and columns of the movie in a bin of the images.
    params : CnmfeParams
        Half-size of a cell, which must be known, and the two thresholds.

    Returns
    -------
    array, (n_seeds, 2)
        Centres of bins, the best first; those that are started in the first round.
    """
    gsig = tuple(g / b for g, b in zip(params.half_sizes_px, bin_px, strict=True))
    seeds = pick_seeds(images, (gsig[0], gsig[1]), min_corr=params.min_corr, min_pnr=params.min_pnr)
    return np.asarray((seeds + 0.5) * np.array(bin_px) - 0.5)
