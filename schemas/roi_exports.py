"""The ROIs of a segmentation, with all that is known of them, for the files of other programs."""

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.archive import OPTIONAL, TRACES
from pipeline.extraction.sources import Background, Quality
from pipeline.roi_file import RoiFile, footprints_of
from pipeline.rois import GivenRois, shape_from_dict
from schemas.connection import Database
from schemas.labels import Key
from schemas.roi_sets import frame_shape
from schemas.settings import ProjectError
from schemas.store import stored_path

FACTS = ("pixels", "weights", "accepted", "name", "reason")
SPARSE = ("data", "indices", "indptr")


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
    words = " / ".join(str(recording[part]) for part in ("animal_id", "session", "trial"))
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
    task = (
        database.roi.SegmentationTask() * database.roi.SegmentationParams() & segmentation
    ).fetch1()
    names = [*FACTS, *Quality._fields]
    parts = (database.roi.Segmentation.Roi() & segmentation).proj(*names)
    rois = parts.to_dicts(order_by="roi_id")
    if not rois:
        raise ProjectError("this segmentation has no ROIs, so there is nothing to export.")
    shape = frame_shape(database, segmentation)
    group: Any = zarr.open_group(stored_path(database.settings, row["sources"]), mode="r")
    traces = {name: group[name][:] for name in (*TRACES, *OPTIONAL) if name in group}
    given = GivenRois(
        footprints=footprints_of([(r["pixels"], r["weights"]) for r in rois], int(np.prod(shape))),
        frame_shape=shape,
        names=tuple(r["name"] or f"roi{r['roi_id']}" for r in rois),
        shapes=_shapes(database, task),
        accepted=np.array([bool(r["accepted"]) for r in rois], np.bool_),
        reasons=tuple(r["reason"] for r in rois),
        numbers=_numbers(rois) | _told(database, task),
        traces=traces,
        source=_source(database, task, row["versions"]),
    )
    subtracted = task["params"].get("neuropil_coefficient") if "neuropil" in traces else None
    return RoiFile(
        rois=given,
        rate_hz=float(row["rate_hz"]),
        neuropil_coefficient=subtracted,
        background=_background(group, shape, _cropped(database, segmentation, row, len(shape))),
    )


def _shapes(database: Database, task: Key) -> tuple[Any, ...]:
    """Return what was drawn, where these ROIs were drawn."""
    if not task["rois_id"]:
        return ()
    rows = (database.given.RoiSet.Roi() & {"rois_id": task["rois_id"]}).proj("shape")
    found = [row["shape"] for row in rows.to_dicts(order_by="roi_id")]
    return tuple(shape and shape_from_dict(shape) for shape in found) if any(found) else ()


def _numbers(rois: list[Key]) -> dict[str, NDArray[np.float64]]:
    """Return the measures of quality; NaN where there is none."""
    return {
        name: np.array([np.nan if r[name] is None else r[name] for r in rois], np.float64)
        for name in Quality._fields
        if any(r[name] is not None for r in rois)
    }


def _told(database: Database, task: Key) -> dict[str, NDArray[np.float64]]:
    """Return the numbers that came with imported ROIs."""
    if not task["rois_id"]:
        return {}
    rows = (database.given.RoiSet.Roi() & {"rois_id": task["rois_id"]}).proj("numbers")
    told = [row["numbers"] or {} for row in rows.to_dicts(order_by="roi_id")]
    names = sorted({name for each in told for name in each})
    return {name: np.array([each.get(name, np.nan) for each in told]) for name in names}


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
    if "background_spatial" in group:
        dense = np.zeros(size, np.float32)
        dense[kept] = group["background_spatial"][:]
        return Background(dense, temporal)
    data, indices, indptr = (group[f"background_spatial_{part}"][:] for part in SPARSE)
    return Background(sparse.csc_array((data, kept[indices], indptr), shape=size), temporal)
