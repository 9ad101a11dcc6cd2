"""Stimulus types and periods in the tables, on both servers."""

import pandas as pd
import pytest

from pipeline.stimuli import Placed
from schemas import stimuli
from schemas.settings import ProjectError
from schemas.stimuli import (
    add_stimulus_type,
    enter_periods,
    place,
    rename_stimulus_type,
    stimulus_periods,
    stimulus_types,
    undo_periods,
)

pytestmark = pytest.mark.db


@pytest.fixture
def filled(database, take_in, run_all):
    """A project with a recording of 10 s, two stimulus types, and its key."""
    take_in(database)
    run_all(database)
    for label in ("orientation", "odour"):
        add_stimulus_type(database, label)
    return database, dict(database.session.Recording().keys()[0])


def enter(database, key, label, *rows, **options):
    table = pd.DataFrame(rows, columns=["name", "start", "end"])
    enter_periods(database, key, {label: place(database, key, table, unit="s")}, **options)


def now(database, key):
    return {
        found.label: list(found.table[["name", "start_s", "stop_frame"]].itertuples(index=False))
        for found in stimulus_periods(database, key)
    }


def test_the_newest_periods_count_and_older_ones_stay(filled):
    database, key = filled
    enter(database, key, "orientation", ("90", 1, 2), ("45", 3, 4), source="a.csv")
    enter(database, key, "odour", ("banana", 5, 6))
    enter(database, key, "orientation", ("0", 1.5, 2.5))

    assert now(database, key) == {"orientation": [("0", 1.5, 75)], "odour": [("banana", 5.0, 180)]}
    maps = database.stimulus.StimulusMap().to_dicts(order_by="stimulus_type_id, version")
    assert [(row["version"], row["n_periods"], row["source"]) for row in maps] == [
        (1, 2, "a.csv"),
        (2, 1, ""),
        (1, 1, ""),
    ]
    assert all(row["account"] for row in maps)


def test_the_last_change_is_undone_and_done_again(filled):
    database, key = filled
    enter(database, key, "odour", ("banana", 1 / 3, 2 / 3))
    enter(database, key, "odour")
    assert now(database, key) == {"odour": []}

    undo_periods(database, key, "odour")
    assert now(database, key) == {"odour": [("banana", 1 / 3, 20)]}
    undo_periods(database, key, "odour")
    assert now(database, key) == {"odour": []}
    with pytest.raises(ProjectError, match="no periods of 'orientation' were entered"):
        undo_periods(database, key, "orientation")


def test_of_two_people_the_second_is_told(filled):
    database, key = filled
    enter(database, key, "odour", ("banana", 1, 2), after=0)

    with pytest.raises(ProjectError, match="somebody else has entered periods of 'odour'"):
        enter(database, key, "odour", ("apple", 1, 2), after=0)

    assert now(database, key) == {"odour": [("banana", 1.0, 60)]}


def test_several_types_are_entered_all_or_none(filled):
    database, key = filled
    enter(database, key, "odour", ("banana", 1, 2))
    table = pd.DataFrame([("x", 1, 2)], columns=["name", "start", "end"])
    placed = place(database, key, table, unit="s")

    with pytest.raises(ProjectError, match="meanwhile"):
        enter_periods(database, key, {"orientation": placed, "odour": placed}, after=0)
    with pytest.raises(ProjectError, match="no stimulus type 'sound'; there are: orientation"):
        enter_periods(database, key, {"orientation": placed, "sound": placed})

    assert now(database, key) == {"odour": [("banana", 1.0, 60)]}


def test_a_renamed_type_keeps_its_periods(filled):
    database, key = filled
    enter(database, key, "odour", ("banana", 1, 2))

    rename_stimulus_type(database, "odour", " smell ")

    assert stimulus_types(database) == ["orientation", "smell"]
    assert now(database, key) == {"smell": [("banana", 1.0, 60)]}


@pytest.mark.parametrize("label", ["", "   ", "a" * 65, "two\nlines"])
def test_what_cannot_be_a_label_is_refused(filled, label):
    database, _ = filled
    with pytest.raises(ProjectError, match="the label of a stimulus type has 1 to 64 letters"):
        add_stimulus_type(database, label)


def test_a_label_is_there_once(filled):
    database, _ = filled
    with pytest.raises(ProjectError, match="there is a stimulus type 'odour' already"):
        add_stimulus_type(database, "odour")
    with pytest.raises(ProjectError, match="there is a stimulus type 'odour' already"):
        rename_stimulus_type(database, "orientation", "odour")
    with pytest.raises(ProjectError, match="there is no stimulus type 'sound'"):
        rename_stimulus_type(database, "sound", "noise")


def test_hostile_names_are_only_text(filled):
    database, key = filled
    names = ["'; DROP TABLE x; --", '%s "quoted" \\', "ε 90°", "{database}"]
    add_stimulus_type(database, names[0])
    enter(database, key, names[0], *((name, i, i + 0.5) for i, name in enumerate(names)))
    assert [name for name, _, _ in now(database, key)[names[0]]] == names


def test_a_movie_that_was_not_read_has_no_place_for_periods(database, take_in):
    take_in(database)
    add_stimulus_type(database, "odour")
    key = dict(database.session.Recording().keys()[0])
    with pytest.raises(ProjectError, match="its movie is still to be read by: mesmerize work"):
        place(database, key, pd.DataFrame(columns=["name", "start", "end"]), unit="s")


def test_what_was_found_is_said():
    assert stimuli.said(Placed([], 0, [])) == "0 periods"
    assert "3 do not lie in the recording and are left out" in stimuli.said(Placed([], 3, []))
