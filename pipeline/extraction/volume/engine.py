"""CNMF of volumes: as of a plane, with cells that reach through planes.

Cells are sought in patches, so many that each fits the memory, and their traces and the background
are taken from one slab of planes after the other, each read in blocks of frames. Memory does not
grow with the frames, and hardly with the volume: long traces lie in temporary files.

References
----------
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037.
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.known import check_seeds
from pipeline.extraction.patchwise import extract_in_patches
from pipeline.extraction.sources import Sources
from pipeline.extraction.task import Task
from pipeline.extraction.volume.params import Cnmf3dParams
from pipeline.extraction.volume.plane_by_plane import extract_planes
from pipeline.extraction.volume.suitability import check_volume
from pipeline.movie import Movie


def extract_sources_3d(
    movie: Movie,
    params: Cnmf3dParams,
    *,
    seeds: sparse.csc_array | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Find the cells of a volumetric movie, their traces and the background.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_planes, n_rows, n_cols)``, with a known rate of volumes.
    params : Cnmf3dParams
        Settings.
    seeds : sparse array, (n_pixels, n_cells), optional
        Footprints or masks to begin with, pixels in C order of
        planes, rows and columns, instead of seeking cells. They may change,
        merge, or vanish where the movie does not support them.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for frames; long traces lie in a temporary file.
    progress : callable
        Told the phase and how far it is; may raise to cancel.

    Returns
    -------
    Sources
        All components, accepted or not; none found is a valid result. Pixels of the footprints
        are in C order of planes, rows and columns.

    Raises
    ------
    ValueError
        If the movie has no planes, no rate, too few frames, or does not fit the settings.

    Notes
    -----
    What is missing or dead is left out as by `extract_sources`; so is a plane that has no finite
    value, as motion correction may leave one at each end. A volume of a single plane is valid.

    Where the memory does not hold the volume in bins of half a transient, it is cut into patches,
    which overlap by the size of a cell; a cell belongs to the patch in whose core its centre lies.
    A warning says where a bin gets longer than a transient all the same. The movie is read at least
    once for each patch and slab: a store that gives a part of each frame, as that of corrected
    movies does, makes this quick.
    """
    params = for_movie(params, movie)
    check_volume(movie, params, memory_bytes=memory_bytes)
    check_seeds(seeds, movie)
    task = Task(
        movie=movie,
        params=params,
        threads=threads,
        memory_bytes=memory_bytes // 2,
        progress=progress,
        seeds=seeds,
    )
    return extract_planes(task) if params.planes == "each" else extract_in_patches(task)
