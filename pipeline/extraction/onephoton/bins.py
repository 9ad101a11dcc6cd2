"""The bins of frames and pixels in which a movie is searched, and how much room they take."""

import numpy as np

from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.survey import Grid
from pipeline.movie import Movie

SMALL_GSIG_PX = 1.75
"""Half-size that a cell has in the small movie, in its pixels."""

SMALL_COPIES = 2
"""Size of the small movie and of the means of its blocks, relative to it, at most."""

BINS_PER_DECAY = 2.5
"""A transient is found best in bins of about its own length, which average the noise."""


def plan_small(movie: Movie, params: CnmfeParams) -> Grid:
    """Choose bins that keep a cell and a transient resolved.

    Parameters
    ----------
    movie : Movie
        With a known rate.
    params : CnmfeParams
        Settings.

    Returns
    -------
    Grid
        The bins, which do not depend on the length of the movie.
    """
    n_rows, n_cols = movie.frame_shape
    rows, cols = (max(1, round(gsig / SMALL_GSIG_PX)) for gsig in params.half_sizes_px)
    shape = -(-n_rows // rows), -(-n_cols // cols)
    decay_frames = params.decay_time_s * movie.require_rate_hz()
    cell_of_pixel = (np.arange(n_rows) // rows)[:, np.newaxis] * shape[1] + (
        np.arange(n_cols) // cols
    )
    bin_frames = max(1, round(decay_frames / BINS_PER_DECAY))
    return Grid(
        bin_frames=bin_frames,
        decay_bins=decay_frames / bin_frames,
        keeps_pixels=bin_frames > 1,
        bin_px=(rows, cols),
        shape=shape,
        cell_of_pixel=cell_of_pixel.ravel(),
    )


def filed_bytes(movie: Movie, params: CnmfeParams) -> int:
    """Return how large the copies of a movie are that lie in temporary files.

    Parameters
    ----------
    movie : Movie
        With a known rate; no frame of it is read.
    params : CnmfeParams
        Settings, with a known half-size of a cell.
    """
    grid = plan_small(movie, params)
    n_small = grid.shape[0] * grid.shape[1]
    values = SMALL_COPIES * n_small + grid.keeps_pixels * grid.cell_of_pixel.size
    return int(4 * values * -(-movie.n_frames // grid.bin_frames))
