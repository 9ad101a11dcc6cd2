"""Deciding about ROIs in the app: rejected, tagged, undone; the second of two people is told."""

import pytest

from apps import queries
from schemas.actions import judge_rois
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.roi_tags import tags_of

pytestmark = pytest.mark.db
DONE = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "done"}


@pytest.fixture
def page(lab, open_page):
    """The page of a recording with ROIs."""
    add_label(lab, ROI_TAG_TYPE, "region")
    yield open_page(lab, "recording.py", **DONE)
    lab.curation.Action().delete(prompt=False)
    lab.project.RoiTagType().delete(prompt=False)


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def test_selected_rois_are_rejected_tagged_and_undone(lab, page):
    key = queries.segmentations(lab, DONE)[0]["key"]
    selected = page.multiselect[0].value
    assert selected

    page.text_input(key="because").input("a vessel")
    press(page, "Reject")
    rois = queries.rois(lab, key).set_index("roi_id")
    assert set(rois.loc[selected, "reason"]) == {"a vessel"}

    judge_rois(lab, key, selected[:1], "excluded")
    press(page, "Accept")
    assert "somebody else has changed ROI" in page.error[0].value
    press(page, "Undo")
    press(page, "Undo")
    assert queries.rois(lab, key).set_index("roi_id").loc[selected, "accepted"].all()
    press(page, "Take the tag away")
    assert tags_of(lab, key) == {"region": {}}
