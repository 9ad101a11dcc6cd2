"""The ROIs of a segmentation, with all that is known of them, for the files of other programs."""

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.archive import OPTIONAL, TRACES, read_background_images
from pipeline.extraction.mosaic import BackgroundImages
from pipeline.extraction.sources import Background, Quality
from pipeline.roi_file import RoiFile, footprints_of
from pipeline.rois import GivenRois, shape_from_dict
from schemas.connection import Database
from schemas.labels import Key
from schemas.roi_sets import frame_shape
from schemas.roi_states import RECORDING, current_rois, current_tags
from schemas.settings import ProjectError
from schemas.store import stored_path

FACTS = ("pixels", "weights", "accepted", "name", "reason")


def choose_segmentation(database: Database, recording: Key, name: str | None = None) -> Key:
    """Return the key of the segmentation of a recording that is meant.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    name : str or None
        Name of its parameter set, or the begin of its ``segmentation_id``; None: that of the
        sample, and where there is no sample, the only one.

    Raises
    ------
    ProjectError
        If there is none, or several are meant.
    """
    query = database.roi.Segmentation() * database.roi.SegmentationTask.proj("segmentation_hash")
    query = query * database.roi.SegmentationParams.proj("name")
    rows = (query & recording).proj("name").to_dicts(order_by="segmentation_id")
    words = " / ".join(str(recording[part]) for part in RECORDING)
    chosen = rows
    if name is not None:
        chosen = [r for r in rows if r["name"] == name or r["segmentation_id"].startswith(name)]
    elif len(rows) > 1:
        samples = (database.sample.Sample() & recording).to_arrays("segmentation_id")
        chosen = [row for row in rows if row["segmentation_id"] in set(samples)] or rows
    if len(chosen) != 1:
        there = ", ".join(f"{row['name']} ({row['segmentation_id'][:8]})" for row in rows)
        raise ProjectError(
            f"{words} has {len(chosen)} such segmentations, and one is needed; there are: "
            f"{there or 'none that is computed'}. Name one with --params NAME, or by its id."
        )
    return {part: chosen[0][part] for part in database.roi.Segmentation().primary_key}


def roi_file_of(database: Database, segmentation: Key) -> RoiFile:
    """Return the ROIs of a segmentation.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Key of a row of `Segmentation`.

    Raises
    ------
    ProjectError
        If it has no ROIs.
    """
    row = (database.roi.Segmentation() & segmentation).fetch1()
    tasks = database.roi.SegmentationTask() * database.roi.SegmentationParams() & segmentation
    task = tasks.fetch1()
    rois = _rows(database, segmentation)
    if not rois:
        raise ProjectError("this segmentation has no ROIs, so there is nothing to export.")
    shape = frame_shape(database, segmentation)
    group: Any = zarr.open_group(stored_path(database.settings, row["sources"]), mode="r")
    traces = _traces(database, segmentation, group, [r["roi_id"] for r in rois])
    drawn, told = _given(database, task, rois)
    given = GivenRois(
        footprints=footprints_of([(r["pixels"], r["weights"]) for r in rois], int(np.prod(shape))),
        frame_shape=shape,
        names=tuple(r["name"] or f"roi{r['roi_id']}" for r in rois),
        shapes=drawn,
        accepted=np.array([bool(r["accepted"]) for r in rois], np.bool_),
        reasons=tuple(r["reason"] for r in rois),
        numbers=_numbers(rois) | told,
        traces=traces,
        source=_source(database, task, row["versions"]),
    )
    subtracted = task["params"].get("neuropil_coefficient") if "neuropil" in traces else None
    return RoiFile(
        rois=given,
        tags=_tags(database, segmentation, rois),
        rate_hz=float(row["rate_hz"]),
        neuropil_coefficient=subtracted,
        background=_background(group, shape, _cropped(database, segmentation, row, len(shape))),
    )


def _rows(database: Database, segmentation: Key) -> list[Key]:
    """Return the ROIs as they are now."""
    measured = (database.roi.Segmentation.Roi() & segmentation).proj(*FACTS, *Quality._fields)
    now = (current_rois(database) & segmentation).proj("accepted", "reason")
    rows = measured.to_dicts(order_by="roi_id")
    return [
        {**row, "accepted": state["accepted"], "reason": state["reason"] or ""}
        for row, state in zip(rows, now.to_dicts(order_by="roi_id"), strict=True)
    ]


