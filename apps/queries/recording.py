"""One recording: its movie, its motion correction, its ROIs and their traces."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.queries.keys import RECORDING, Key
from apps.queries.project import FACTS, with_counts
from schemas.actions import Verdict, read_now
from schemas.connection import Database

PROJECTIONS = {
    "template": "template",
    "correlation_image": "correlation",
    "mean_image": "mean",
    "max_image": "max",
    "std_image": "std",
}
"""Short names of the images of a recording, by column."""

WORDS = {"reserved": "running", "error": "error"}
"""Words for states of the queue; all others are pending."""

AS_IT_WAS = Verdict()

ROI_NUMBERS = ("area_px", "snr", "rval", "noise", "baseline", "decay_time_s", "rise_time_s")


def recording(database: Database, key: Key) -> Key | None:
    """Return a recording with its session, its animal and its sample; None: there is no such."""
    query = database.session.Recording.proj("axes", "ingested", trial_comments="comments")
    query = query * database.session.Session.proj("session_date", session_comments="comments")
    found = (query & key).to_dicts()
    samples = (database.sample.Sample & key).proj("sample_id", "segmentation_id").to_dicts()
    return {**found[0], "sample": samples[0] if samples else None} if found else None


def movie_facts(database: Database, key: Key) -> Key | None:
    """Return what is known of the movie of a recording, without its images."""
    names = (*FACTS, "dtype", "pixel_size_um", "metadata")
    found = (database.session.RecordingInfo & key).proj(*names).to_dicts()
    return found[0] if found else None


def files(database: Database, key: Key) -> pd.DataFrame:
    """List the files of a recording."""
    names = ["kind", "root", "path", "size_bytes", "checksum"]
    rows = (database.session.Recording.File & key).to_dicts(order_by="file_index")
    return pd.DataFrame(rows, columns=names)


def job_state(database: Database, step: str, key: Key) -> str:
    """Return how far a step is: 'done', 'running', 'error' or 'pending'."""
    table = database.step(step)()
    if table & key:
        return "done"
    statuses = (table.jobs & key).to_arrays("status")
    return next((WORDS[status] for status in statuses if status in WORDS), "pending")


def corrections(database: Database, key: Key) -> list[Key]:
    """List the motion corrections that were asked for, the newest first.

    Returns
    -------
    list of dict
        The key, ``name`` and ``params`` of the parameters, and ``state`` as `job_state` tells it.
    """
    tasks = database.motion.MotionTask * database.motion.MotionParams & key
    found = tasks.to_dicts(order_by="submitted DESC")
    return [_with_state(database, "motion_correction", row, "motion_hash") for row in found]


def segmentations(database: Database, key: Key) -> list[Key]:
    """List the segmentations that were asked for, the newest first.

    Returns
    -------
    list of dict
        The key, ``name``, ``method`` and ``params`` of the parameters, ``motion_hash`` of the
        corrected movie or None, ``state``, ``trace_state``; when done also ``n_rois``,
        ``n_accepted``, ``rate_hz``, ``versions`` and ``settings_used``.
    """
    tasks = database.roi.SegmentationTask * database.roi.SegmentationParams & key
    names = ("n_rois", "n_accepted", "rate_hz", "versions", "settings_used")
    results = (database.roi.Segmentation & key).proj(*names)
    by_id = {row["segmentation_id"]: row for row in with_counts(database, results.to_dicts())}
    found = []
    for task in tasks.to_dicts(order_by="submitted DESC"):
        row = _with_state(database, "segmentation", task, "segmentation_id")
        trace_state = job_state(database, "trace", row["key"])
        found.append({**row, **by_id.get(row["segmentation_id"], {}), "trace_state": trace_state})
    return found


def _with_state(database: Database, step: str, row: Key, last: str) -> Key:
    """Add the key of a task and its state."""
    key = {name: row[name] for name in (*RECORDING, last)}
    return {**row, "key": key, "state": job_state(database, step, key)}


def correction(database: Database, key: Key) -> Key:
    """Return a motion correction that is done: shifts, quality and versions."""
    names = (
        "shifts_px",
        "rate_hz",
        "mean_correlation_before",
        "mean_correlation_after",
        "crispness_before",
        "crispness_after",
        "correlation_before",
        "correlation_after",
        "largest_shift_px",
        "border_px",
        "cropped_px",
        "residual_px",
        "residual_patch_px",
        "n_unusable",
        "unusable",
        "verdict",
        "versions",
    )
    return dict((database.motion.MotionCorrection & key).proj(*names).fetch1())


def unusable_frames(correction: Key) -> pd.DataFrame:
    """List the frames of no use of a motion correction, in their order.

    Parameters
    ----------
    correction : dict
        From `correction`.

    Returns
    -------
    DataFrame
        ``frame``, ``time_s`` and ``reason``.
    """
    found = (correction["unusable"] or {}).items()
    rows = [(frame, reason) for reason, frames in found for frame in frames]
    table = pd.DataFrame(rows, columns=["frame", "reason"]).sort_values("frame")
    rate_hz = correction["rate_hz"] or np.nan
    table.insert(1, "time_s", table["frame"].astype(float) / rate_hz)
    return table.reset_index(drop=True)


def motion_names(database: Database) -> dict[str, str]:
    """Return the names of the parameter sets of motion correction by their hash."""
    rows = database.motion.MotionParams().proj("name").to_dicts()
    return {row["motion_hash"]: row["name"] for row in rows}


def projection(database: Database, key: Key, name: str) -> NDArray[Any]:
    """Return an image of a recording; the template's key has a ``motion_hash``.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the recording, or of its motion correction.
    name : str
        One of `PROJECTIONS`.

    Returns
    -------
    array, ([n_planes,] n_rows, n_cols)
        The image.
    """
    is_template = name == "template"
    table = database.motion.MotionCorrection if is_template else database.session.RecordingInfo
    return np.asarray((table & key).fetch1(name))


def rois(database: Database, key: Key) -> pd.DataFrame:
    """List the ROIs of a segmentation as they are now, with outlines and numbers."""
    names = ["roi_id", "name", "state", "accepted", "reason", *ROI_NUMBERS]
    places = ["centroid_plane_px", "centroid_row_px", "centroid_col_px", "contour_px"]
    columns = [name for name in (*names[1:], *places) if name != "state"]
    query = (database.roi.Segmentation.Roi & key).proj(*columns)
    table = pd.DataFrame(query.to_dicts(order_by="roi_id"), columns=[*names, *places])
    verdicts = read_now(database, key).verdicts if len(table) else {}
    decided = [verdicts.get(roi_id, (0, AS_IT_WAS))[1] for roi_id in table["roi_id"]]
    found = ["accepted" if accepted else "rejected" for accepted in table["accepted"]]
    both = zip(decided, table["reason"], strict=True)
    table["reason"] = [each.reason if each.state else reason for each, reason in both]
    table["state"] = [each.state or state for each, state in zip(decided, found, strict=True)]
    table["accepted"] = table["state"] == "accepted"
    numbers = (*ROI_NUMBERS[1:], "centroid_plane_px")
    return table.astype(dict.fromkeys(numbers, float))


def traces(
    database: Database, key: Key, roi_ids: Sequence[int], kinds: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return traces of some ROIs.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the segmentation.
    roi_ids : sequence of int
        The ROIs.
    kinds : sequence of str
        Of ``raw``, ``denoised``, ``dff`` and ``spikes``.

    Returns
    -------
    dict
        Each kind as ``(n_rois, n_frames)``, in the order of ``roi_ids``.
    """
    query = database.roi.Trace.Roi & key & [{"roi_id": int(roi_id)} for roi_id in roi_ids]
    found = {row["roi_id"]: row for row in query.proj(*kinds).to_dicts()}
    return {kind: np.stack([found[roi_id][kind] for roi_id in roi_ids]) for kind in kinds}


def frame_limits(database: Database, key: Key) -> tuple[float, float]:
    """Return grey levels between which the pixels of single frames lie, but for a few."""
    mean, std = (database.session.RecordingInfo & key).fetch1("mean_image", "std_image")
    low = np.nanpercentile(mean - 2 * std, 1)
    return float(low), float(np.nanpercentile(mean + 3 * std, 99.5))
