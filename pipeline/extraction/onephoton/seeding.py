"""Where the cells are: seeds in a small movie, found in rounds on what is not yet explained."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipeline.blocks import DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import chosen_rows, joined_rows
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.images import SeedImages, pick_seeds, seed_images
from pipeline.extraction.onephoton.local import start_cells
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.rest import Rest
from pipeline.extraction.onephoton.ring import RingBackground, RingStream
from pipeline.extraction.onephoton.small import SmallMovie, no_cells
from pipeline.extraction.spatial import dilated, update_footprints
from pipeline.extraction.temporal import above_median, update_traces
from pipeline.movie import Movie
from pipeline.scratch import ScratchFrames

MAX_ROUNDS = 5
MIN_NEW_FRACTION = 0.2
"""Least peak of a new cell, relative to that of a known cell in the same place."""


def first_images(
    small: SmallMovie, *, threads: int = DEFAULT_THREADS, progress: Progress = no_progress
) -> SeedImages:
    """Return the images from which the first cells are started."""
    nothing = no_cells(small)
    rest = small.rest(small.first or small.background(nothing), nothing)
    images, _ = seed_images(rest, small.field.gsig_px, threads=threads, progress=progress)
    return images


def find_cells(
    small: SmallMovie, params: CnmfeParams, *, threads: int, memory_bytes: int, progress: Progress
) -> Cells:
    """Find cells in the small movie until none is left above the thresholds."""
    cells = no_cells(small)
    background = small.first or small.background(cells)
    for done in range(MAX_ROUNDS):
        search = _Search(
            small=small,
            params=params,
            threads=threads,
            memory_bytes=memory_bytes,
            progress=_in_round(progress, done),
        )
        found = search.round(small.rest(background, cells))
        if not len(found.calcium):
            break
        joined = Cells(
            sparse.csc_array(sparse.hstack([cells.footprints, found.footprints])),
            joined_rows([cells.calcium, found.calcium], small.n_bins),
        )
        cells = search.refined(joined, small.background(joined, background))
        background = small.background(cells)
    progress("finding cells", MAX_ROUNDS, MAX_ROUNDS)
    return cells


def one_block(field: Field) -> Field:
    """Return a field in which one block covers all: what all pixels share is the ring's to find."""
    return field._replace(gsig_px=(float(field.frame_shape[0]), float(field.frame_shape[1])))


def _in_round(progress: Progress, done: int) -> Progress:
    """Return a progress that tells the rounds done; each of their blocks may cancel."""

    def tell(*_: object) -> None:
        progress("finding cells", done, MAX_ROUNDS)

    return tell


@dataclass(frozen=True, kw_only=True)
class _Search:
    """How cells are sought."""

    small: SmallMovie
    """Where."""

    params: CnmfeParams
    """Settings."""

    threads: int
    """Blocks worked on at once."""

    memory_bytes: int
    """Memory for blocks."""

    progress: Progress
    """Told when a block is done; may raise to cancel."""

    def round(self, rest: Rest) -> Cells:
        """Take every seed as a cell, unless a known one accounts for it.

        What a bright cell leaves where its shape does not quite fit is small beside the cell.
        """
        field = self.small.field
        images, filtered = seed_images(
            rest, field.gsig_px, threads=self.threads, progress=self.progress
        )
        seeds = pick_seeds(
            images, field.gsig_px, min_corr=self.params.min_corr, min_pnr=self.params.min_pnr
        )
        pixels = seeds @ [field.frame_shape[1], 1]
        seeds, pixels = seeds[field.usable[pixels]], pixels[field.usable[pixels]]
        if not len(seeds):
            return no_cells(self.small)
        least = MIN_NEW_FRACTION * rest.cells.peaks()[pixels]
        return start_cells(
            filtered, seeds, field, least=least, threads=self.threads, progress=self.progress
        )

    def refined(self, cells: Cells, background: RingBackground) -> Cells:
        """Fit all cells together, so that what they explain is not found again."""
        stream, field = self._stream(background), self.small.field
        traces = update_traces(stream, *cells, field=one_block(field), gnb=1, denoise=above_median)
        footprints, calcium = update_footprints(
            stream,
            dilated(cells.footprints, field),
            traces.calcium,
            traces.courses,
            noise=self.small.noise,
        )
        alive = np.diff(footprints.indptr) > 0
        return Cells(sparse.csc_array(footprints[:, alive]), chosen_rows(calcium, alive))

    def _stream(self, background: RingBackground) -> RingStream:
        """Return the small movie as it is read without its background."""
        frames = self.small.survey.small.reshape(-1, *self.small.field.frame_shape)
        return RingStream(
            movie=Movie(source=ScratchFrames(frames)),
            fill=None,
            kept=np.ones(len(frames), np.bool_),
            threads=self.threads,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
            background=background,
        )
