"""Entering ROIs that were drawn or imported: the one way into the tables for all of them."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.methods import MANUAL, find_method
from pipeline.params import params_hash
from pipeline.rois import GivenRois, shape_to_dict
from schemas.connection import Database
from schemas.given_tags import keep_tags
from schemas.insertion import insert_new
from schemas.packed_set import SPATIAL, TEMPORAL
from schemas.params import add_params, find_params
from schemas.roi import segmentation_id
from schemas.roi_rows import FOOTPRINTS_AT_ONCE
from schemas.roi_states import RECORDING
from schemas.settings import ProjectError
from schemas.store import adopted, new_folder

LONGEST_TEXT = 255

Key = dict[str, Any]


def enter_rois(
    database: Database,
    recording: Key,
    rois: GivenRois,
    *,
    params: str | None = None,
    motion: str | None = None,
    as_recorded: bool = False,
) -> Key:
    """Enter ROIs of a recording; workers then make a segmentation of them, with traces.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    rois : GivenRois
        Drawn or imported; their column is their ``roi_id``. The same ROIs are kept once.
    params : str or None
        Name of a parameter set of the method ``manual``; None: the standard values, under the name
        ``manual``.
    motion : str or None
        Name of the motion parameters whose corrected movie is measured; None: those that were
        submitted for the recording, and where there are none, the movie as it was recorded.
    as_recorded : bool
        Measure the movie as it was recorded, whatever corrections there are.

    Returns
    -------
    dict
        Key of the segmentation that is asked for.

    Raises
    ------
    ProjectError
        If the movie has not been read yet, the ROIs or their traces do not fit it, or there are no
        such parameters.
    """
    check_fit(database, recording, rois)
    task = {
        **{name: recording[name] for name in RECORDING},
        **_params_key(database, params),
        "motion_hash": None if as_recorded else _motion_hash(database, recording, motion),
        "rois_id": content_hash(rois),
    }
    task["segmentation_id"] = segmentation_id(task)
    with ExitStack() as stack:
        stack.enter_context(database.connection.transaction)
        if not database.given.RoiSet() & {"rois_id": task["rois_id"]}:
            _keep(database, rois, task["rois_id"], stack)
        insert_new(database.roi.SegmentationTask(), [task])
    return {name: task[name] for name in database.roi.SegmentationTask().primary_key}


def frame_shape(database: Database, recording: Key) -> tuple[int, ...]:
    """Return the shape of the recorded frames, ``([n_planes,] n_rows, n_cols)``.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.

    Raises
    ------
    ProjectError
        If the movie has not been read yet.
    """
    facts = _facts(database, recording)
    planes = (facts["n_planes"],) if facts["n_planes"] > 1 else ()
    return (*planes, facts["n_rows"], facts["n_cols"])


def check_fit(database: Database, recording: Key, rois: GivenRois) -> None:
    """Refuse ROIs that are of other frames, or traces of another length, than a recording has.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    rois : GivenRois
        The ROIs.

    Raises
    ------
    ProjectError
        If they do not fit, or the movie has not been read yet.
    """
    shape = frame_shape(database, recording)
    if tuple(rois.frame_shape) != shape:
        given, has = (" x ".join(map(str, each)) for each in (rois.frame_shape, shape))
        raise ProjectError(
            f"the ROIs are of frames of {given} pixels, and those of trial {recording['trial']!r} "
            f"have {has}; are they of this recording?"
        )
    n_frames = _facts(database, recording)["n_frames"]
    if rois.traces and rois.traces["raw"].shape[1] != n_frames:
        raise ProjectError(
            f"the traces have {rois.traces['raw'].shape[1]} frames, and trial "
            f"{recording['trial']!r} has {n_frames}; are they of this recording?"
        )


def _facts(database: Database, recording: Key) -> Key:
    """Return what is known of the movie of a recording."""
    key = {name: recording[name] for name in RECORDING}
    names = ("n_frames", "n_planes", "n_rows", "n_cols")
    found = (database.session.RecordingInfo() & key).proj(*names).to_dicts()
    if not found:
        raise ProjectError(
            f"the size of {' / '.join(map(str, key.values()))} is not known yet: there is no such "
            "recording, or its movie is still to be read by: mesmerize work"
        )
    return dict(found[0])


def _params_key(database: Database, name: str | None) -> Key:
    """Return the key of a parameter set that measures ROIs; the standard one is made at need."""
    table = database.roi.SegmentationParams()
    if name is None:
        key = {"segmentation_hash": params_hash(ManualParams())}
        if not table & key:
            add_params(table, MANUAL, ManualParams())
        return key
    key = find_params(table, name)
    method = (table & key).fetch1("method")
    if not find_method(method).needs_seeds:
        raise ProjectError(
            f"the parameter set {name!r} is of {method}, which seeks cells; ROIs that are given "
            f"need one of {MANUAL}: mesmerize params add segmentation NAME --method {MANUAL}"
        )
    return key


def _motion_hash(database: Database, recording: Key, motion: str | None) -> str | None:
    """Return the motion parameters whose corrected movie of a recording is meant, or None."""
    key = {name: recording[name] for name in RECORDING}
    tasks = database.motion.MotionTask() & key
    if motion is not None:
        tasks &= find_params(database.motion.MotionParams(), motion)
    hashes = [str(each) for each in tasks.to_arrays("motion_hash")]
    if motion is not None and not hashes:
        raise ProjectError(
            f"no motion correction {motion!r} was submitted for trial {key['trial']!r}."
        )
    if len(hashes) > 1:
        raise ProjectError(
            f"trial {key['trial']!r} has {len(hashes)} motion corrections; name one with --motion."
        )
    return hashes[0] if hashes else None


def content_hash(rois: GivenRois) -> str:
    """Return 32 hexadecimal digits that are equal for equal ROIs and only for them."""
    digest = hashlib.sha256(repr([rois.frame_shape, rois.source, rois.file]).encode())
    for row in _rows(rois):
        for name in ("pixels", "weights"):
            digest.update(row.pop(name).tobytes())
        digest.update(json.dumps(row, sort_keys=True).encode())
    for name, array in sorted(_arrays(rois).items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(array.tobytes())
    if rois.tags:  # sets without any are called what they always were
        digest.update(
            json.dumps({k: list(v) for k, v in rois.tags.items()}, sort_keys=True).encode()
        )
    return digest.hexdigest()[:32]


def _rows(rois: GivenRois) -> Iterator[Key]:
    """Yield the columns of `RoiSet.Roi` for each ROI."""
    matrix = rois.footprints
    for roi_id, start in enumerate(matrix.indptr[:-1]):
        column = slice(start, matrix.indptr[roi_id + 1])
        shape = rois.shapes[roi_id] if rois.shapes else None
        numbers = {
            name: float(values[roi_id])
            for name, values in sorted(rois.numbers.items())
            if math.isfinite(values[roi_id])
        }
        yield {
            "roi_id": roi_id,
            "name": rois.names[roi_id][:LONGEST_TEXT] if rois.names else "",
            "shape": None if shape is None else shape_to_dict(shape),
            "pixels": matrix.indices[column].astype(np.int64),
            "weights": matrix.data[column].astype(np.float32),
            "accepted": bool(rois.accepted is None or rois.accepted[roi_id]),
            "reason": rois.reasons[roi_id][:LONGEST_TEXT] if rois.reasons else "",
            "numbers": numbers or None,
        }


def _keep(database: Database, rois: GivenRois, rois_id: str, stack: ExitStack) -> None:
    """Insert a set; the folder of its traces is the stack's until all is inserted."""
    key, table = {"rois_id": rois_id}, database.given.RoiSet()
    facts = {
        "source": rois.source[:LONGEST_TEXT],
        "file": rois.file[-LONGEST_TEXT:],
        "n_rois": rois.footprints.shape[1],
        "frame_shape": list(rois.frame_shape),
        "account": database.account,
    }
    table.insert1({**key, **facts})
    rows = ({**key, **row} for row in _rows(rois))
    database.given.RoiSet.Roi().insert(rows, chunk_size=FOOTPRINTS_AT_ONCE)
    keep_tags(database, rois_id, rois.tags)
    if rois.traces:
        folder = stack.enter_context(new_folder(database.settings, ".zarr"))
        _save(rois, folder)
        traces = database.given.GivenTraces()
        stored = stack.enter_context(adopted(traces, key, "traces", folder))
        n_frames = rois.traces["raw"].shape[1]
        traces.insert1({**key, "n_frames": n_frames, "traces": stored})


def _arrays(rois: GivenRois) -> dict[str, NDArray[np.float32]]:
    """Return the traces that came with ROIs, and the background, by what they are called."""
    arrays = dict(rois.traces)
    if rois.background is not None:
        spatial, temporal = rois.background
        dense = spatial if isinstance(spatial, np.ndarray) else spatial.toarray()
        arrays |= {SPATIAL: dense, TEMPORAL: temporal}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _save(rois: GivenRois, folder: Path) -> None:
    """Write the traces that came with ROIs, and the background."""
    group: Any = zarr.open_group(folder, mode="w")
    for name, array in _arrays(rois).items():
        group.create_array(name, data=array)
