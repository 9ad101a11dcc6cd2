"""Stimuli in the app: entered, imported, shaded behind traces."""

import pytest

from schemas.ingest import Trial, ingest
from schemas.stimuli import (
    add_stimulus_type,
    enter_periods,
    place,
    stimulus_periods,
    stimulus_types,
)
from tests.apps.test_browser import words
from tests.recordings import pattern, write_mes

pytestmark = pytest.mark.db
DONE = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "done"}
CHANNELS = "From the auxiliary channels of the recording"
TABLE = b"ori,start,end\n0,1,2\n90,3,4\n90,7,9\n"


@pytest.fixture
def page(lab, open_page):
    """The page of a recording of 8 s."""
    yield open_page(lab, "recording.py", **DONE)
    lab.stimulus.StimulusMap().delete(prompt=False)
    lab.project.StimulusType().delete(prompt=False)


def show_stimuli(app):
    app.session_state["view"] = "Stimuli"
    app.run()
    assert not app.exception
    return app


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def now(lab):
    return {
        found.label: list(found.table[["name", "start_s", "stop_frame"]].itertuples(index=False))
        for found in stimulus_periods(lab, DONE)
    }


def test_a_type_is_made_and_refused_twice(lab, page):
    app = show_stimuli(page)
    assert "There are no stimulus types yet" in words(app)

    app.text_input(key="new stimulus type").input("odour")
    press(app, "Add")
    assert stimulus_types(lab) == ["odour"]
    app.text_input(key="new stimulus type").input("odour")
    press(app, "Add")

    assert "there is a stimulus type 'odour' already" in app.error[0].value
    assert stimulus_types(lab) == ["odour"]


def test_periods_are_typed_saved_and_undone(lab, page):
    add_stimulus_type(lab, "odour")
    app = show_stimuli(page)
    row = {"name": "banana", "start": 1.0, "end": 2.0, "color": "#112233"}
    app.session_state["periods odour s 0"] = _edits(row)
    app.run()

    press(app, "Save")
    assert now(lab) == {"odour": [("banana", 1.0, 60)]}
    press(app, "Undo the last change")
    assert now(lab) == {"odour": []}


def test_a_mistake_is_told_and_nothing_is_stored(lab, page):
    add_stimulus_type(lab, "odour")
    app = show_stimuli(page)
    app.session_state["periods odour s 0"] = _edits({"name": "banana", "start": 2.0, "end": 1.0})
    app.run()

    press(app, "Save")

    assert "row 1: a period ends after it begins" in app.error[0].value
    assert now(lab) == {}


def test_the_second_of_two_people_is_told(lab, page):
    add_stimulus_type(lab, "odour")
    app = show_stimuli(page)
    app.session_state["periods odour s 0"] = _edits({"name": "banana", "start": 1.0, "end": 2.0})
    app.run()
    enter(lab, "odour", "apple")

    press(app, "Save")

    assert "somebody else has entered periods of 'odour' meanwhile" in app.error[0].value
    assert [name for name, _, _ in now(lab)["odour"]] == ["apple"]


def test_a_file_is_imported(lab, page):
    add_stimulus_type(lab, "orientation")
    app = show_stimuli(page)
    app.file_uploader(key="stimuli").upload("t1.csv", TABLE, "text/csv").run()
    app.selectbox(key="for orientation").set_value("ori").run()

    press(app, "Import")

    assert now(lab) == {"orientation": [("0", 1.0, 60), ("90", 3.0, 120)]}
    assert "1 do not lie in the recording" in " ".join(toast.value for toast in app.toast)


def test_a_file_that_is_no_table_is_told(lab, page):
    add_stimulus_type(lab, "orientation")
    app = show_stimuli(page)
    app.file_uploader(key="stimuli").upload("t1.csv", b"", "text/csv").run()

    assert not app.exception
    assert "cannot be read as a table" in app.error[0].value


def test_stimuli_are_shaded_behind_traces_and_can_be_left_out(lab, page):
    add_stimulus_type(lab, "odour")
    enter(lab, "odour", "banana")
    page.session_state["view"] = "ROIs and traces"
    page.run()
    assert not page.exception
    choice = next(found for found in page.get("button_group") if found.label == "Stimuli")
    assert choice.value == "odour"


def enter(lab, label, name):
    import pandas as pd

    table = pd.DataFrame({"name": [name], "start": [1.0], "end": [2.0]})
    enter_periods(lab, DONE, {label: place(lab, DONE, table, unit="s")})


def _edits(row):
    """Return what the table tells when somebody has added a row."""
    return {"edited_rows": {}, "added_rows": [row], "deleted_rows": []}


def test_voltages_of_a_mes_file_are_named_and_taken_over(embedded, open_page, run_all):
    path = embedded.settings.roots["data"] / "fish.mes"
    write_mes(path, pattern((36, 12, 16)))
    key = ingest(Trial(animal="fish", session="2026-11-22", trial="t1"), [path])
    run_all(embedded)
    add_stimulus_type(embedded, "odour")
    app = show_stimuli(open_page(embedded, "recording.py", **key))
    assert CHANNELS in [expander.label for expander in app.expander]
    edited = {0: {"name": ""}, 1: {"name": "light"}, 2: {"name": "food"}}
    app.session_state["voltages of AUXo3"] = {**_edits({}), "edited_rows": edited, "added_rows": []}
    app.run()

    press(app, "Take over")

    (found,) = stimulus_periods(embedded, key)
    rows = found.table[["name", "start_frame", "stop_frame"]].to_numpy().tolist()
    assert rows == [["food", 6, 16], ["light", 28, 36]]


def test_a_recording_without_channels_does_not_offer_them(lab, page):
    add_stimulus_type(lab, "odour")

    assert CHANNELS not in [expander.label for expander in show_stimuli(page).expander]
