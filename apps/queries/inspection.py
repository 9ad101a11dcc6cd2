"""From what the cells of a one-photon extraction are started."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.queries.keys import RECORDING, Key
from apps.queries.recording import job_state
from schemas.connection import Database

METHOD = "cnmfe"


class Inspected(NamedTuple):
    """The two images by which seeds are chosen."""

    correlation: NDArray[np.float32]
    """Of the filtered movie with its neighbours, ``(n_rows, n_cols)`` in bins."""

    pnr: NDArray[np.float32]
    """Peak over noise of the filtered movie, of the same shape."""

    bin_px: tuple[int, int]
    """Rows and columns of the movie in a bin."""

    bin_frames: int
    """Frames of the movie that were averaged."""

    cropped_px: int
    """Width of the edge that motion correction cut off."""

    gsig_px: tuple[float, ...] | None = None
    """Half-size of a cell that was used; None: older results say it in their parameters alone."""


def inspections(database: Database, key: Key) -> list[Key]:
    """List the one-photon segmentations that were asked for, the newest first.

    Returns
    -------
    list of dict
        The key, ``name`` and ``params`` of the parameters, and ``state`` of the inspection as
        `job_state` tells it.
    """
    roi = database.roi
    tasks = roi.SegmentationTask * (roi.SegmentationParams & {"method": METHOD}) & key
    found = []
    for row in tasks.to_dicts(order_by="submitted DESC"):
        own = {name: row[name] for name in (*RECORDING, "segmentation_id")}
        state = job_state(database, "seed_inspection", own)
        found.append({**row, "key": own, "state": state})
    return found


def inspection(database: Database, key: Key) -> Inspected:
    """Return the images of an inspection that is done."""
    row = (database.inspection.SeedInspection & key).fetch1()
    return Inspected(
        correlation=np.asarray(row["correlation_image"]),
        pnr=np.asarray(row["pnr_image"]),
        bin_px=(row["bin_rows_px"], row["bin_cols_px"]),
        bin_frames=row["bin_frames"],
        cropped_px=row["cropped_px"],
        gsig_px=row["gsig_px"] and tuple(row["gsig_px"]),
    )
