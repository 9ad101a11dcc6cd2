"""ROIs of a recording, saved through the browser."""

import io
import zipfile

import pytest
from roifile import ImagejRoi

from apps import queries

pytestmark = pytest.mark.db


@pytest.mark.parametrize("trial", ["done", "empty"])
def test_rois_are_offered_for_imagej(lab, open_page, trial):
    key = (lab.session.Recording & {"trial": trial}).keys()[0]
    query = {**key, "view": "Files, parameters, versions"}
    page = open_page(lab, "recording.py", **query)
    page.session_state["view"] = query["view"]
    page.run()

    (button,) = [b for b in page.button if b.label == "ROIs for ImageJ"][:1]
    page = button.click().run()

    assert not page.exception
    if trial == "empty":
        assert "nothing to export" in page.error[0].value
        return
    (save,) = page.get("download_button")
    assert save.proto.label.endswith("default.zip")


def test_the_archive_holds_every_roi(lab):
    key = (lab.roi.Segmentation & {"trial": "done"}).keys()[0]
    with zipfile.ZipFile(io.BytesIO(queries.imagej_archive(lab, key))) as archive:
        rois = [ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
    assert len(rois) == len(lab.roi.Segmentation.Roi & key)
