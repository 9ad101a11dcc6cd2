"""Tables that two people edit at once: all or nothing is stored, and undone; on both servers."""

import numpy as np
import pytest

from benchmarks.planted_rois import plant_rois, plant_samples
from schemas.connection import connect_session
from schemas.custom_columns import add_custom_column
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.roi_table import fetch_rois, fetch_samples, roi_table
from schemas.settings import ProjectError
from schemas.table_edits import (
    newest_actions,
    save_samples,
    save_tags,
    undo_samples,
    undo_tags,
)

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def shared(make_project, address):
    """A project of 2 samples with 4 ROIs each, a custom column and a tag type."""
    database = make_project(address)
    keys = plant_samples(database, n_animals=2, n_trials=1)
    plant_rois(database, keys, n_rois=4, rng=np.random.default_rng(0))
    add_custom_column(database, "dose", "float")
    add_label(database, ROI_TAG_TYPE, "region")
    return database


@pytest.fixture
def lab(shared):
    """The same; what was entered is taken back when the test ends."""
    yield shared
    shared.curation.Action().delete(prompt=False)
    shared.sample.SampleVersion().delete(prompt=False)
    shared.sample.Sample().update1(_key(shared, "m0") | {"comments": "", "version": 0})
    shared.sample.Sample().update1(_key(shared, "m1") | {"comments": "", "version": 0})
    shared.sample.SampleValue().delete(prompt=False)


def _key(database, animal):
    return dict((database.sample.Sample() & {"animal_id": animal}).keys()[0])


def samples(database):
    table = roi_table(database)
    return fetch_samples(table, table.query)


def rois(database):
    table = roi_table(database)
    return fetch_rois(table, table.query)


def test_samples_are_changed_and_changed_back(lab):
    edits = {0: {"comments": "late", "custom.dose": 2.5}, 1: {"custom.dose": None}}
    saved = save_samples(lab, samples(lab), edits)

    now = samples(lab)
    assert list(now["comments"]) == ["late", ""]
    assert list(now["custom.dose"].isna()) == [False, True]
    undo_samples(lab, saved)
    now = samples(lab)
    assert list(now["comments"]) == ["", ""]
    assert now["custom.dose"].isna().all()


def test_of_two_people_who_change_a_sample_the_second_is_told(lab):
    seen, other = samples(lab), connect_session(lab.settings)
    saved = save_samples(other, seen, {1: {"comments": "mine"}})
    with pytest.raises(ProjectError, match="has changed the sample 'm1-_-t0' meanwhile"):
        save_samples(lab, seen, {0: {"comments": "first"}, 1: {"comments": "second"}})
    assert list(samples(lab)["comments"]) == ["", "mine"]

    save_samples(lab, samples(lab), {1: {"comments": "later"}})
    with pytest.raises(ProjectError, match="meanwhile"):
        undo_samples(other, saved)
    assert list(samples(lab)["comments"]) == ["", "later"]
    other.connection.close()


def test_tags_are_changed_and_changed_back(lab):
    shown = rois(lab)
    edits = {row: {"tag.region": "pr"} for row in (0, 1, 5)} | {2: {"tag.region": "mn"}}
    saved = save_tags(lab, shown, edits, newest_actions(lab))

    now = rois(lab)["tag.region"]
    assert list(now.fillna("")) == ["pr", "pr", "mn", "", "", "pr", "", ""]
    assert len(lab.curation.Action()) == 3  # the same tags of a segmentation are one
    undo_tags(lab, saved)
    assert rois(lab)["tag.region"].isna().all()


def test_of_two_people_who_tag_a_roi_the_second_is_told(lab):
    shown, seen, other = rois(lab), newest_actions(lab), connect_session(lab.settings)
    save_tags(other, shown, {1: {"tag.region": "mn"}}, seen)
    with pytest.raises(ProjectError, match="somebody else has changed ROI 1 meanwhile"):
        save_tags(lab, shown, {5: {"tag.region": "pr"}, 1: {"tag.region": "pr"}}, seen)
    assert list(rois(lab)["tag.region"].fillna("")) == ["", "mn", *[""] * 6]

    save_tags(lab, shown, {2: {"tag.region": "pr"}}, seen)  # of another ROI: both are kept
    assert list(rois(lab)["tag.region"].fillna(""))[:3] == ["", "mn", "pr"]
    other.connection.close()
