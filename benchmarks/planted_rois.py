"""Samples with many ROIs of known numbers, put into the tables without computing anything."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from schemas.connection import Database

RECORDING = ("animal_id", "session", "trial")
NUMBERS = ("snr", "rval", "noise", "baseline", "decay_time_s", "rise_time_s", "solidity")
ROIS_AT_ONCE = 1000
ACCEPTED, MISSING = 0.6, 0.1
"""Parts of the ROIs that are accepted, and of their numbers that are missing."""


def plant_samples(database: Database, *, n_animals: int, n_trials: int) -> list[dict[str, Any]]:
    """Make samples with a segmentation each, which has no ROI yet.

    Parameters
    ----------
    database : Database
        The connected tables.
    n_animals : int
        How many animals, each with a session.
    n_trials : int
        How many recordings each has.

    Returns
    -------
    list of dict
        The keys of the segmentations.
    """
    animals = [f"m{number}" for number in range(n_animals)]
    keys = [
        {"animal_id": animal, "session": "2026-11-22", "trial": f"t{number}"}
        for animal in animals
        for number in range(n_trials)
    ]
    database.animal.Animal().insert(
        {"animal_id": animal, "genotype": "wt" if i % 2 else "ko"}
        for i, animal in enumerate(animals)
    )
    database.session.Session().insert(
        {"animal_id": animal, "session": "2026-11-22", "session_date": f"2026-11-{i % 28 + 1:02d}"}
        for i, animal in enumerate(animals)
    )
    database.session.Recording().insert(keys)
    rows = [{**key, "segmentation_id": f"{i:032x}"} for i, key in enumerate(keys)]
    params = database.roi.SegmentationParams().to_arrays("segmentation_hash")[0]
    database.roi.SegmentationTask().insert({**row, "segmentation_hash": params} for row in rows)
    for row in rows:
        _insert_segmentation(database, row)
    database.sample.Sample().insert(
        {**row, "sample_id": f"{row['animal_id']}-_-{row['trial']}"} for row in rows
    )
    return rows


def _insert_segmentation(database: Database, row: dict[str, Any]) -> None:
    """Insert a segmentation without an object in the store, which DataJoint would not."""
    facts = {
        **row,
        "n_rois": 0,
        "n_accepted": 0,
        "sources": json.dumps({}),
        "n_frames": 1000,
        "rate_hz": 30.0,
        "dff_window_frames": 11,
        "border_px": 0,
        "versions": json.dumps({}),
    }
    quote = database.connection.adapter.quote_identifier
    names, values = ", ".join(map(quote, facts)), ", ".join(["%s"] * len(facts))
    table = database.roi.Segmentation().full_table_name
    database.connection.query(
        f"INSERT INTO {table} ({names}) VALUES ({values})", args=tuple(facts.values())
    )


def plant_rois(
    database: Database,
    segmentations: list[dict[str, Any]],
    *,
    n_rois: int,
    rng: np.random.Generator,
    n_pixels: int = 4,
) -> list[dict[str, Any]]:
    """Give segmentations ROIs with random numbers.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentations : list of dict
        Their keys, from `plant_samples`.
    n_rois : int
        How many each gets.
    rng : numpy.random.Generator
        Where the numbers come from.
    n_pixels : int
        Length of their arrays, which hold nothing that means something.

    Returns
    -------
    list of dict
        The ROIs without their arrays.
    """
    rows = [row for key in segmentations for row in _rois(key, n_rois, rng)]
    noise = np.random.default_rng(0).random(n_pixels)  # as footprints, it is not made smaller
    arrays = dict.fromkeys(("pixels", "weights", "contour_px"), noise)
    table = database.roi.Segmentation.Roi()
    with_arrays = ({**row, **arrays} for row in rows)
    table.insert(with_arrays, allow_direct_insert=True, chunk_size=ROIS_AT_ONCE)
    return rows


def _rois(key: dict[str, Any], n_rois: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield ROIs of a segmentation."""
    for roi_id in range(n_rois):
        numbers = {
            name: None if rng.random() < MISSING else round(float(rng.uniform(0, 10)), 1)
            for name in NUMBERS
        }
        yield {
            **key,
            "roi_id": roi_id,
            "centroid_row_px": round(float(rng.uniform(0, 500)), 1),
            "centroid_col_px": round(float(rng.uniform(0, 500)), 1),
            "accepted": bool(rng.random() < ACCEPTED),
            "reason": str(rng.choice(["", "", "snr too low", "rval too low"])),
            "area_px": int(rng.integers(20, 300)),
            **numbers,
        }


def copy_rois(database: Database, source: dict[str, Any], targets: list[dict[str, Any]]) -> None:
    """Give segmentations the ROIs of another one, from table to table inside the server.

    Parameters
    ----------
    database : Database
        The connected tables.
    source : dict
        Key of the segmentation that has ROIs.
    targets : list of dict
        Keys of those that get the same.
    """
    table = database.roi.Segmentation.Roi()
    quote = database.connection.adapter.quote_identifier
    names = [name for name in table.heading.names if name not in source]
    own, others = ", ".join(map(quote, source)), ", ".join(map(quote, names))
    for target in targets:
        values = ", ".join(f"'{value}'" for value in target.values())
        database.connection.query(
            f"INSERT INTO {table.full_table_name} ({own}, {others}) SELECT {values}, {others} "
            f"FROM {table.full_table_name} WHERE {quote('segmentation_id')} = %s",
            args=(source["segmentation_id"],),
        )


def tag_half(database: Database, segmentations: list[dict[str, Any]]) -> None:
    """Tag every second ROI by the first tag type, and exclude every tenth.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentations : list of dict
        Their keys.
    """
    curation, rois = database.curation, database.roi.Segmentation.Roi
    facts = {"action": 1, "kind": "tag", "account": "me"}
    curation.Action().insert({**key, **facts} for key in segmentations)
    tags = ("pr", "palp", "aten")
    for remainder, tag in enumerate(tags):
        chosen = rois() & f"MOD(roi_id, 6) = {2 * remainder}"
        curation.RoiTag().insert(
            chosen.proj(action="1", roi_tag_type_id="1", tag=f"'{tag}'", replaces="0")
        )
    tenth = rois() & "MOD(roi_id, 10) = 0"
    curation.Action.Verdict().insert(
        tenth.proj(action="1", state="'excluded'", replaces="0"), ignore_extra_fields=True
    )


def tag_again(database: Database, segmentations: list[dict[str, Any]]) -> None:
    """Replace the tag of every sixth ROI that `tag_half` gave one.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentations : list of dict
        Their keys.
    """
    curation = database.curation
    facts = {"action": 2, "kind": "tag", "account": "me"}
    curation.Action().insert({**key, **facts} for key in segmentations)
    chosen = database.roi.Segmentation.Roi() & "MOD(roi_id, 12) = 0"
    curation.RoiTag().insert(chosen.proj(action="2", roi_tag_type_id="1", tag="'mn'", replaces="1"))
