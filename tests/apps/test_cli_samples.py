"""Configuration and samples from the command line."""

import json

import pytest

from schemas.samples import find_sample
from schemas.settings import PROJECT_VARIABLE

pytestmark = pytest.mark.db

WHERE = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
ONE = "m1-_-t1"


@pytest.fixture
def here(embedded, take_in, monkeypatch):
    """A project with a recording, to which commands belong."""
    take_in(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    return embedded


def done(outcome):
    code, out, err = outcome
    assert code == 0, err
    return out


def refused(outcome):
    code, out, err = outcome
    assert code == 1, out
    return err


@pytest.mark.usefixtures("here")
def test_a_project_is_configured(mesmerize):
    assert done(mesmerize("config", "list")) == "Nothing is configured yet.\n"
    done(mesmerize("config", "tags", "add", "cell type"))
    done(mesmerize("config", "stimuli", "add", "odour"))
    done(mesmerize("config", "columns", "add", "dose", "--kind", "float", "--default", "0.5"))
    done(mesmerize("config", "columns", "add", "group", "--kind", "str"))
    done(mesmerize("config", "columns", "rename", "group", "treatment"))
    done(mesmerize("config", "columns", "hide", "treatment"))
    assert done(mesmerize("config", "columns", "move", "treatment", "1")) == "treatment, dose\n"
    assert done(mesmerize("config", "list")).splitlines() == [
        "stimulus type   odour",
        "ROI tag type    cell type",
        "custom column   treatment               str, hidden",
        "custom column   dose                    float, default 0.5",
    ]
    done(mesmerize("config", "columns", "show", "treatment"))
    found = json.loads(done(mesmerize("config", "list", "--json")))
    assert [row["label"] for row in found["columns"]] == ["treatment", "dose"]
    assert done(mesmerize("stimuli", "types", "list")) == "odour\n"
    wrong = ("--kind", "int", "--default", "old")
    assert "'age' holds whole numbers; got 'old'" in refused(
        mesmerize("config", "columns", "add", "age", *wrong)
    )


def test_what_holds_data_goes_when_somebody_says_so(here, mesmerize):
    done(mesmerize("config", "columns", "add", "dose", "--kind", "int"))
    done(mesmerize("samples", "add", *WHERE, "--set", "dose=3"))

    assert "give --yes if all this is to go" in refused(
        mesmerize("config", "columns", "delete", "dose")
    )
    assert len(here.project.CustomColumn()) == 1
    out = done(mesmerize("config", "columns", "delete", "dose", "--yes"))

    assert out.splitlines() == [
        "project.CustomColumn               1 rows",
        "sample.SampleValue                 1 rows",
        "sample.SampleValueVersion          1 rows",
        "Deleted the custom column 'dose'.",
    ]
    assert len(here.project.CustomColumn()) == 0
    assert len(here.sample.Sample()) == 1


def test_a_sample_from_its_begin_to_its_end(here, mesmerize):
    done(mesmerize("config", "columns", "add", "dose", "--kind", "float", "--default", "0.5"))
    out = done(mesmerize("samples", "add", *WHERE, "--comments", "a good one"))
    assert out.splitlines() == [
        "Made the sample m1-_-t1.",
        "It has no ROIs yet; choose them, when they are found, by: mesmerize samples replace",
    ]
    done(mesmerize("samples", "modify", ONE, "--set", "dose=2", "--after", "1"))
    late = ("--set", "dose=3", "--after", "1")
    assert "meanwhile" in refused(mesmerize("samples", "modify", ONE, *late))
    (row,) = json.loads(done(mesmerize("samples", "list", "--json")))
    assert (row["sample_id"], row["dose"], row["comments"]) == (ONE, 2.0, "a good one")
    assert row["n_rois"] is None
    done(mesmerize("samples", "undo", ONE))
    assert "0.5" in done(mesmerize("samples", "list"))

    assert "give --yes" in refused(mesmerize("samples", "remove", ONE))
    out = done(mesmerize("samples", "remove", ONE, "--yes"))
    assert "sample.Sample                      1 rows" in out.splitlines()
    assert done(mesmerize("samples", "list")) == "There are no samples.\n"
    done(mesmerize("samples", "restore", ONE))
    assert find_sample(here, ONE)["comments"] == "a good one"
    history = json.loads(done(mesmerize("samples", "history", ONE, "--json")))
    made = ["restored", "removed", "undone", "modified", "added"]
    assert [row["change_made"] for row in history] == made


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("modify", ONE), "nothing is to be changed"),
        (("modify", ONE, "--set", "dose"), "--set is written as COLUMN=VALUE; got 'dose'"),
        (("add", *WHERE, "--set", "dose=1"), "no custom column 'dose'; there are: none yet"),
        (("modify", ONE, "--comments", "x"), "there is no sample 'm1-_-t1'"),
        (("replace", ONE, "--params", "default"), "there is no sample 'm1-_-t1'"),
        (("add", *WHERE, "--params", "x"), "no segmentation 'x'; name one of those"),
        (("add", *WHERE, "--trial-id", "a/b"), "the TrialID must have 1 to 64 characters"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_what_cannot_be_is_refused(mesmerize, words, message):
    assert message in refused(mesmerize("samples", *words))


@pytest.fixture(scope="module")
def unchanging(make_project):
    return make_project()


@pytest.fixture
def unchanged(unchanging, monkeypatch):
    """A project to which nothing happens."""
    monkeypatch.setenv(PROJECT_VARIABLE, str(unchanging.settings.folder))
