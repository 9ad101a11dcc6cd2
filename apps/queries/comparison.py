"""Two segmentations of one recording, ROI by ROI."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from apps.queries.keys import Key
from pipeline.rois import compare_rois
from schemas.connection import Database


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
        ``cosine`` of the footprints and ``trace_r`` of the raw traces.
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
    lonely = [
        pd.DataFrame({"roi_one": ids[0][found.only_one]}),
        pd.DataFrame({"roi_other": ids[1][found.only_other]}),
    ]
    rows = [pairs.astype(float), *(each.astype(float) for each in lonely)]
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)


def _accepted(
    database: Database, key: Key
) -> tuple[NDArray[np.int64], sparse.csc_array, NDArray[np.float32]]:
    """Return numbers, footprints and raw traces of the accepted ROIs of a segmentation."""
    query = database.roi.Segmentation.Roi * database.roi.Trace.Roi & key & {"accepted": True}
    rows = query.proj("pixels", "weights", "raw").to_dicts(order_by="roi_id")
    shape = (database.session.RecordingInfo & key).fetch1("n_planes", "n_rows", "n_cols")
    n_frames = (database.roi.Segmentation & key).fetch1("n_frames")
    footprints = sparse.lil_array((len(rows), math.prod(shape)), dtype=np.float32)
    traces = np.empty((len(rows), n_frames), np.float32)
    for number, row in enumerate(rows):
        footprints[number, row["pixels"]] = row["weights"]
        traces[number] = row["raw"]
    ids = np.array([row["roi_id"] for row in rows], np.int64)
    return ids, sparse.csc_array(footprints.T), traces
