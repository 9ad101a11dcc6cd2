"""The Browser for who may look at everything and change nothing, on a lab's server."""

import os

import numpy as np
import pytest

from apps.browser import sign_in, table_editor
from apps.browser.attempts import Attempts
from benchmarks.planted_rois import plant_rois, plant_samples
from schemas import accounts
from schemas.access import ROLES
from schemas.connection import connect_session
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.roi_tags import tag_rois
from schemas.setup import parse_server
from tests.apps.test_browser import words
from tests.apps.test_browser_browse import edit, press, rois, search

pytestmark = pytest.mark.db
PASSWORD = "deep blue sea"
SENTENCE = "You are a viewer; this takes an analyst."


@pytest.fixture(scope="module")
def planted(make_project):
    """A project on MySQL: 2 samples with 20 ROIs each, one of them tagged, and a viewer."""
    if "MESMERIZE_TEST_MYSQL" not in os.environ:
        pytest.skip("no MySQL server: MESMERIZE_TEST_MYSQL is not set")
    database = make_project(parse_server(os.environ["MESMERIZE_TEST_MYSQL"]))
    keys = plant_samples(database, n_animals=2, n_trials=1)
    plant_rois(database, keys, n_rois=20, rng=np.random.default_rng(0))
    add_label(database, ROI_TAG_TYPE, "region")
    tag_rois(database, keys[0], [3], {"region": "pr"})
    accounts.add_member(database, name_of(database), "viewer", PASSWORD)
    owner = connect_session(database.settings)
    yield owner
    accounts.remove_member(owner, name_of(owner))
    for role in ROLES:
        owner.connection.query(f"DROP ROLE `{owner.settings.schema_prefix}{role}`")


def name_of(database):
    return f"viewer.{database.settings.schema_prefix}"


@pytest.fixture
def page(planted, open_page, monkeypatch):
    """The page, of a viewer who has signed in."""
    monkeypatch.setattr(sign_in, "ATTEMPTS", Attempts())
    app = open_page(planted)
    app.text_input[0].input(name_of(planted))
    app.text_input[1].input(PASSWORD)
    app.button[0].click().run()
    app.switch_page("browse.py").run()
    assert not app.exception
    return app


def test_a_viewer_looks_and_filters(page):
    assert "40 ROIs** of 2 samples of 2 animals" in words(page)
    search(page, "region: pr or animal_id = m1 and roi_id < 4")
    assert "5 ROIs** of 2 samples of 2 animals" in words(page)


@pytest.mark.parametrize("view", ["ROIs", "Samples"])
def test_a_viewer_is_told_why_nothing_can_be_changed(page, view):
    page.session_state["show"] = view
    page.run()

    assert [caption.value for caption in page.caption].count(SENTENCE) == 1
    (editor,) = page.data_editor
    assert editor.proto.disabled
    buttons = {button.label: button for button in page.button}
    for label in ("Save", "Undo the last save"):
        assert buttons[label].disabled
        assert buttons[label].help == SENTENCE
    assert not buttons["Reload"].disabled


def test_who_tampers_with_the_page_is_refused_by_the_database(page, planted, monkeypatch):
    monkeypatch.setattr(table_editor, "why_not", lambda database, role: None)
    page.run()
    edit(page, "ROIs", 5, **{"tag.region": "palp"})
    press(page, "Save 1 changed rows")

    assert "is a viewer and may not" in page.error[0].value
    assert list(rois(planted)["tag.region"].dropna()) == ["pr"]
