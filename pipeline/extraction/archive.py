"""The traces and the background of an extraction as a Zarr folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.mosaic import Axis, BackgroundImages, Spread
from pipeline.extraction.sources import Sources
from pipeline.scratch import put_aside

CHUNK_VALUES = 1 << 18
TRACES = ("raw", "denoised", "dff", "spikes")
OPTIONAL = {"background": "under", "neuropil": "neuropil"}
"""Traces that not every extraction has, and what they are called there."""

SPATIAL = "background_spatial"
SPARSE = ("data", "indices", "indptr")
"""Parts of a sparse array in compressed columns."""


def save_sources(sources: Sources, folder: Path) -> None:
    """Write the traces and the background of an extraction.

    Parameters
    ----------
    sources : Sources
        What was found.
    folder : Path
        Becomes a Zarr group with the arrays ``raw``, ``denoised``, ``dff`` and ``spikes``
        ``(n_rois, n_frames)``, where there are any also ``background`` under each component and
        its ``neuropil``, and the whole background: ``background_temporal`` ``(n_courses,
        n_frames)`` and ``background_spatial`` ``(n_pixels, n_courses)``. The latter, where it is
        sparse, is written in compressed columns: ``background_spatial_data``, ``_indices`` and
        ``_indptr``; where it is interpolated between blocks, as what is constant in a pixel and the
        place of the blocks, which `read_background_images` knows.
    """
    group = zarr.open_group(folder, mode="w")
    arrays = {name: getattr(sources, name) for name in TRACES if name != "raw"}
    optional = {name: getattr(sources, field) for name, field in OPTIONAL.items()}
    arrays |= {name: traces for name, traces in optional.items() if traces is not None}
    arrays["background_temporal"] = sources.background.temporal
    spatial = sources.background.spatial
    if isinstance(spatial, np.ndarray):
        arrays[SPATIAL] = spatial
    elif isinstance(spatial, BackgroundImages):
        arrays |= {f"{SPATIAL}_{part}": array for part, array in _of_images(spatial).items()}
    else:
        arrays |= {f"{SPATIAL}_{part}": getattr(spatial, part) for part in SPARSE}
    for name, array in arrays.items():
        _write(group, name, array)
    _write(group, "raw", sources.denoised, sources.residuals)


def read_traces(folder: Path) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Read the traces of an extraction, one component after the other.

    Parameters
    ----------
    folder : Path
        Written by `save_sources`.

    Yields
    ------
    dict
        ``raw``, ``denoised``, ``dff`` and ``spikes`` of a component, each ``(n_frames,)``, and
        ``background`` and ``neuropil`` where they were written.
    """
    group: Any = zarr.open_group(folder, mode="r")
    arrays = {name: group[name] for name in (*TRACES, *OPTIONAL) if name in group}
    n_rois, chunk_rois = arrays["raw"].shape[0], arrays["raw"].chunks[0]
    for start in range(0, n_rois, chunk_rois):
        block = {name: array[start : start + chunk_rois] for name, array in arrays.items()}
        for row in range(len(block["raw"])):
            yield {name: traces[row] for name, traces in block.items()}


def read_background_images(
    group: Any, n_pixels: int
) -> BackgroundImages | sparse.csc_array | NDArray[np.float32]:
    """Read the images of the background of an extraction, ``(n_pixels, n_courses)``.

    Parameters
    ----------
    group : zarr.Group
        Written by `save_sources`.
    n_pixels : int
        Of a frame.

    Returns
    -------
    BackgroundImages, array or sparse array
        As ``spatial`` of `Background` was.
    """
    if SPATIAL in group:
        return np.asarray(group[SPATIAL][:], np.float32)
    if f"{SPATIAL}_constant" in group:
        return _images_in(group)
    parts = tuple(group[f"{SPATIAL}_{part}"][:] for part in SPARSE)
    return sparse.csc_array(parts, shape=(n_pixels, parts[2].size - 1))


def _of_images(images: BackgroundImages) -> dict[str, NDArray[Any]]:
    """Return images between blocks as arrays by their name."""
    spread = images.spread
    arrays: dict[str, NDArray[Any]] = {
        "constant": images.constant,
        "usable": spread.usable,
        "choice": spread.choice,
        "counts": np.array([axis.n_blocks for axis in spread.axes] + [spread.n_blocks]),
    }
    for number, axis in enumerate(spread.axes):
        parts = {"block": axis.block, "near": axis.near, "weight": axis.weight}
        arrays |= {f"{name}_{number}": part for name, part in parts.items()}
    return arrays


def _images_in(group: Any) -> BackgroundImages:
    """Return images between blocks that were written."""

    def read(name: str) -> NDArray[Any]:
        return np.asarray(group[f"{SPATIAL}_{name}"][:])

    *counts, n_blocks = read("counts").tolist()
    axes = tuple(
        Axis(read(f"block_{k}"), read(f"near_{k}"), read(f"weight_{k}"), count)
        for k, count in enumerate(counts)
    )
    return BackgroundImages(
        read("constant"), Spread(axes, read("choice"), n_blocks, read("usable"))
    )


def _write(group: Any, name: str, *terms: NDArray[Any]) -> None:
    """Write the sum of arrays, of which a chunk is read at a time."""
    first, chunks = terms[0], _chunks(terms[0])
    array = group.create_array(name, shape=first.shape, dtype=first.dtype, chunks=chunks)
    for start in range(0, len(first), chunks[0]):
        rows = slice(start, start + chunks[0])
        array[rows] = sum((term[rows] for term in terms[1:]), first[rows])
        put_aside(*terms)


def _chunks(array: NDArray[Any]) -> tuple[int, ...]:
    """Cut along the first axis, so that one trace is read without the others."""
    row = max(1, int(np.prod(array.shape[1:])))
    return (max(1, min(array.shape[0], CHUNK_VALUES // row)), *(max(1, n) for n in array.shape[1:]))
