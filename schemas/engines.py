"""Calling a way to find ROIs with what this machine gives."""

from pipeline.extraction.caiman_engine import Host
from pipeline.extraction.completion import complete_sources
from schemas.packed_set import PackedSet, measure_set
from schemas.resources import RESOURCES
from schemas.seeds import unpack
from schemas.store import scratch_folder


def find_sources(method, movie, params, seeds=None, *, cropped_px=0, cropped_planes=0):
    """Find the sources of a movie.

    Parameters
    ----------
    method : Method
        How; see `pipeline.extraction.methods`.
    movie : Movie
        Motion-corrected.
    params : dataclass instance
        The settings of the method.
    seeds : PackedSeeds, PackedSet or None
        Footprints to begin with, or ROIs that are only measured; None: cells are sought.
    cropped_px : int
        Width of the edge of a recorded frame that the movie lacks.
    cropped_planes : int
        Planes that it lacks at each end.

    Returns
    -------
    Sources
        What was found, with its grey levels and, if asked for, its neuropil.
    """
    if isinstance(seeds, PackedSet):
        return measure_set(movie, params, seeds, (cropped_planes, cropped_px))
    resources = RESOURCES.get()
    shared = resources.as_arguments()
    arguments = dict(shared)
    if seeds is not None:
        arguments["seeds"] = unpack(seeds, movie.frame_shape, cropped_px, cropped_planes)
    if not method.is_guest:
        sources = method.extract(movie, params, **arguments)
    else:
        with scratch_folder(resources.settings) as scratch:
            host = Host(resources.settings.caiman_python, scratch)
            sources = method.extract(movie, params, host=host, **arguments)
    return complete_sources(sources, movie, params, **shared)
