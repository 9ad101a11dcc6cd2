"""A set of given ROIs on its way from the tables to a computation."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.extraction.completion import complete_sources
from pipeline.extraction.measured import counted, measure_rois, sources_of_traces
from pipeline.extraction.sources import Background, Sources
from pipeline.rois.given import GIVEN_TRACES
from pipeline.scratch import by_rows
from schemas.resources import RESOURCES
from schemas.seeds import PackedSeeds, pack_rows, unpack
from schemas.store import stored_path

SPATIAL, TEMPORAL = "background_spatial", "background_temporal"
"""What the background is called beside the traces that came with ROIs."""


class PackedSet(NamedTuple):
    """ROIs as they are fetched: as text, which DataJoint compares at once, unlike arrays."""

    footprints: PackedSeeds
    """Where they lie."""

    facts: str
    """JSON: name, accepted, reason and numbers of each, in their order."""

    traces: str
    """Folder of the traces that came with them; empty: they are measured."""


def fetch_set(given: Any, traces: Any, rois_id: str) -> PackedSet:
    """Fetch a set of ROIs.

    Parameters
    ----------
    given : datajoint.Table
        ``RoiSet``.
    traces : datajoint.Table
        ``GivenTraces``.
    rois_id : str
        Which.
    """
    key = {"rois_id": rois_id}
    rows = (given.Roi & key).to_dicts(order_by="roi_id")
    names = ("name", "accepted", "reason", "numbers")
    facts = [{name: row[name] for name in names} for row in rows]
    folders = (traces & key).to_dicts()
    folder = stored_path(RESOURCES.get().settings, folders[0]["traces"]) if folders else ""
    shape = tuple((given & key).fetch1("frame_shape"))
    return PackedSet(pack_rows(rows, shape), json.dumps(facts, default=int), str(folder))


def measure_set(movie: Any, params: Any, packed: PackedSet, cropped: Sequence[int]) -> Sources:
    """Return what a movie, or the traces that came with them, tell of given ROIs.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, if it was.
    params : ManualParams
        How they are measured.
    packed : PackedSet
        The ROIs.
    cropped : sequence of int
        What was cut off on each side, in planes and in pixels.

    Returns
    -------
    Sources
        With what came with them in the place of what is computed.
    """
    shared = RESOURCES.get().as_arguments()
    footprints = unpack(packed.footprints, movie.frame_shape, cropped[1], cropped[0])
    if packed.traces:
        group: Any = zarr.open_group(packed.traces, mode="r")
        sources = sources_of_traces(
            counted(footprints, weighted=params.weighted),
            {name: by_rows(np.asarray, group[name]) for name in group if name in GIVEN_TRACES},
            params,
            rate_hz=movie.require_rate_hz(),
            frame_shape=movie.frame_shape,
            threads=shared["threads"],
        )
        if TEMPORAL in group:
            background = _background(group, tuple(packed.footprints.frame_shape), cropped)
            sources = replace(sources, background=background)
    else:
        sources = measure_rois(movie, params, seeds=footprints, **shared)
        sources = complete_sources(sources, movie, params, **shared)
    facts = json.loads(packed.facts)
    return replace(
        sources,
        accepted=np.array([bool(each["accepted"]) for each in facts], np.bool_),
        reasons=tuple(each["reason"] for each in facts),
        names=tuple(each["name"] for each in facts),
        quality=sources.quality._replace(**_told(sources, [each["numbers"] for each in facts])),
    )


def _background(group: Any, recorded: tuple[int, ...], cropped: Sequence[int]) -> Background:
    """Return the background that came with ROIs, on the frames of the movie."""
    widths = (cropped[0], cropped[1], cropped[1])[-len(recorded) :]
    inner = tuple(slice(width, -width or None) for width in widths)
    kept = np.arange(math.prod(recorded)).reshape(recorded)[inner].ravel()
    return Background(group[SPATIAL][:][kept], by_rows(np.asarray, group[TEMPORAL]))


def _told(sources: Sources, numbers: list[dict[str, float] | None]) -> dict[str, NDArray[Any]]:
    """Return the measures of quality that came with ROIs; what is not told is as computed."""
    told = {}
    for name, computed in sources.quality._asdict().items():
        values = [(each or {}).get(name, own) for each, own in zip(numbers, computed, strict=True)]
        told[name] = np.array(values, computed.dtype)
    return told
