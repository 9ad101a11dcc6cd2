"""ROIs as files of other programs: out, and where those come from that came in."""

import tempfile
from pathlib import Path

from apps.queries.keys import Key
from schemas.connection import Database
from schemas.roi_exports import roi_file_of


def imagej_archive(database: Database, segmentation: Key) -> bytes:
    """Return the ROIs of a segmentation as ImageJ's ROI Manager opens them.

    Raises
    ------
    ProjectError
        If there is no ROI.
    ValueError
        If one reaches through planes.
    """
    from pipeline.exporters.imagej import write_imagej

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rois.zip"
        write_imagej(roi_file_of(database, segmentation), path)
        return path.read_bytes()


def where_from(database: Database, task: Key) -> str | None:
    """Tell where the ROIs of a segmentation come from; None: they were sought."""
    if not task["rois_id"]:
        return None
    names = ("source", "file", "account", "entered")
    row = (database.given.RoiSet & {"rois_id": task["rois_id"]}).proj(*names).fetch1()
    file = f" ({row['file']})" if row["file"] else ""
    return f"ROIs of {row['source']}{file}, entered by {row['account']}"
