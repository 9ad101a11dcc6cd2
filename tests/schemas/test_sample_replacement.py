"""Another segmentation for a sample: which ROIs are the same cells; on both servers."""

import numpy as np
import pytest

from pipeline.extraction import CnmfParams
from pipeline.readers import open_movie
from populate_workers.populate import populate
from schemas.actions import judge_rois
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.sample_replacement import find_segmentation, matched, replace_segmentation
from schemas.sample_table import sample_table
from schemas.samples import SampleChange, add_sample, find_sample, modify_samples, undo_sample
from schemas.settings import ProjectError

pytestmark = pytest.mark.db
ONE = "m1-_-t1"


@pytest.fixture(scope="module")
def segmented(make_project, address, simulated):
    """A recording with the segmentation `default`, and `masks`: its true cells but for one."""
    database = make_project(address)
    truth, movie = simulated
    data = database.settings.roots["data"]
    np.save(data / "cells.npy", np.asarray(open_movie(movie, rate_hz=30.0)[:]))
    key = Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=30.0)
    recording = ingest(key, [data / "cells.npy"])
    masks = np.zeros((7, 96, 80), np.float32)
    for number, mask in enumerate(truth.footprints.T.toarray()[:0:-1]):
        masks[number] = mask.reshape(96, 80)
    np.save(data / "masks.npy", masks)
    add_params(database.roi.SegmentationParams, "masks", CnmfParams(min_snr=2))
    submit_segmentation(database.session.Recording())
    submit_segmentation(database.session.Recording(), "masks", seeds=data / "masks.npy")
    populate(database, watch=lambda outcome: None)
    return database, recording


@pytest.fixture
def sample(segmented):
    """The project with the recording as a sample, and its two segmentations."""
    database, recording = segmented
    database = connect(database.settings)
    ids = [find_segmentation(database, recording, name) for name in ("default", "masks with seeds")]
    add_sample(database, recording, segmentation_id=ids[0])
    yield database, recording, ids
    database.sample.Sample().delete(prompt=False)
    database.sample.SampleVersion().delete(prompt=False)


def centres(database, recording, segmentation_id):
    query = database.roi.Segmentation.Roi & recording & {"segmentation_id": segmentation_id}
    names = ("centroid_row_px", "centroid_col_px")
    return {row["roi_id"]: np.array([row[name] for name in names]) for row in query.to_dicts()}


def test_rois_in_the_same_place_stay_the_same_cells(sample):
    database, recording, (before, after) = sample

    found = replace_segmentation(database, ONE, after)

    old, new = (centres(database, recording, each) for each in (before, after))
    assert len(found.pairs) >= 6
    for one, other in found.pairs:
        assert other == min(new, key=lambda roi: np.linalg.norm(old[one] - new[roi]))
    assert sorted([*found.pairs[:, 0], *found.lost]) == sorted(old)
    assert sorted([*found.pairs[:, 1], *found.new]) == sorted(new)
    kept = (database.sample.RoiMatch & recording).to_dicts(order_by="old_roi_id")
    assert [(row["old_roi_id"], row["roi_id"]) for row in kept] == [*map(tuple, found.pairs)]
    assert {row["version"] for row in kept} == {2}
    row = find_sample(database, ONE)
    assert (row["segmentation_id"], row["version"]) == (after, 2)
    (listed,) = sample_table(database).to_dict("records")
    assert (listed["segmentation"], listed["n_rois"]) == ("masks with seeds", len(new))

    undo_sample(database, ONE)
    assert find_sample(database, ONE)["segmentation_id"] == before


def test_the_table_of_samples_counts_what_people_accept_now(sample):
    database, recording, (before, _) = sample
    segmentation = {**recording, "segmentation_id": before}
    (listed,) = sample_table(database).to_dict("records")
    rois = database.roi.Segmentation.Roi & segmentation & {"accepted": True}
    assert listed["n_accepted"] == len(rois) > 0

    judge_rois(database, segmentation, [int(rois.to_arrays("roi_id")[0])], "rejected")

    (again,) = sample_table(database).to_dict("records")
    assert again["n_accepted"] == listed["n_accepted"] - 1
    assert again["n_rois"] == listed["n_rois"]


def test_who_comes_second_replaces_nothing(sample):
    database, _, (before, after) = sample
    modify_samples(database, [SampleChange(sample_id=ONE, comments="meanwhile")])

    with pytest.raises(ProjectError, match="meanwhile; nothing of yours was stored"):
        replace_segmentation(database, ONE, after, after=1)
    with pytest.raises(ProjectError, match="has this segmentation already"):
        replace_segmentation(database, ONE, before)

    assert find_sample(database, ONE)["segmentation_id"] == before
    assert not database.sample.RoiMatch()


def test_a_sample_may_be_without_rois_for_a_while(sample):
    database, _, (before, _) = sample
    found = replace_segmentation(database, ONE, None)
    assert (len(found.pairs), len(found.new)) == (0, 0)
    found = replace_segmentation(database, ONE, before)
    assert (len(found.pairs), len(found.lost)) == (0, 0)
    assert len(found.new) > 0


def test_a_segmentation_pairs_with_itself(sample):
    database, recording, (before, _) = sample
    found = matched(database, recording, before, before)
    assert (found.pairs[:, 0] == found.pairs[:, 1]).all()
    assert found.cosines == pytest.approx(1, abs=1e-6)


def test_a_segmentation_is_found_by_its_name(sample):
    database, recording, (before, _) = sample
    assert find_segmentation(database, recording, "default") == before
    assert find_segmentation(database, recording, before) == before
    with pytest.raises(ProjectError, match="more than one segmentation; name one .*'default', 'ma"):
        find_segmentation(database, recording)
    with pytest.raises(ProjectError, match="no segmentation 'large'"):
        find_segmentation(database, recording, "large")
    nowhere = {**recording, "trial": "t2"}
    assert find_segmentation(database, nowhere) is None
    with pytest.raises(ProjectError, match="that are done: none yet"):
        find_segmentation(database, nowhere, "default")