def _tags(database: Database, segmentation: Key, rois: list[Key]) -> dict[str, tuple[str, ...]]:
    """Return the tags of each ROI by the label of their type, "" where it has none."""
    rows = (current_tags(database) & segmentation).to_dicts()
    labels = {r["roi_tag_type_id"]: r["label"] for r in database.project.RoiTagType().to_dicts()}
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        found.setdefault(labels[row["roi_tag_type_id"]], {})[row["roi_id"]] = row["tag"]
    return {
        label: tuple(tags.get(roi["roi_id"], "") for roi in rois)
        for label, tags in sorted(found.items())
    }


def _traces(
    database: Database, segmentation: Key, group: Any, roi_ids: list[int]
) -> dict[str, NDArray[np.float32]]:
    """Return the traces; those of ROIs that people added lie in rows of their own."""
    names = [name for name in (*TRACES, *OPTIONAL) if name in group]
    n_found = group["raw"].shape[0]
    kept = [roi_id for roi_id in roi_ids if roi_id < n_found]
    found = {name: group[name][:][kept] for name in names}
    added = database.roi.Trace.Roi() & segmentation & f"roi_id >= {n_found}"
    rows = added.to_dicts(order_by="roi_id")
    if not rows:
        return found
    blank = np.full(found["raw"].shape[1], np.nan, np.float32)
    return {
        name: np.concatenate(
            [traces, [blank if row[name] is None else row[name] for row in rows]], axis=0
        ).astype(np.float32)
        for name, traces in found.items()
    }


def _given(
    database: Database, task: Key, rois: list[Key]
) -> tuple[tuple[Any, ...], dict[str, NDArray[np.float64]]]:
    """Return what was drawn, and the numbers that came with ROIs that were imported."""
    if not task["rois_id"]:
        return (), {}
    query = (database.given.RoiSet.Roi() & {"rois_id": task["rois_id"]}).proj("shape", "numbers")
    rows = {row["roi_id"]: row for row in query.to_dicts()}
    given = [rows.get(roi["roi_id"], {}) for roi in rois]
    drawn = tuple(shape_from_dict(r["shape"]) if r.get("shape") else None for r in given)
    numbers = [row.get("numbers") or {} for row in given]
    names = sorted({name for each in numbers for name in each})
    told = {name: np.array([each.get(name, np.nan) for each in numbers]) for name in names}
    return (drawn if any(drawn) else ()), told


def _numbers(rois: list[Key]) -> dict[str, NDArray[np.float64]]:
    """Return the measures of quality; NaN where there is none."""
    return {
        name: np.array([np.nan if r[name] is None else r[name] for r in rois], np.float64)
        for name in Quality._fields
        if any(r[name] is not None for r in rois)
    }


def _source(database: Database, task: Key, versions: dict[str, str]) -> str:
    """Return the program that found the ROIs."""
    if task["rois_id"]:
        return str((database.given.RoiSet() & {"rois_id": task["rois_id"]}).fetch1("source"))
    if "caiman" in versions:
        return f"CaImAn {versions['caiman']}"
    return f"Mesmerize, method {task['method']}"


def _cropped(database: Database, key: Key, row: Key, n_axes: int) -> tuple[int, ...]:
    """Return how much of each axis of a frame motion correction cut off on each side."""
    if row["motion_hash"] is None:
        return (0,) * n_axes
    correction = database.motion.MotionCorrection() & {**key, "motion_hash": row["motion_hash"]}
    planes, pixels = correction.fetch1("cropped_planes", "cropped_px")
    return (int(planes), int(pixels), int(pixels))[-n_axes:]


def _background(group: Any, shape: tuple[int, ...], cropped: tuple[int, ...]) -> Background | None:
    """Return the background on recorded frames; None: the method tells none."""
    temporal = group["background_temporal"][:]
    if not len(temporal):
        return None
    inner = tuple(slice(width, n - width) for width, n in zip(cropped, shape, strict=True))
    kept = np.arange(int(np.prod(shape))).reshape(shape)[inner].ravel()
    size = int(np.prod(shape)), len(temporal)
    spatial = read_background_images(group, kept.size)
    if isinstance(spatial, np.ndarray):
        dense = np.zeros(size, np.float32)
        dense[kept] = spatial
        return Background(dense, temporal)
    images = spatial.at() if isinstance(spatial, BackgroundImages) else spatial
    entries = images.data, kept[images.indices], images.indptr
    return Background(sparse.csc_array(entries, shape=size), temporal)
