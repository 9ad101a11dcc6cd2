"""Configuration and samples in the app."""

import pytest

from schemas.connection import connect_session
from schemas.custom_columns import add_custom_column, custom_columns
from schemas.labels import CUSTOM_COLUMN, ROI_TAG_TYPE, add_label, labelled_rows, labels
from schemas.sample_versions import sample_history
from schemas.samples import SampleChange, add_sample, find_sample, modify_samples
from tests.apps.test_browser import words

pytestmark = pytest.mark.db
ONE = "m1-_-t1"
KEY = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}


@pytest.fixture
def small(embedded, take_in):
    """A project with two custom columns and a recording, as a session of the app sees it."""
    take_in(embedded)
    add_custom_column(embedded, "dose", "float", 0.5)
    add_custom_column(embedded, "trained", "bool")
    session = connect_session(embedded.settings)
    yield session
    session.connection.close()


def press(app, label=None, **which):
    if label is not None:
        next(button for button in app.button if button.label == label).click().run()
    else:
        app.button(**which).click().run()
    assert not app.exception


def fields(app):
    """Return the fields of the sample by their labels."""
    return {field.label: field for field in (*app.text_input, *app.text_area, *app.selectbox)}


def show_sample(app):
    app.session_state["view"] = "Sample"
    app.run()
    assert not app.exception
    return app


def test_labels_are_made_renamed_hidden_and_moved(small, open_page):
    app = open_page(small, "configuration.py")
    assert not app.exception
    for label in ("cell type", "region"):
        app.text_input(key="new tags").input(label)
        press(app, key="add new tags")
    app.text_input(key="tags 1 cell type").input("type").run()
    press(app, key="move tags 2 region -1")
    app.toggle(key="shown tags 1 type True").set_value(False).run()

    assert [(row["label"], row["visible"]) for row in labelled_rows(small, ROI_TAG_TYPE)] == [
        ("region", 1),
        ("type", 0),
    ]
    app.text_input(key="tags 1 type").input("region").run()
    assert "there is a ROI tag type 'region' already" in app.error[0].value
    assert app.text_input(key="tags 1 type").value == "type"


def test_a_column_is_made_and_goes_when_somebody_has_seen_what_goes(small, open_page):
    add_sample(small, KEY, values={"dose": 3})
    app = open_page(small, "configuration.py")
    app.text_input(key="new columns").input("age")
    app.selectbox(key="kind of new columns").set_value("int")
    app.text_input(key="default of new columns").input("old")
    press(app, key="add new columns")
    assert "'age' holds whole numbers; got 'old'" in app.error[0].value
    app.text_input(key="default of new columns").input("90")
    press(app, key="add new columns")
    assert labels(small, CUSTOM_COLUMN) == ["dose", "trained", "age"]

    press(app, key="delete columns 1 dose")
    assert "1 values in the history of samples" in words(app)
    press(app, "Keep it")
    assert "1 values in the history of samples" not in words(app)
    press(app, key="delete columns 1 dose")
    press(app, "Delete all this")
    assert list(custom_columns(small)) == ["trained", "age"]


def test_a_recording_becomes_a_sample_and_is_changed(small, open_page):
    app = show_sample(open_page(small, "recording.py", **KEY))
    assert "This recording is no sample yet" in words(app)
    fields(app)["Comments"].input("a good one")
    fields(app)["trained"].set_value(True)
    press(app, "Make it a sample")

    assert fields(app)["dose"].value == "0.5"
    fields(app)["dose"].input("much")
    press(app, "Save")
    assert "'dose' holds numbers; got 'much'" in app.error[0].value
    fields(app)["dose"].input("2")
    press(app, "Save")
    assert fields(app)["dose"].value == "2"
    press(app, "Undo the last change")
    assert fields(app)["dose"].value == "0.5"

    made = list(sample_history(small, ONE)["change_made"])
    assert made == ["undone", "modified", "added"]
    assert find_sample(small, ONE)["comments"] == "a good one"
    press(app, "Remove the sample")
    assert "1 sample, with" in words(app)
    press(app, "Delete all this")
    assert "This recording is no sample now. It was m1-_-t1" in words(app)
    press(app, "Bring it back")
    assert find_sample(small, ONE)["comments"] == "a good one"


@pytest.mark.parametrize(("choice", "comments"), [("Take theirs", "x"), ("Store mine nev", "mine")])
def test_the_second_of_two_people_is_told_and_keeps_what_was_typed(
    small, open_page, choice, comments
):
    add_sample(small, KEY)
    app = show_sample(open_page(small, "recording.py", **KEY))
    modify_samples(small, [SampleChange(sample_id=ONE, comments="x", values={"dose": 7})])
    fields(app)["Comments"].input("mine")

    press(app, "Save")

    assert "has changed the sample 'm1-_-t1' meanwhile" in app.error[0].value
    assert find_sample(small, ONE)["comments"] == "x"
    assert fields(app)["Comments"].value == "mine"
    assert "the comments are now: “x”" in words(app)
    press(app, next(each.label for each in app.button if each.label.startswith(choice)))
    assert find_sample(small, ONE)["comments"] == comments
    assert fields(app)["Comments"].value == comments
    assert fields(app)["dose"].value == "7"


def test_samples_are_listed(small, open_page):
    app = open_page(small, "samples.py")
    assert "There are no samples yet" in words(app)
    add_sample(small, KEY, values={"dose": 2})
    add_label(small, ROI_TAG_TYPE, "region")
    app = open_page(small, "samples.py")
    assert not app.exception
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["sample_id"], row["dose"]) == (ONE, 2.0)
