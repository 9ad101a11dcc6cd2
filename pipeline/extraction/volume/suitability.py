"""Whether a volume is one that an extraction can work on, said before any work is done."""

import math

from pipeline.extraction.suitability import check_fit
from pipeline.extraction.volume.params import Cnmf3dParams
from pipeline.movie import Movie

PIXEL_BYTES = 20
"""Memory that the work on a volume takes for each of its pixels, whatever its length, besides that
on a patch, a slab or a plane."""

PLANE_PIXEL_BYTES = 500
"""Memory that the work on a plane takes for each of its pixels."""


def check_volume(movie: Movie, params: Cnmf3dParams, *, memory_bytes: int) -> None:
    """Refuse a movie that CNMF of volumes cannot work on with these settings.

    Raises
    ------
    ValueError
        If the movie has no planes, no rate, too few frames, is smaller than a cell, or the memory
        does not hold the work on it.
    """
    if not movie.is_volume:
        raise ValueError(
            f"the method cnmf3d works on volumes, (n_frames, n_planes, n_rows, n_cols); "
            f"{movie.name} has shape {movie.shape}: use cnmf, or cnmfe for one photon."
        )
    check_fit(movie, params)
    n_planes, n_rows, n_cols = movie.frame_shape
    if 2 * params.border_planes >= n_planes:
        raise ValueError(
            f"border_planes must be below {math.ceil(n_planes / 2)}, half of the {n_planes} planes "
            f"of {movie.name}; got {params.border_planes}."
        )
    if params.planes == "together" and params.half_sizes_px[0] > n_planes:
        raise ValueError(
            f"gsig_px along planes must be at most {n_planes}, the planes of {movie.name}; got "
            f"{params.half_sizes_px[0]!r}: give three numbers, planes first, in planes and pixels."
        )
    needed = (PIXEL_BYTES * n_planes + PLANE_PIXEL_BYTES) * n_rows * n_cols
    if memory_bytes < needed:
        raise ValueError(
            f"memory_bytes must be at least {needed} for volumes of {n_planes} planes of {n_rows} "
            f"x {n_cols} pixels; got {memory_bytes}: give more, or a part of the volume."
        )
