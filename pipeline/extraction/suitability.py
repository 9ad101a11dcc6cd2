"""Whether a movie is one that an extraction can work on, said before any work is done."""

import math

import numpy as np

from pipeline.checks import check_in_range
from pipeline.extraction.cell_size import CELL_GSIGS
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.survey import Survey
from pipeline.movie import Movie

MIN_FRAMES = 10
MIN_DECAY_FRAMES = 0.2
MIN_MEMORY_FRAMES = 64
"""Frames, as float32, that the memory must hold for blocks and the small movie."""


def check_movie(movie: Movie, params: CnmfParams, *, memory_bytes: int) -> None:
    """Refuse a movie that CNMF of one plane cannot work on with these settings.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, is smaller than a cell, or the
        memory does not hold enough of it.
    """
    if movie.is_volume:
        raise ValueError(
            f"this method works on one plane, (n_frames, n_rows, n_cols), and {movie.name} is a "
            f"volume of shape {movie.shape}: use the method cnmf3d."
        )
    check_fit(movie, params)
    needed = 4 * MIN_MEMORY_FRAMES * math.prod(movie.frame_shape)
    if memory_bytes < needed:
        raise ValueError(
            f"memory_bytes must be at least {needed} for frames of {movie.frame_shape[0]} x "
            f"{movie.frame_shape[1]} pixels; got {memory_bytes}."
        )


def check_fit(movie: Movie, params: CnmfParams) -> None:
    """Refuse a movie that is too short, or whose rows and columns do not hold a cell.

    Raises
    ------
    ValueError
        If the movie has no rate or too few frames, or a plane is smaller than a cell.
    """
    rate_hz = movie.require_rate_hz()
    check_in_range("decay_time_s", params.decay_time_s, MIN_DECAY_FRAMES / rate_hz, np.inf)
    if movie.n_frames < MIN_FRAMES:
        raise ValueError(
            f"{movie.name} has {movie.n_frames} frames; CNMF needs at least {MIN_FRAMES}."
        )
    n_rows, n_cols = movie.frame_shape[-2:]
    for length, gsig_px in zip((n_rows, n_cols), params.half_sizes_px[-2:], strict=True):
        if CELL_GSIGS * gsig_px > length:
            raise ValueError(
                f"gsig_px must be at most a quarter of the frame, {length / CELL_GSIGS:g} of "
                f"{length} pixels, for a cell to fit; got {gsig_px!r}: give the half-size of a "
                "cell in pixels."
            )
    if 2 * params.border_px >= min(n_rows, n_cols):
        raise ValueError(
            f"border_px must be below {min(n_rows, n_cols) // 2}, half of a frame of "
            f"{n_rows} x {n_cols} pixels; got {params.border_px}."
        )


def check_kept(movie: Movie, survey: Survey) -> None:
    """Refuse a movie that hardly has a frame with a finite value.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_FRAMES`.
    """
    if survey.kept.sum() < MIN_FRAMES:
        raise ValueError(
            f"{movie.name} has {survey.kept.sum()} frames with a finite value and needs at least "
            f"{MIN_FRAMES}; check how it was motion-corrected."
        )
