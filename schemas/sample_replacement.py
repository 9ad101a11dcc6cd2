"""The segmentation of a sample: found by its name, and replaced so that cells stay who they are."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.simulate.score import match_rois
from schemas.carry_over import carry_over
from schemas.connection import Database
from schemas.labels import Key
from schemas.samples import change_sample, check_segmentation, find_sample
from schemas.settings import ProjectError

MIN_COSINE = 0.5


class Replaced(NamedTuple):
    """Which ROIs of two segmentations are one cell; numbers are ``roi_id``."""

    pairs: NDArray[np.int64]
    """``(n_pairs, 2)``: of the segmentation before, of the one after."""

    cosines: NDArray[np.float64]
    """Of the two footprints of each pair, ``(n_pairs,)``."""

    lost: NDArray[np.int64]
    """ROIs of the segmentation before that have no partner."""

    new: NDArray[np.int64]
    """ROIs of the segmentation after that have no partner."""


def segmentation_names(database: Database, recordings: Any = None) -> dict[tuple[str, ...], str]:
    """Return what computed segmentations are called: parameters, and those of the movie.

    Parameters
    ----------
    database : Database
        The connected tables.
    recordings : query, dict or None
        A restriction of ``Recording``; None: all.

    Returns
    -------
    dict
        Names, as ``default`` or ``default of rigid``, by the values of the key.
    """
    roi, motion = database.roi, database.motion
    tasks = roi.SegmentationTask * roi.SegmentationParams.proj("name")
    tasks = (tasks & roi.Segmentation.proj()).proj("name", "motion_hash", "seeded_by", "seeds_id")
    if recordings is not None:
        tasks = tasks & recordings
    movies = {
        row["motion_hash"]: row["name"] for row in motion.MotionParams.proj("name").to_dicts()
    }
    names = {}
    for row in tasks.to_dicts():
        key = tuple(str(row[name]) for name in roi.Segmentation.primary_key)
        of_movie = f" of {movies[row['motion_hash']]}" if row["motion_hash"] else ""
        seeded = " with seeds" if row["seeded_by"] or row["seeds_id"] else ""
        names[key] = f"{row['name']}{of_movie}{seeded}"
    return names


def find_segmentation(database: Database, recording: Key, name: str | None = None) -> str | None:
    """Return the ``segmentation_id`` of the computed segmentation of a recording.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        The key of the recording.
    name : str or None
        Of the parameter set, or as `segmentation_names` has it; None: the only one.

    Returns
    -------
    str or None
        None: no name is given, and nothing was computed yet.

    Raises
    ------
    ProjectError
        If there is none of that name, or there are several.
    """
    names = segmentation_names(database, recording)
    found = [
        key[-1]
        for key, full in names.items()
        if name in (None, key[-1], full, full.split(" of ")[0])
    ]
    if len(found) == 1 or not (names or name):
        return found[0] if found else None
    there = ", ".join(repr(full) for full in sorted(names.values())) or "none yet"
    which = f"no segmentation {name!r}" if not found else "more than one segmentation"
    raise ProjectError(f"this recording has {which}; name one of those that are done: {there}.")


def replace_segmentation(
    database: Database, sample_id: str, segmentation_id: str | None, *, after: int | None = None
) -> Replaced:
    """Choose another segmentation for a sample, and keep which ROIs are the same cells.

    What people decided of a ROI, and its tags, move to the ROI that is the same cell.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        The sample.
    segmentation_id : str or None
        The segmentation; None: none any more.
    after : int or None
        The version that the person saw; None: the newest.

    Returns
    -------
    Replaced
        The pairs, which are kept in ``RoiMatch``.

    Raises
    ------
    ProjectError
        If there is no such sample or segmentation, it is chosen already, or somebody else has
        changed the sample since that version.
    """
    row = find_sample(database, sample_id)
    check_segmentation(database, row, segmentation_id)
    if row["segmentation_id"] == segmentation_id:
        raise ProjectError(f"the sample {sample_id!r} has this segmentation already.")
    found = matched(database, row, row["segmentation_id"], segmentation_id)
    with database.connection.transaction:
        new = {**row, "segmentation_id": segmentation_id}
        seen = row["version"] if after is None else after  # the ROIs were matched with these
        version = change_sample(database, row, new, "replaced", after=seen)
        key = {name: row[name] for name in database.sample.Sample.primary_key}
        database.sample.RoiMatch().insert(
            {**key, "version": version, "old_roi_id": old, "roi_id": roi, "cosine": cosine}
            for (old, roi), cosine in zip(found.pairs.tolist(), found.cosines, strict=True)
        )
        if len(found.pairs):
            both = (
                {**key, "segmentation_id": row["segmentation_id"]},
                {**key, "segmentation_id": segmentation_id},
            )
            carry_over(database, *both, found.pairs.tolist())
    return found


def matched(database: Database, recording: Key, old: str | None, new: str | None) -> Replaced:
    """Pair the ROIs of two segmentations of a recording, accepted or not, one to one.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Holds the key of the recording.
    old, new : str or None
        The two as ``segmentation_id``; None: without ROIs.
    """
    key = {name: recording[name] for name in database.session.Recording.primary_key}
    shape = (database.session.RecordingInfo & key).fetch1("n_planes", "n_rows", "n_cols")
    ids, footprints = zip(
        *(_footprints(database, {**key, "segmentation_id": each}, shape) for each in (old, new)),
        strict=True,
    )
    matches = match_rois(*footprints, min_cosine=MIN_COSINE)
    sides = [ids[side][matches.pairs[:, side]] for side in (0, 1)]
    alone = [np.setdiff1d(all_, paired) for all_, paired in zip(ids, sides, strict=True)]
    return Replaced(np.stack(sides, axis=1), matches.cosines, *alone)


def _footprints(
    database: Database, key: Key, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], sparse.csc_array]:
    """Return the numbers of the ROIs of a segmentation, and their footprints in columns."""
    query = (database.roi.Segmentation.Roi & key).proj("pixels", "weights")
    rows = query.to_dicts(order_by="roi_id")
    ids = np.array([row["roi_id"] for row in rows], np.int64)
    lengths = np.array([0, *(len(row["pixels"]) for row in rows)], np.int64)
    pixels = np.concatenate([np.empty(0, np.int64), *(row["pixels"] for row in rows)])
    weights = np.concatenate([np.empty(0, np.float32), *(row["weights"] for row in rows)])
    parts = (weights, pixels.astype(np.int64), np.cumsum(lengths))
    return ids, sparse.csc_array(parts, shape=(math.prod(shape), len(rows)))
