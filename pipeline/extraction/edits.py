"""ROIs that are added to those that were found: measured in what these and the background leave.

With a model of the movie, a trace is then what those that were found have: the weighted mean over
the footprint of the movie without the background and the other components.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.archive import read_background_images
from pipeline.extraction.background import under_footprints
from pipeline.extraction.completion import complete_sources
from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.measured import counted, measure_rois, sources_of_traces
from pipeline.extraction.mosaic import BackgroundImages
from pipeline.extraction.sources import Sources
from pipeline.movie import Movie
from pipeline.rois.neuropil import mean_traces


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """What an extraction found, as far as it explains the movie."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)`` on the frames of the movie, as `Sources` scales them."""

    folder: Path
    """Written by `pipeline.extraction.archive.save_sources`."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """ROIs that are added, and how they are measured."""

    footprints: sparse.csc_array
    """``(n_pixels, n_added)`` on the frames of the movie, weights of any scale."""

    params: ManualParams
    """How."""

    model: FoundModel | None = None
    """What explains the movie besides them; None: nothing does, and the neuropil that the
    parameters may ask for is subtracted."""

    origins: tuple[tuple[int, ...], ...] = ()
    """For each, the columns of the model that it takes the place of."""


def measure_added(
    movie: Movie,
    added: Added,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Measure ROIs that are added to those that were found.

    Parameters
    ----------
    movie : Movie
        Read once, in blocks.
    added : Added
        The ROIs.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for blocks.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    Sources
        All accepted.

    Raises
    ------
    ValueError
        If one has no pixel in the movie.
    """
    shared: dict[str, Any] = {
        "threads": threads,
        "memory_bytes": memory_bytes,
        "progress": progress,
    }
    params = added.params
    if added.model is None:
        sources = measure_rois(movie, params, seeds=added.footprints, **shared)
    else:
        own = counted(added.footprints, weighted=params.weighted)
        under, others = _explained(own, added.model, added.origins)
        means = mean_traces(movie, own, **shared)
        sources = sources_of_traces(
            own,
            {"raw": means - under - others, "background": under},
            params,
            rate_hz=movie.require_rate_hz(),
            frame_shape=movie.frame_shape,
            threads=threads,
        )
    return complete_sources(sources, movie, params, **shared)


def _explained(
    own: sparse.csc_array, model: FoundModel, origins: Sequence[Sequence[int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the background and the light of others under ROIs, each ``(n_added, n_frames)``."""
    group: Any = zarr.open_group(model.folder, mode="r")
    total = np.asarray(own.sum(axis=0), np.float64).ravel()
    by_roi = sparse.csr_array(sparse.csr_array(own.T) / total[:, np.newaxis])
    images = read_background_images(group, own.shape[0])
    if isinstance(images, BackgroundImages):  # of many courses few are under them
        spread = sparse.csc_array(under_footprints(own, images) / total[:, np.newaxis])
        near = np.flatnonzero(np.diff(spread.indptr))
        under = spread[:, near] @ group["background_temporal"].oindex[near]
    else:
        under = (by_roi @ images) @ group["background_temporal"][:]
    overlap = sparse.lil_array(by_roi @ model.footprints)
    for row, replaced in enumerate(origins):
        overlap[row, list(replaced)] = 0
    mixing = sparse.csc_array(overlap)
    mixing.eliminate_zeros()
    light = np.zeros(under.shape)
    for column in np.flatnonzero(np.diff(mixing.indptr)):  # few overlap; the others are not read
        weights = mixing[:, [column]].toarray()
        light += weights * group["denoised"][int(column)]
    return np.asarray(under, np.float32), light.astype(np.float32)
