"""Footprints that an extraction begins with instead of seeking cells."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.movie import Movie


def check_seeds(seeds: sparse.csc_array | None, movie: Movie) -> None:
    """Refuse footprints that are not of the frames of a movie.

    Parameters
    ----------
    seeds : sparse array, (n_pixels, n_cells), or None
        Footprints or masks; None: cells are sought.
    movie : Movie
        What they are for.

    Raises
    ------
    ValueError
        If they have other pixels, or weights that are negative or not finite.
    """
    if seeds is None:
        return
    n_pixels = math.prod(movie.frame_shape)
    if seeds.shape[0] != n_pixels:
        raise ValueError(
            f"the seeds have {seeds.shape[0]} pixels and the frames of {movie.name} "
            f"{n_pixels}; give footprints of this frame."
        )
    if seeds.nnz and not (np.isfinite(seeds.data).all() and seeds.data.min() >= 0):
        raise ValueError("the seeds must have finite weights of at least 0.")


def usable_seeds(seeds: sparse.csc_array, usable: NDArray[np.bool_]) -> sparse.csc_array:
    """Return what of footprints lies on usable pixels; those of which nothing does are left out.

    Parameters
    ----------
    seeds : sparse array, (n_pixels, n_cells)
        Footprints or masks.
    usable : array, (n_pixels,)
        Pixels that may belong to a cell.

    Returns
    -------
    sparse array, (n_pixels, n_left)
        In float32.
    """
    inside = sparse.diags_array(usable.astype(np.float32))
    footprints = sparse.csc_array(inside @ seeds, dtype=np.float32)
    footprints.eliminate_zeros()
    footprints.sort_indices()
    return sparse.csc_array(footprints[:, np.diff(footprints.indptr) > 0])
