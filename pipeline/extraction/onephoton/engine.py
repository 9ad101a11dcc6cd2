"""CNMF-E: constrained non-negative matrix factorisation of one-photon movies.

The movie is modelled as footprints times calcium, plus a background, plus noise. As long as no cell
is known, each place of the background follows the ring around it; then it is the haze that places
further apart than a cell share. What is kept in memory does not grow with the movie.

References
----------
Zhou et al. (2018), doi:10.7554/eLife.28728.
"""

import numpy as np
from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.known import check_seeds, usable_seeds
from pipeline.extraction.long_traces import at_kept, chosen_rows
from pipeline.extraction.merging import merge_components
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.results import collect_sources
from pipeline.extraction.onephoton.seeding import find_cells
from pipeline.extraction.onephoton.task import Task, prepare_task
from pipeline.extraction.seeding import enlarged, stretched
from pipeline.extraction.sources import Sources
from pipeline.extraction.spatial import dilated, update_footprints
from pipeline.movie import Movie
from pipeline.scratch import scratch_array

REFINEMENTS = 2


def extract_sources_one_photon(
    movie: Movie,
    params: CnmfeParams,
    *,
    seeds: sparse.csc_array | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Find the cells of a one-photon movie, their traces and the background.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CnmfeParams
        Settings.
    seeds : sparse array, (n_pixels, n_cells), optional
        Footprints or masks to begin with, pixels in C order, instead of seeking cells. They may
        change, merge, or vanish where the movie does not support them.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for frames; what is longer lies in temporary files.
    progress : callable
        Told the phase and how far it is; may raise to cancel.

    Returns
    -------
    Sources
        All components, accepted or not; none found is a valid result. Its ``background`` is the
        mean image and the few leading courses of the ring background, each with its image.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.

    Notes
    -----
    A value that is not finite is missing. A pixel that misses in more than a tenth of the frames
    belongs to no footprint and to no background; elsewhere the mean of the pixel stands in. A
    frame without any finite value is left out and NaN in every trace. A pixel that never changes
    is dead or saturated and left out, too.

    Cells are sought, and the background is fitted, in a copy of the movie in bins of pixels and
    frames. Footprints come from all pixels of bins of frames, and traces from the whole movie. Both
    copies lie in temporary files.
    """
    check_seeds(seeds, movie)
    task = prepare_task(
        movie, params, threads=threads, memory_bytes=memory_bytes, progress=progress
    )
    coarse = task.in_bins()
    cells = _found(coarse) if seeds is None else _given(seeds, coarse)
    for _ in range(REFINEMENTS):
        cells = _refined(cells, coarse)
    return collect_sources(_at_frames(cells, task), task, coarse)


def _found(task: Task) -> Cells:
    """Seek cells in the small movie; return them on the pixels and kept frames of the movie."""
    found = find_cells(
        task.small,
        task.params,
        threads=task.threads,
        memory_bytes=task.memory_bytes,
        progress=task.progress,
    )
    return _at_frames(Cells(enlarged(found.footprints, task.small.grid), found.calcium), task)


def _at_frames(cells: Cells, task: Task) -> Cells:
    """Return cells with traces of bins, or of kept frames already, at the kept frames."""
    if cells.calcium.shape[1] == task.kept.sum():
        return cells
    bin_frames, n_frames = task.small.grid.bin_frames, task.movie.n_frames
    calcium = stretched(cells.calcium, bin_frames=bin_frames, n_frames=n_frames)
    return cells._replace(calcium=at_kept(calcium, task.kept))


def _given(seeds: sparse.csc_array, task: Task) -> Cells:
    """Return footprints that are given, with their traces over the first background.

    It knows nothing of the cells yet; refining them fits it again, without them.
    """
    footprints = usable_seeds(seeds, task.field.usable)
    cells = Cells(footprints, scratch_array((footprints.shape[1], int(task.kept.sum()))))
    traces = task.traces(cells, task.stream(task.background(cells)))
    return cells._replace(calcium=traces.calcium)


def _refined(cells: Cells, task: Task) -> Cells:
    """Update background, traces and footprints, and merge what turns out to be one cell."""
    stream = task.stream(task.background(cells))
    traces = task.traces(cells, stream)
    footprints, calcium = update_footprints(
        stream,
        dilated(cells.footprints, task.field),
        traces.calcium,
        traces.courses,
        noise=task.noise,
    )
    alive = np.diff(footprints.indptr) > 0
    return Cells(
        *merge_components(
            sparse.csc_array(footprints[:, alive]),
            chosen_rows(calcium, alive),
            merge_corr=task.params.merge_corr,
        )
    )
