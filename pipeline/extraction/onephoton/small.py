"""The small movie, in which cells are sought and the background is fitted.

It lies in a temporary file and is read a few bins at a time, so that bins are never longer than a
transient wants and memory does not grow with the movie.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import Progress
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import around_mean, mean_of_rows
from pipeline.extraction.onephoton.bins import plan_small
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.haze import find_haze
from pipeline.extraction.onephoton.lattice import Lattice, make_lattice
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.rest import Rest, RestOfBlocks
from pipeline.extraction.onephoton.ring import RingBackground, fit_gain, fit_ring
from pipeline.extraction.onephoton.samples import noise_of
from pipeline.extraction.suitability import check_kept, check_movie
from pipeline.extraction.survey import Grid, Survey, survey_movie
from pipeline.movie import Movie
from pipeline.scratch import ScratchFrames, by_rows, put_aside, scratch_array, some_rows

CELL_GSIGS = 4.0
"""Diameter of a cell, in half-sizes."""

MIN_RING_BLOCKS = 2.0
"""Smallest radius of the ring, in blocks, so that a block does not predict itself."""


@dataclass(frozen=True, kw_only=True)
class SmallMovie:
    """The small movie and the blocks in which its background is modelled."""

    survey: Survey
    """The movie, in bins."""

    field: Field
    """Its pixels."""

    lattice: Lattice
    """The blocks of its pixels."""

    block_px: tuple[int, int]
    """Pixels of the small movie in a block."""

    radius_blocks: tuple[float, float]
    """Radius of the ring."""

    noise: NDArray[np.float32]
    """Of each pixel without the background, ``(n_small_pixels,)``."""

    mean: NDArray[np.float32]
    """Of each pixel, ``(n_small_pixels,)``."""

    coarse: ScratchFrames
    """Mean of each block, ``(n_bins, n_blocks)``."""

    first: RingBackground | None = None
    """The background before any cell is known; None while it is being fitted."""

    @property
    def frames(self) -> ScratchFrames:
        """``(n_bins, n_small_pixels)``."""
        return ScratchFrames(self.survey.small)

    @property
    def n_bins(self) -> int:
        """Its length."""
        return len(self.survey.small)

    @property
    def frame_noise(self) -> NDArray[np.float32]:
        """Noise of each pixel of the movie without the background, ``(n_pixels,)``.

        Differences of frames also hold what the background does from frame to frame.
        """
        n_averaged = self.grid.bin_frames * self.grid.bin_px[0] * self.grid.bin_px[1]
        without = np.sqrt(n_averaged) * self.noise[self.grid.cell_of_pixel]
        return np.asarray(np.minimum(self.survey.noise, without), np.float32)

    @property
    def grid(self) -> Grid:
        """How it is binned."""
        return self.survey.grid

    def background(self, cells: Cells, like: RingBackground | None = None) -> RingBackground:
        """Return the background of the small movie, given the cells that are known there.

        It is fitted, unless that of other cells is given, whose ring and gain are then taken.
        """
        flat = _flat_background(self.lattice, self.mean, cells)
        if like:
            return replace(flat, haze=like.haze, ring=like.ring, gain=like.gain)
        coarse = RestOfBlocks(coarse=self.coarse, background=flat)
        haze = find_haze(coarse, self.lattice, self.radius_blocks)
        background = replace(flat, haze=haze)
        if not cells.shine:
            ring = fit_ring(coarse, self.lattice, self.radius_blocks)
            background = replace(background, ring=ring)
        return replace(background, gain=fit_gain(self.frames, background, cells.footprints))

    def rest(self, background: RingBackground, cells: Cells) -> Rest:
        """Return the small movie without background and cells, ``(n_bins, n_rows, n_cols)``."""
        return Rest(frames=self.frames, background=background, cells=cells, field=self.field)

    def shrunk(self, cells: Cells) -> Cells:
        """Return cells of the movie, of all its frames or bins, as the small movie has them."""
        grid = self.grid
        count = np.bincount(grid.cell_of_pixel, minlength=grid.shape[0] * grid.shape[1])
        mean = sparse.csr_array(
            (
                (1 / count[grid.cell_of_pixel]).astype(np.float32),
                (grid.cell_of_pixel, np.arange(grid.cell_of_pixel.size)),
            ),
            shape=(count.size, grid.cell_of_pixel.size),
        )
        if cells.calcium.shape[1] == self.n_bins:
            return Cells(sparse.csc_array(mean @ cells.footprints), cells.calcium)
        starts = np.arange(0, cells.calcium.shape[1], grid.bin_frames)
        lengths = np.diff([*starts, cells.calcium.shape[1]])
        calcium = by_rows(
            lambda some: np.add.reduceat(some, starts, axis=1) / lengths,
            cells.calcium,
            n_columns=len(starts),
        )
        return Cells(sparse.csc_array(mean @ cells.footprints), calcium)

    def enlarged(self, fitted: RingBackground, cells: Cells, field: Field) -> RingBackground:
        """Return a background of the small movie on the pixels and frames of the movie."""
        rows, cols = (a * b for a, b in zip(self.block_px, self.grid.bin_px, strict=True))
        lattice = make_lattice(field.frame_shape, field.usable, (rows, cols))
        flat = _flat_background(lattice, self.survey.mean, cells)
        gain = fitted.gain[self.grid.cell_of_pixel]
        return replace(flat, haze=fitted.haze, ring=fitted.ring, gain=gain)


def prepare_small(
    movie: Movie,
    params: CnmfeParams,
    *,
    threads: int,
    memory_bytes: int,
    progress: Progress,
    keeps_pixels: bool = True,
) -> SmallMovie:
    """Read the movie once for its statistics and its small copy, and for its bins of all pixels.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.
    """
    check_movie(movie, params.shared, memory_bytes=memory_bytes)
    grid = plan_small(movie, params)
    survey = survey_movie(
        movie,
        grid if keeps_pixels else grid._replace(keeps_pixels=False),
        threads=threads,
        memory_bytes=memory_bytes // 2,
        progress=progress,
    )
    survey = survey.without_border(params.shared.border_by_axis_px, movie.frame_shape)
    check_kept(movie, survey)
    small = make_small(survey, params)
    nothing = no_cells(small)
    first = small.background(nothing)
    return replace(small, first=first, noise=noise_of(small.rest(first, nothing)))


def no_cells(small: SmallMovie) -> Cells:
    """Return that nothing is known of the cells of a small movie."""
    n_bins, n_pixels = small.survey.small.shape
    return Cells(
        sparse.csc_array((n_pixels, 0), dtype=np.float32), np.empty((0, n_bins), np.float32)
    )


def make_small(survey: Survey, params: CnmfeParams) -> SmallMovie:
    """Plan the blocks and the ring of a small movie."""
    grid = survey.grid
    n_small = grid.shape[0] * grid.shape[1]
    usable = np.bincount(grid.cell_of_pixel[survey.usable], minlength=n_small) > 0
    gsig = tuple(g / b for g, b in zip(params.half_sizes_px, grid.bin_px, strict=True))
    asked = (
        [params.background_bin_px] * 2
        if params.background_bin_px
        else [1.2 * g for g in params.half_sizes_px]
    )
    rows, cols = (max(1, round(a / b)) for a, b in zip(asked, grid.bin_px, strict=True))
    radius = [
        max(MIN_RING_BLOCKS, params.ring_radius_factor * CELL_GSIGS * g / block)
        for g, block in zip(gsig, (rows, cols), strict=True)
    ]
    lattice = make_lattice(grid.shape, usable, (rows, cols))
    mean, coarse = _means(survey.small, lattice)
    return SmallMovie(
        survey=survey,
        field=Field(grid.shape, usable, (gsig[0], gsig[1])),
        lattice=lattice,
        block_px=(rows, cols),
        radius_blocks=(radius[0], radius[1]),
        noise=np.zeros(n_small, np.float32),
        mean=mean,
        coarse=ScratchFrames(coarse),
    )


def _means(
    frames: NDArray[np.float32], lattice: Lattice
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of each pixel, and that of each block in each of the frames."""
    total = np.zeros(frames.shape[1])
    coarse = scratch_array((len(frames), lattice.usable.size))
    for some in some_rows(frames):
        total += frames[some].sum(axis=0, dtype=np.float64)
        coarse[some] = lattice.means(frames[some])
        put_aside(coarse)
    return (total / len(frames)).astype(np.float32), coarse


def on_blocks(footprints: sparse.csc_array, lattice: Lattice) -> sparse.csr_array:
    """Return the mean of footprints over each block, ``(n_blocks, n_rois)``."""
    pixels = np.arange(lattice.share.size)
    mean = sparse.csr_array(
        (lattice.share, (lattice.block_of_pixel, pixels)),
        shape=(lattice.usable.size, pixels.size),
    )
    return sparse.csr_array(mean @ footprints).astype(np.float32)


def _flat_background(lattice: Lattice, mean: NDArray[np.float32], cells: Cells) -> RingBackground:
    """Return a background that does not fluctuate, given the mean of the movie and the cells."""
    average = mean_of_rows(cells.calcium, np.float32)
    return RingBackground(
        haze=None,
        ring=None,
        lattice=lattice,
        level=(mean - cells.footprints @ average).astype(np.float32),
        gain=np.ones(mean.size, np.float32),
        coarse_level=lattice.means(mean[np.newaxis])[0],
        coarse_footprints=on_blocks(cells.footprints, lattice),
        calcium=around_mean(cells.calcium),
    )
