"""How frames are cut so that the search for cells fits the memory."""

import math
from itertools import product
from typing import NamedTuple

from pipeline.extraction.params import CnmfParams
from pipeline.extraction.survey import BINNED_MOVIE_COPIES, SEED_GSIG_PX, SMALL_MOVIE_COPIES
from pipeline.movie import Movie
from pipeline.window import Part, part_shape

OVERLAP_GSIGS = 3.0
"""How far a patch looks beyond the part that it answers for, so that a whole cell is seen."""

MIN_CORE_GSIGS = 8.0
"""A patch answers for at least so many half-sizes; a smaller one would read far more than that."""

SURVEY_BYTES = 160
"""Memory of a pixel for its statistics, which the blocks under work have, too."""


class Patch(NamedTuple):
    """A part of the frames in which cells are sought by themselves."""

    core: Part
    """Where it answers for the cells: every pixel lies in one core."""

    seen: Part
    """What it looks at: the core and the size of a cell around it."""


def plan_patches(movie: Movie, params: CnmfParams, *, memory_bytes: int) -> list[Patch]:
    """Cut frames into few patches of which each fits the memory, in bins of half a transient.

    Parameters
    ----------
    movie : Movie
        ``(n_frames, [n_planes,] n_rows, n_cols)``, with a known rate.
    params : CnmfParams
        Settings; an axis is cut where it is longest in half-sizes of a cell.
    memory_bytes : int
        Memory for the binned copies of a patch.

    Returns
    -------
    list of Patch
        In order; a single one where all of it fits. They do not get smaller than is of use: a
        movie that is very long gets longer bins instead.
    """
    counts = [1] * len(movie.frame_shape)
    while not _fits(cut(movie.frame_shape, counts, params), movie, params, memory_bytes):
        cores = [
            length / count / gsig
            for length, count, gsig in zip(
                movie.frame_shape, counts, params.half_sizes_px, strict=True
            )
        ]
        longest = max(range(len(cores)), key=cores.__getitem__)
        count = counts[longest] + 1
        if movie.frame_shape[longest] / count < MIN_CORE_GSIGS * params.half_sizes_px[longest]:
            break
        counts[longest] = count
    return cut(movie.frame_shape, counts, params)


def holds_transients(movie: Movie, params: CnmfParams, *, memory_bytes: int) -> bool:
    """Return whether the memory holds whole frames in bins that are no longer than a transient.

    Parameters
    ----------
    movie : Movie
        With a known rate.
    params : CnmfParams
        Settings.
    memory_bytes : int
        Memory for the binned copies.
    """
    n_small = math.prod(
        -(-length // max(1, round(gsig / SEED_GSIG_PX)))
        for length, gsig in zip(movie.frame_shape, params.half_sizes_px, strict=True)
    )
    longest_bin = max(1, int(params.decay_time_s * movie.require_rate_hz()))
    n_bins = math.ceil(movie.n_frames / longest_bin)
    return 4 * SMALL_MOVIE_COPIES * n_bins * n_small <= memory_bytes


def cut(frame_shape: tuple[int, ...], counts: list[int], params: CnmfParams) -> list[Patch]:
    """Cut each axis into as many equal parts, and look beyond each by the size of a cell."""
    along = []
    for length, count, gsig in zip(frame_shape, counts, params.half_sizes_px, strict=True):
        beyond = math.ceil(OVERLAP_GSIGS * gsig)
        ends = [length * place // count for place in range(count + 1)]
        pairs = zip(ends[:-1], ends[1:], strict=True)
        along.append(
            [(slice(a, b), slice(max(0, a - beyond), min(length, b + beyond))) for a, b in pairs]
        )
    return [
        Patch(tuple(core for core, _ in axes), tuple(seen for _, seen in axes))
        for axes in product(*along)
    ]


def _fits(patches: list[Patch], movie: Movie, params: CnmfParams, memory_bytes: int) -> bool:
    """Return whether the largest patch, in bins of half a transient, fits the memory."""
    n_pixels = max(math.prod(part_shape(patch.seen)) for patch in patches)
    n_small = n_pixels / math.prod(
        max(1, round(gsig / SEED_GSIG_PX)) for gsig in params.half_sizes_px
    )
    longest_bin = max(1, int(params.decay_time_s * movie.require_rate_hz() / 2))
    n_bins = math.ceil(movie.n_frames / longest_bin)
    binned_bytes = 4 * n_bins * (SMALL_MOVIE_COPIES * n_small + BINNED_MOVIE_COPIES * n_pixels)
    return max(binned_bytes, 2 * SURVEY_BYTES * n_pixels) <= memory_bytes
