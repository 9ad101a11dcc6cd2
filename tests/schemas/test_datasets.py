"""Datasets: chosen, frozen, described, and never changed; on both servers."""

import numpy as np
import pytest

from benchmarks.planted_rois import plant_rois, plant_samples
from pipeline.filters import FilterError
from schemas.analysis import Dataset
from schemas.connection import connect_session
from schemas.dataset_keeping import check_dataset, delete_dataset, rename_dataset
from schemas.datasets import (
    chosen_rois,
    dataset_rois,
    dataset_traces,
    datasets,
    describe_dataset,
    make_dataset,
)
from schemas.deletion import doomed_by
from schemas.roi_table import count_rois, roi_table
from schemas.settings import ProjectError

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def shared(make_project, address):
    """A project with 4 samples of 25 ROIs, and these."""
    database = make_project(address)
    keys = plant_samples(database, n_animals=2, n_trials=2)
    return database, plant_rois(database, keys, n_rois=25, rng=np.random.default_rng(0))


@pytest.fixture
def lab(shared):
    """The same; no dataset is left when the test ends."""
    yield shared
    shared[0].analysis.Dataset().delete(prompt=False)


def names_of(query):
    return {(row["segmentation_id"], row["roi_id"]) for row in query.proj().to_dicts()}


def test_a_dataset_holds_what_its_filter_chose(lab):
    database, rows = lab
    made = make_dataset(database, "bright", "snr > 5 and accepted")

    expected = {
        (row["segmentation_id"], row["roi_id"])
        for row in rows
        if row["accepted"] and row["snr"] is not None and row["snr"] > 5
    }
    assert names_of(dataset_rois(database, "bright")) == expected
    assert made.n_rois == len(expected)
    assert made.account
    assert len(dataset_traces(database, "bright")) == 0  # none are computed here
    check_dataset(database, "bright")


def test_membership_stays_when_samples_change(lab):
    database, _ = lab
    made = make_dataset(database, "fixed", "animal_id = m0")
    changed = database.sample.Sample() & {"animal_id": "m0", "trial": "t0"}
    (row,) = changed.to_dicts()
    try:
        database.sample.Sample().update1(
            {name: row[name] for name in changed.primary_key} | {"segmentation_id": None}
        )
        table = roi_table(database)
        assert count_rois(table, chosen_rois(table, "", "fixed")).rois == 25
        assert len(dataset_rois(database, "fixed")) == 50
        assert describe_dataset(database, "fixed") == made
    finally:
        database.sample.Sample().update1(row)


def test_datasets_are_chosen_from_others_and_tell_how(lab):
    database, _ = lab
    make_dataset(database, "bright", "snr > 3")
    make_dataset(database, "cells", "accepted", parent="bright")
    made = make_dataset(database, "large", 'area_px >= 100 or reason: "100%"', parent="cells")

    assert [step.name for step in made.history] == ["bright", "cells", "large"]
    assert [step.filter_text for step in made.history][:2] == ["snr > 3", "accepted"]
    assert made.history[1].pandas == 'df[(df["accepted"].isin([True]))]'
    sizes = [step.n_rois for step in made.history]
    assert sizes == sorted(sizes, reverse=True)
    for name in ("bright", "cells", "large"):
        ran = describe_dataset(database, name).history[-1].sql
        rows = database.connection.query(ran.replace("%", "%%")).fetchall()
        assert len(rows) == describe_dataset(database, name).n_rois
    table = datasets(database)
    assert list(table["parent"]) == ["", "bright", "cells"]
    assert list(table["n_rois"]) == sizes


def test_equal_rois_have_equal_checksums_on_every_server(lab):
    database, _ = lab
    first = make_dataset(database, "one", "roi_id < 3")
    second = make_dataset(database, "two", "roi_id = 0..2")
    other = make_dataset(database, "three", "roi_id < 4")
    assert first.checksum == second.checksum != other.checksum


def test_what_cannot_be_is_refused(lab):
    database, _ = lab
    make_dataset(database, "one", "roi_id = 0")
    for name, text, parent, message in (
        ("one", "", None, "there is a dataset 'one' already"),
        ("ONE", "", None, "there is a dataset 'ONE' already"),
        (" ", "", None, "has 1 to 64 letters"),
        ("x" * 65, "", None, "has 1 to 64 letters"),
        ("two", "", "tow", "there is no dataset 'tow'; there are: one"),
        ("two", "snr > 100", None, "no ROI fulfils the filter"),
    ):
        with pytest.raises(ProjectError, match=message):
            make_dataset(database, name, text, parent=parent)
    with pytest.raises(FilterError, match="no column 'snrr'"):
        make_dataset(database, "two", "snrr > 1")
    assert list(datasets(database)["name"]) == ["one"]


def test_a_name_changes_and_nothing_else(lab):
    database, _ = lab
    made = make_dataset(database, "one", "roi_id = 0")
    make_dataset(database, "two", "roi_id = 1")
    rename_dataset(database, "one", "first")
    renamed = describe_dataset(database, "first")
    assert renamed.dataset_id == made.dataset_id
    assert renamed.checksum == made.checksum
    with pytest.raises(ProjectError, match="already"):
        rename_dataset(database, "first", "two")


def test_rows_that_were_changed_in_sql_are_noticed(lab):
    database, _ = lab
    make_dataset(database, "one", "roi_id = 0")
    (database.analysis.Dataset.Roi() & {"animal_id": "m0"}).delete_quick()
    with pytest.raises(ProjectError, match="no longer holds the 4 ROIs"):
        check_dataset(database, "one")


def test_a_parent_stays_and_what_a_dataset_holds_stays(lab):
    database, _ = lab
    make_dataset(database, "one", "animal_id = m0")
    make_dataset(database, "two", "roi_id = 0", parent="one")
    with pytest.raises(ProjectError, match="the datasets two were chosen from 'one'"):
        delete_dataset(database, "one")
    of_m0 = database.roi.SegmentationTask & {"animal_id": "m0"}
    with pytest.raises(ProjectError, match="are in the datasets one, two, which never change"):
        doomed_by(database, of_m0)
    delete_dataset(database, "two")
    delete_dataset(database, "one")
    assert doomed_by(database, of_m0).rows


def test_of_two_people_who_take_a_name_the_second_is_told(lab):
    database, _ = lab
    other = connect_session(database.settings)
    make_dataset(other, "one", "roi_id = 0")
    with pytest.raises(ProjectError, match="there is a dataset 'one' already"):
        make_dataset(database, "one", "roi_id = 1")
    assert len(Dataset()) == 1
    other.connection.close()
