"""ROI tag types, stimulus types and custom columns in the tables, on both servers."""

import numpy as np
import pytest

from schemas.configuration import delete_label, going_with_label, move_label, show_label
from schemas.custom_columns import (
    add_custom_column,
    custom_columns,
    default_of,
    fill_values,
    typed,
)
from schemas.labels import (
    CUSTOM_COLUMN,
    LABELLED,
    ROI_TAG_TYPE,
    STIMULUS_TYPE,
    add_label,
    find_label,
    labelled_rows,
    labels,
    rename_label,
)
from schemas.samples import add_sample
from schemas.settings import ProjectError

pytestmark = pytest.mark.db

FACTS = {CUSTOM_COLUMN: {"kind": "str"}}


@pytest.mark.parametrize("what", LABELLED, ids=lambda what: what.command)
def test_a_label_changes_and_the_number_stays(database, what):
    for label in ("one", "two"):
        add_label(database, what, label, FACTS.get(what))
    key = find_label(database, what, "one")

    rename_label(database, what, "one", " three ")
    rename_label(database, what, "two", "Two")

    assert labels(database, what) == ["three", "Two"]
    assert find_label(database, what, "three") == key
    with pytest.raises(ProjectError, match=f"there is no {what.words} 'one'; there are: three"):
        rename_label(database, what, "one", "four")


@pytest.mark.parametrize("what", LABELLED, ids=lambda what: what.command)
def test_what_is_shown_and_where_is_chosen(database, what):
    for label in ("a", "b", "c"):
        add_label(database, what, label, FACTS.get(what))

    move_label(database, what, "c", 1)
    show_label(database, what, "a", visible=False)
    add_label(database, what, "d", FACTS.get(what))
    move_label(database, what, "a", 99)

    assert labels(database, what) == ["c", "b", "d", "a"]
    assert [bool(row["visible"]) for row in labelled_rows(database, what)] == [True] * 3 + [False]
    with pytest.raises(ProjectError, match="places are counted from 1; got 0"):
        move_label(database, what, "a", 0)


def test_a_name_stands_for_one_thing(database):
    add_label(database, STIMULUS_TYPE, "odour")
    add_label(database, ROI_TAG_TYPE, "region")
    for label in ("odour", "ODOUR"):
        with pytest.raises(ProjectError, match="there is a stimulus type 'odour' already"):
            add_label(database, ROI_TAG_TYPE, label)
    with pytest.raises(ProjectError, match="there is a ROI tag type 'region' already"):
        add_custom_column(database, "region", "str")
    for label in ("sample_id", "Comments", "snr"):
        with pytest.raises(ProjectError, match="is a column of every project"):
            add_custom_column(database, label, "str")
    with pytest.raises(ProjectError, match="is of one of str, int, float, bool; got 'text'"):
        add_custom_column(database, "dose", "text")


def test_samples_get_the_default_of_a_new_column(database, take_in):
    first = take_in(database, trial="t1")
    add_custom_column(database, "dose", "float", "0.5")
    add_sample(database, first)
    add_custom_column(database, "trained", "bool", "False")
    add_custom_column(database, "note", "str")
    add_sample(database, take_in(database, trial="t2"), values={"dose": 2})

    rows = database.sample.SampleValue.to_dicts(order_by="trial, custom_column_id")
    assert [row["float_value"] for row in rows[::3]] == [0.5, 2.0]
    assert [row["bool_value"] for row in rows[1::3]] == [0, 0]
    assert [row["str_value"] for row in rows[2::3]] == [None, None]
    assert {label: default_of(row) for label, row in custom_columns(database).items()} == {
        "dose": 0.5,
        "trained": False,
        "note": None,
    }
    above = database.sample.SampleValue & {"custom_column_id": 1} & "float_value > 1"
    assert list(above.to_arrays("trial")) == ["t2"]
    fill_values(database, first)
    assert len(database.sample.SampleValue()) == 6


def test_a_deleted_column_takes_its_values_and_what_was_shown_alone(database, take_in):
    add_custom_column(database, "dose", "int", 1)
    add_custom_column(database, "kept", "int", 1)
    add_sample(database, take_in(database, trial="t1"), values={"dose": 3, "kept": 4})
    shown = going_with_label(database, CUSTOM_COLUMN, "dose")
    assert sorted(shown.values()) == [1, 1, 1]
    add_sample(database, take_in(database, trial="t2"))

    with pytest.raises(ProjectError, match="'dose' meanwhile; nothing was deleted"):
        delete_label(database, CUSTOM_COLUMN, "dose", shown=shown)
    shown = going_with_label(database, CUSTOM_COLUMN, "dose")
    delete_label(database, CUSTOM_COLUMN, "dose", shown=shown)

    assert labels(database, CUSTOM_COLUMN) == ["kept"]
    assert sorted(database.sample.SampleValue.to_arrays("int_value")) == [1, 4]
    assert len(database.sample.Sample()) == 2


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("str", " a b ", "a b"),
        ("int", "-3", -3),
        ("int", 3.0, 3),
        ("int", np.int64(4), 4),
        ("float", "1e-3", 0.001),
        ("float", 2, 2.0),
        ("float", float("nan"), None),
        ("bool", "False", False),
        ("bool", "true", True),
        ("bool", np.True_, True),
        ("int", "", None),
        ("str", None, None),
    ],
)
def test_values_are_read(kind, value, stored):
    found = typed("dose", kind, value)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("str", 3),
        ("str", "a" * 256),
        ("str", "two\nlines"),
        ("int", "2.5"),
        ("int", 2.5),
        ("int", True),
        ("int", "1_0"),
        ("int", 2**63),
        ("float", "much"),
        ("float", "inf"),
        ("float", True),
        ("float", "1_0"),
        ("bool", "yes"),
        ("bool", 1),
        ("bool", [True]),
    ],
)
def test_what_is_not_of_the_kind_is_refused(kind, value):
    with pytest.raises(ProjectError, match="'dose' holds "):
        typed("dose", kind, value)
