"""ROIs of a volume, as they are seen in one of its planes."""

import numpy as np
from numpy.typing import NDArray

from apps.queries.keys import RECORDING, Key
from pipeline.rois import Depth
from schemas.connection import Database


def outlines_in_plane(database: Database, key: Key, plane: int) -> dict[int, NDArray[np.float64]]:
    """Return the outlines of the ROIs of a volume in a plane, by ``roi_id``.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the segmentation.
    plane : int
        Of the recording.

    Returns
    -------
    dict
        Polygons ``(n_points, 2)``, rows first, in pixels of the recording; a ROI that is not seen
        in the plane is not among them.
    """
    recording = {name: key[name] for name in RECORDING}
    shape = (database.session.RecordingInfo & recording).fetch1("n_planes", "n_rows", "n_cols")
    rows = (database.roi.Segmentation.Roi & key).proj("pixels", "weights").to_dicts()
    found = {
        row["roi_id"]: Depth(
            pixels=row["pixels"], weights=row["weights"], frame_shape=shape
        ).contour_px(plane)
        for row in rows
    }
    return {roi_id: contour for roi_id, contour in found.items() if contour.size}
