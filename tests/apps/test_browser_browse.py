"""The Browser: ROIs filtered, tagged in place, undone, and kept as datasets."""

import io

import numpy as np
import pandas as pd
import pytest

from apps.table_files import WRITERS, table_bytes
from benchmarks.planted_rois import plant_rois, plant_samples
from schemas.configuration import show_label
from schemas.connection import connect_session
from schemas.custom_columns import add_custom_column
from schemas.datasets import datasets
from schemas.labels import CUSTOM_COLUMN, ROI_TAG_TYPE, STIMULUS_TYPE, add_label
from schemas.roi_table import fetch_rois, fetch_samples, roi_table
from schemas.roi_tags import tag_rois
from schemas.samples import SampleChange, modify_samples
from schemas.stimuli import add_stimulus_type
from tests.apps.test_browser import words

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def planted(make_project):
    """A project of 2 samples with 250 ROIs each, a tag type and a custom column."""
    database = make_project()
    keys = plant_samples(database, n_animals=2, n_trials=1)
    plant_rois(database, keys, n_rois=250, rng=np.random.default_rng(0))
    add_label(database, ROI_TAG_TYPE, "region")
    add_custom_column(database, "dose", "float")
    add_stimulus_type(database, "odour")
    return connect_session(database.settings)


@pytest.fixture
def page(planted, open_page):
    """The page, as a new user session."""
    yield open_page(planted, "browse.py")
    planted.analysis.Dataset().delete(prompt=False)
    planted.curation.Action().delete(prompt=False)


def rois(database):
    table = roi_table(database)
    return fetch_rois(table, table.query)


def search(app, text):
    box = next(found for found in app.text_input if found.label == "Filter")
    box.input(text).run()
    assert not app.exception


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def edit(app, name, row, **values):
    """Tell the page what somebody types into a table."""
    counter = f"{name} times"
    times = app.session_state[counter] if counter in app.session_state else 0  # noqa: SIM401 no get
    app.session_state[f"{name} table {times}"] = {
        "edited_rows": {row: values},
        "added_rows": [],
        "deleted_rows": [],
    }
    app.run()
    assert not app.exception


def test_rois_are_filtered_and_paged(page):
    assert "500 ROIs** of 2 samples of 2 animals" in words(page)
    search(page, "animal_id = m1 and roi_id < 7")
    assert "7 ROIs** of 1 sample of 1 animal" in words(page)
    search(page, "roi_id > 1000")
    assert "0 ROIs** of 0 samples" in words(page)


def test_a_mistake_is_shown_in_its_place(page):
    search(page, "roi_id < 5 and snrr > 5")
    assert page.error[0].value == "there is no column 'snrr'; did you mean snr?"
    assert page.code[0].value.splitlines() == ["  roi_id < 5 and snrr > 5", " " * 17 + "^^^^"]


def test_a_dataset_is_kept_and_shown(page, planted):
    search(page, "roi_id < 7")
    page.text_input(key="name of a new dataset").input("first").run()
    press(page, "Keep")

    assert list(datasets(planted)["n_rois"]) == [14]
    assert "14 ROIs**" in words(page)
    assert page.expander[-1].label == "How first was chosen"
    search(page, "animal_id = m0")
    page.text_input(key="name of a new dataset").input("second").run()
    press(page, "Keep")
    assert list(datasets(planted)["parent"]) == ["", "first"]
    assert "7 ROIs**" in words(page)

    page.text_input(key="name of a new dataset").input("second").run()
    press(page, "Keep")
    assert "there is a dataset 'second' already" in page.error[0].value


def test_tags_are_typed_saved_and_undone(page, planted):
    edit(page, "ROIs", 3, **{"tag.region": "pr"})
    press(page, "Save 1 changed rows")
    assert list(rois(planted)["tag.region"].dropna()) == ["pr"]
    press(page, "Undo the last save")
    assert rois(planted)["tag.region"].isna().all()


def test_the_second_of_two_people_is_told_and_keeps_what_was_typed(page, planted):
    edit(page, "ROIs", 3, **{"tag.region": "pr"})
    row = rois(planted).iloc[3]
    tag_rois(planted, dict(row), [row["roi_id"]], {"region": "mn"})

    press(page, "Save 1 changed rows")

    assert "somebody else has changed ROI 3 meanwhile" in page.error[0].value
    assert list(rois(planted)["tag.region"].dropna()) == ["mn"]
    assert any(button.label == "Save 1 changed rows" for button in page.button)
    press(page, "Reload")
    assert not page.error


def test_samples_are_edited_and_undone(page, planted):
    page.session_state["show"] = "Samples"
    page.run()
    edit(page, "samples", 1, comments="late", **{"custom.dose": 2.5})
    press(page, "Save 1 changed rows")

    table = roi_table(planted)
    now = fetch_samples(table, table.query)
    assert list(now["comments"]) == ["", "late"]
    assert list(now["custom.dose"].fillna(-1)) == [-1, 2.5]
    press(page, "Undo the last save")
    assert list(fetch_samples(table, table.query)["comments"]) == ["", ""]

    edit(page, "samples", 0, comments="mine")
    modify_samples(planted, [SampleChange(sample_id="m0-_-t0", comments="theirs")])
    press(page, "Save 1 changed rows")
    assert "has changed the sample 'm0-_-t0' meanwhile" in page.error[0].value


def shown_columns(app):
    (editor,) = app.data_editor
    return set(editor.proto.column_order)


def test_hidden_columns_are_not_shown_but_can_be_asked_for(page, planted):
    hidden = {ROI_TAG_TYPE: "region", CUSTOM_COLUMN: "dose", STIMULUS_TYPE: "odour"}
    columns = {"tag.region", "custom.dose", "stimulus.odour"}
    of_samples = columns - {"tag.region"}
    assert columns <= shown_columns(page.run())
    for what, label in hidden.items():
        show_label(planted, what, label, visible=False)
    try:
        assert not columns & shown_columns(page.run())
        assert "sample_id" in shown_columns(page)
        assert "ROIs can be tagged here as soon as" not in words(page)
        search(page, "region is missing and dose is missing and roi_id < 7")
        assert "14 ROIs**" in words(page)
        page.session_state["show"] = "Samples"
        assert not of_samples & shown_columns(page.run())
    finally:
        for what, label in hidden.items():
            show_label(planted, what, label, visible=True)
    assert of_samples <= shown_columns(page.run())


def test_files_hold_what_the_table_holds():
    table = pd.DataFrame({"text": ["=1+1", "a\x01", 'ä;,\n"'], "n": [1, 2, 3]})
    table["list"] = pd.Series([["a", "b"], [], ["c"]], dtype=object)
    read = {".csv": pd.read_csv, ".xlsx": pd.read_excel, ".parquet": pd.read_parquet}
    for ending in WRITERS:
        content = table_bytes(table, ending)
        if ending in read:
            again = read[ending](io.BytesIO(content))
            assert list(again["n"]) == [1, 2, 3]
            assert again["text"][0] == "=1+1"  # not 2
            assert again["text"][2] == table["text"][2]
            held = again["list"][0]
            assert held == "a; b" if isinstance(held, str) else list(held) == ["a", "b"]
