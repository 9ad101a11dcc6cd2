"""Two segmentations of one recording, ROI by ROI."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from apps.queries.keys import Key
from pipeline.rois import compare_rois
from pipeline.simulate import match_rois
from schemas.connection import Database
from schemas.roi_states import current_rois


def compared(database: Database, one: Key, other: Key) -> pd.DataFrame:
    """Pair the accepted ROIs of two segmentations of one recording.

    Parameters
    ----------
    database : Database
        The connected tables.
    one, other : dict
        Keys of the segmentations; their traces are computed.

    Returns
    -------
    DataFrame
        A row for each cell: ``roi_one`` and ``roi_other``, NaN where it is found only once,
        ``cosine`` of the footprints and ``trace_r`` of the raw traces; of a cell that only one
        accepts, ``because``: why the other rejected the ROI in the same place, if it has one.
    """
    ids, footprints, traces = zip(*(_accepted(database, key) for key in (one, other)), strict=True)
    found = compare_rois(footprints, traces)
    pairs = pd.DataFrame(
        {
            "roi_one": ids[0][found.pairs[:, 0]],
            "roi_other": ids[1][found.pairs[:, 1]],
            "cosine": found.cosines,
            "trace_r": found.trace_correlations,
        }
    )
    rows = [pairs.astype(float)]
    sides = (("one", found.only_one, other), ("other", found.only_other, one))
    for (name, alone, elsewhere), numbers, cells in zip(sides, ids, footprints, strict=True):
        because = _rejections(database, elsewhere, sparse.csc_array(cells[:, alone]))
        rows.append(pd.DataFrame({f"roi_{name}": numbers[alone].astype(float), "because": because}))
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)


def _rejections(database: Database, key: Key, cells: sparse.csc_array) -> list[str]:
    """Return why the ROIs in the same places were rejected; empty where there is none."""
    query = current_rois(database) & key & "NOT accepted"
    rows = query.proj("pixels", "weights", "reason").to_dicts(order_by="roi_id")
    reasons = [""] * cells.shape[1]
    if rows and reasons:
        matches = match_rois(cells, _matrix(rows, cells.shape[0]))
        for cell, row in matches.pairs:
            reasons[cell] = rows[row]["reason"]
    return reasons


def _accepted(
    database: Database, key: Key
) -> tuple[NDArray[np.int64], sparse.csc_array, NDArray[np.float32]]:
    """Return numbers, footprints and raw traces of the accepted ROIs of a segmentation."""
    query = current_rois(database) * database.roi.Trace.Roi & key & "accepted"
    rows = query.proj("pixels", "weights", "raw").to_dicts(order_by="roi_id")
    shape = (database.session.RecordingInfo & key).fetch1("n_planes", "n_rows", "n_cols")
    n_frames = (database.roi.Segmentation & key).fetch1("n_frames")
    traces = np.empty((len(rows), n_frames), np.float32)
    for number, row in enumerate(rows):
        traces[number] = row["raw"]
    ids = np.array([row["roi_id"] for row in rows], np.int64)
    return ids, _matrix(rows, math.prod(shape)), traces


def _matrix(rows: list[Key], n_pixels: int) -> sparse.csc_array:
    """Return the footprints of rows, ``(n_pixels, n_rois)``."""
    footprints = sparse.lil_array((len(rows), n_pixels), dtype=np.float32)
    for number, row in enumerate(rows):
        footprints[number, row["pixels"]] = row["weights"]
    return sparse.csc_array(footprints.T)
