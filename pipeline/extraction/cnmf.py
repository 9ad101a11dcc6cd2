"""Constrained non-negative matrix factorisation of a movie of one plane.

The movie is modelled as footprints times calcium, plus a background that is smooth in space, plus
noise. Footprints come from a copy of the movie in bins of frames, and traces from the movie itself,
which is read in blocks. Bins and long traces lie in temporary files: memory does not grow with the
movie, which is read twice, or in patches where even the bins do not fit.

References
----------
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037.
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.factorisation import find_footprints, trace_sources
from pipeline.extraction.known import check_seeds
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.patches import holds_transients
from pipeline.extraction.patchwise import extract_in_patches
from pipeline.extraction.sources import Sources
from pipeline.extraction.stream import Stream
from pipeline.extraction.suitability import check_kept, check_movie
from pipeline.extraction.survey import plan_grid, survey_movie
from pipeline.extraction.task import Task
from pipeline.movie import Movie


def extract_sources(
    movie: Movie,
    params: CnmfParams,
    *,
    seeds: sparse.csc_array | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Find the cells of a movie of one plane, their traces and the background.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CnmfParams
        Settings.
    seeds : sparse array, (n_pixels, n_cells), optional
        Footprints or masks to begin with, pixels in C order, instead of seeking cells. They may
        change, merge, or vanish where the movie does not support them.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for frames; long traces lie in a temporary file.
    progress : callable
        Told the phase and how far it is; may raise to cancel.

    Returns
    -------
    Sources
        All components, accepted or not; none found is a valid result.

    Raises
    ------
    ValueError
        If the movie has several planes, no rate, too few frames, or does not fit the settings.

    Notes
    -----
    A value that is not finite is missing. A pixel that misses in more than a tenth of the frames
    belongs to no footprint and to no background; elsewhere the mean of the pixel stands in. A
    frame without any finite value is left out and NaN in every trace. A pixel that never changes
    is dead and left out, too.

    Cells are sought in a copy of the movie, in bins of frames. Where the memory does not hold it in
    bins of a transient, they are sought in patches, which overlap by the size of a cell; a cell
    belongs to the patch in whose core its centre lies. A warning says where a bin gets longer than
    a transient all the same.
    """
    params = for_movie(params, movie)
    check_movie(movie, params, memory_bytes=memory_bytes)
    check_seeds(seeds, movie)
    budget = memory_bytes // 2
    if not holds_transients(movie, params, memory_bytes=budget):
        task = Task(
            movie=movie,
            params=params,
            threads=threads,
            memory_bytes=budget,
            progress=progress,
            seeds=seeds,
        )
        return extract_in_patches(task)
    grid = plan_grid(movie, params, memory_bytes=budget)
    survey = survey_movie(movie, grid, threads=threads, memory_bytes=budget, progress=progress)
    survey = survey.without_border(params.border_by_axis_px, movie.frame_shape)
    check_kept(movie, survey)
    stream = Stream(
        movie=movie,
        fill=survey.mean,
        kept=survey.kept,
        threads=threads,
        memory_bytes=budget,
        progress=progress,
    )
    model = find_footprints(stream, survey, params, seeds)
    return trace_sources(model, stream, survey, params)
