"""What is taken from the movie when the components are known, whatever found them."""

from dataclasses import replace
from typing import Any

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.raw_range import raw_range
from pipeline.extraction.sources import Sources
from pipeline.movie import Movie
from pipeline.rois.neuropil import mean_traces, surrounds


def complete_sources(
    sources: Sources,
    movie: Movie,
    params: Any,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Return sources with their grey levels in the movie, and their neuropil if asked for.

    Parameters
    ----------
    sources : Sources
        What an extraction found.
    movie : Movie
        What it was given.
    params : dataclass instance
        Its settings; ``neuropil_px``, where they have it, asks for the neuropil.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for blocks.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    Sources
        The same with ``raw_range`` and ``neuropil``.
    """
    levels = raw_range(
        movie,
        sources.footprints,
        sources.denoised,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    width_px = getattr(params, "neuropil_px", None)
    if width_px is None or sources.neuropil is not None:
        return replace(sources, raw_range=levels)
    rings = surrounds(sources.footprints, movie.frame_shape, width_px=width_px)
    neuropil = mean_traces(
        movie, rings, threads=threads, memory_bytes=memory_bytes, progress=progress
    )
    return replace(sources, raw_range=levels, neuropil=neuropil)
