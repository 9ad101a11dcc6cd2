"""What people decide about ROIs: appended, undone, current, on both servers."""

import itertools

import numpy as np
import pytest
from datajoint.errors import DuplicateError

from apps import queries
from pipeline.rois import Ellipse, Polygon, rois_of_shapes
from schemas import actions
from schemas.action_history import history
from schemas.actions import judge_rois, read_now
from schemas.carry_over import carry_over
from schemas.connection import connect, connect_session
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.roi_edits import add_rois, merge_rois, redraw_roi, split_roi
from schemas.roi_sets import enter_rois
from schemas.roi_states import current_rois, current_tags
from schemas.roi_tags import known_tags, tag_rois
from schemas.settings import ProjectError
from schemas.undoing import undo_action

pytestmark = pytest.mark.db

FRAME = (96, 80)
_numbers = itertools.count()


def square(row, col, size=6):
    low, high = np.array([row, col]) - 0.5, np.array([row, col]) + size - 0.5
    corners = [[low[0], low[1]], [low[0], high[1]], [high[0], high[1]], [high[0], low[1]]]
    return Polygon(parts_px=(corners,))


PLACES = [(10, 10), (10, 14), (40, 30), (60, 60)]


@pytest.fixture(scope="module")
def project(make_project, address):
    """One project with one trial; each test has a segmentation of its own."""
    return make_project(address).settings


@pytest.fixture
def lab(project, take_in, run_all):
    """The project, and a segmentation of four drawn ROIs, of which 0 and 1 overlap."""
    database = connect(project)
    if not database.session.Recording():
        take_in(database)
        run_all(database)
        for label in ("cell type", "region"):
            add_label(database, ROI_TAG_TYPE, label)
    return database, new_segmentation(database, run_all)


def new_segmentation(database, run_all):
    shapes = [square(*place) for place in PLACES]
    rois = rois_of_shapes(shapes, FRAME, file=f"{next(_numbers)}.json")
    segmentation = enter_rois(database, dict(database.session.Recording().keys()[0]), rois)
    done(run_all, database)
    return segmentation


def done(run_all, database):
    assert {outcome.error for outcome in run_all(database)} <= {None}


def states(database, segmentation):
    rows = (current_rois(database) & segmentation).to_dicts(order_by="roi_id")
    return {row["roi_id"]: row["state"] for row in rows}


def tags(database, segmentation):
    rows = (current_tags(database) & segmentation).to_dicts()
    with_rois = current_rois(database) * current_tags(database) & segmentation
    assert len(with_rois) == len(rows)
    return {(row["roi_id"], row["roi_tag_type_id"]): row["tag"] for row in rows}


def test_verdicts_are_appended_and_the_newest_counts(lab):
    database, key = lab
    assert states(database, key) == dict.fromkeys(range(4), "accepted")

    assert judge_rois(database, key, [1, 2], "rejected", reason="a vessel") == 1
    assert judge_rois(database, key, [2], "accepted") == 2
    assert judge_rois(database, key, [3], "excluded", reason="dies in the middle") == 3

    assert list(states(database, key).values()) == ["accepted", "rejected", "accepted", "excluded"]
    rows = (current_rois(database) & key).to_dicts(order_by="roi_id")
    assert [bool(row["accepted"]) for row in rows] == [True, False, True, False]
    assert [row["reason"] for row in rows] == ["", "a vessel", "", "dies in the middle"]
    assert rows[0]["area_px"] == 36
    assert len(current_rois(database) & key & "accepted") == 2
    assert len(database.curation.Action.Verdict() & key) == 4
    assert (history(database, key)["kind"] == ["exclude", "accept", "reject"]).all()
    assert history(database, key)["account"].all()


def test_actions_are_undone_one_after_the_other_and_done_again(lab):
    database, key = lab
    judge_rois(database, key, [0], "rejected", reason="one")
    judge_rois(database, key, [0, 1], "excluded", reason="two")

    assert undo_action(database, key) == 2
    assert (states(database, key)[0], states(database, key)[1]) == ("rejected", "accepted")
    assert undo_action(database, key) == 1
    assert set(states(database, key).values()) == {"accepted"}
    with pytest.raises(ProjectError, match="nothing to undo"):
        undo_action(database, key)
    with pytest.raises(ProjectError, match="action 1 is undone already"):
        undo_action(database, key, 1)

    undo_action(database, key, 4)  # the undo of 1
    assert states(database, key)[0] == "rejected"
    found = history(database, key)
    assert found["undone"].tolist() == [False, True, False, True, False]
    with pytest.raises(ProjectError, match="there is no action 99"):
        undo_action(database, key, 99)


def test_what_a_later_action_changed_is_not_undone_before_it(lab):
    database, key = lab
    judge_rois(database, key, [0, 1], "rejected")
    judge_rois(database, key, [1], "accepted")
    with pytest.raises(ProjectError, match="ROI 1 was changed again by action 2; undo that first"):
        undo_action(database, key, 1)


def test_tags_are_appended_taken_away_and_completed(lab):
    database, key = lab
    tag_rois(database, key, [0, 1, 2], {"cell type": "PV", "region": "CA1"})
    tag_rois(database, key, [2], {"cell type": " SOM "})
    tag_rois(database, key, [1], {"region": ""})

    assert tags(database, key) == {
        (0, 1): "PV",
        (1, 1): "PV",
        (2, 1): "SOM",
        (0, 2): "CA1",
        (2, 2): "CA1",
    }
    assert known_tags(database, "cell type")[:2] == ["PV", "SOM"]
    undo_action(database, key)
    assert tags(database, key)[1, 2] == "CA1"
    assert len(database.curation.RoiTag() & key) == 9
    with pytest.raises(ProjectError, match="no ROI tag type 'layer'; there are: cell type, region"):
        tag_rois(database, key, [0], {"layer": "2"})
    with pytest.raises(ProjectError, match="on one line"):
        tag_rois(database, key, [0], {"region": "a\nb"})


@pytest.mark.parametrize("tag", ["'; DROP TABLE x; --", '100 % \\ "x" %s', "ε 90° {database}"])
def test_hostile_tags_are_only_text(lab, tag):
    database, key = lab
    tag_rois(database, key, [0], {"region": tag})
    assert tags(database, key) == {(0, 2): tag}
    assert tag in known_tags(database, "region")


def test_merged_rois_are_measured_in_the_movie(lab, run_all, simulated):
    database, key = lab
    tag_rois(database, key, [0, 1], {"region": "CA1"})
    tag_rois(database, key, [0], {"cell type": "PV"})
    merged = merge_rois(database, key, [0, 1])
    assert merged == 4
    assert states(database, key) == dict(
        enumerate(["rejected", "rejected", "accepted", "accepted"])
    )
    done(run_all, database)

    assert states(database, key)[4] == "accepted"
    assert tags(database, key)[4, 2] == "CA1"
    assert (4, 1) not in tags(database, key)
    row = (current_rois(database) & key & {"roi_id": 0}).fetch1()
    assert row["reason"] == "merged into 4"
    new = (
        database.roi.Segmentation.Roi() * database.roi.Trace.Roi() & key & {"roi_id": 4}
    ).fetch1()
    assert new["area_px"] == 60
    movie = simulated[0].movie[:]
    plain = movie[:, 10:16, 10:20].mean(axis=(1, 2))
    np.testing.assert_allclose(new["raw"], plain, rtol=1e-5)

    undo_action(database, key)
    assert list(states(database, key).values()) == [*["accepted"] * 4, "rejected"]
    undo_action(database, key, history(database, key)["action"].max())
    assert list(states(database, key).values())[:2] == ["rejected"] * 2
    assert states(database, key)[4] == "accepted"


def test_a_merge_is_undone_before_it_was_measured(lab, run_all):
    database, key = lab
    merge_rois(database, key, [2, 3])
    undo_action(database, key)
    done(run_all, database)
    assert list(states(database, key).values()) == [*["accepted"] * 4, "rejected"]


def test_split_redrawn_and_added_rois_are_new_ones(lab, run_all, simulated):
    database, key = lab
    parts = split_roi(database, key, 2, [square(40, 30, 3), square(43, 30, 3)])
    redrawn = redraw_roi(database, key, 3, Ellipse(center_px=(62, 62), radii_px=(5, 4)))
    added = add_rois(database, key, [square(80, 5)], names=["late"])
    assert (parts, redrawn, added) == ([4, 5], 6, [7])
    done(run_all, database)

    expected = ["accepted", "accepted", "rejected", "rejected", *["accepted"] * 4]
    assert list(states(database, key).values()) == expected
    rows = (database.roi.Segmentation.Roi() & key).to_dicts(order_by="roi_id")
    assert [row["area_px"] for row in rows[4:6]] == [9, 9]
    assert rows[7]["name"] == "late"
    raw = (database.roi.Trace.Roi() & key & {"roi_id": 7}).fetch1("raw")
    plain = simulated[0].movie[:][:, 80:86, 5:11].mean(axis=(1, 2))
    np.testing.assert_allclose(raw, plain, rtol=1e-5)
    with pytest.raises(ProjectError, match="nothing of the ROI lies in shape 1"):
        split_roi(database, key, 0, [square(10, 10), square(50, 50)])
    with pytest.raises(ProjectError, match="at least two shapes"):
        split_roi(database, key, 0, [square(10, 10)])
    with pytest.raises(ProjectError, match="outside the movie"):
        add_rois(database, key, [square(200, 5)])
    with pytest.raises(ProjectError, match="at least two ROIs"):
        merge_rois(database, key, [1, 1])


def test_of_two_people_at_the_same_roi_the_second_is_told(lab):
    database, key = lab
    other = connect_session(database.settings)
    seen = read_now(database, key).action
    judge_rois(other, key, [0], "rejected", seen=seen)

    with pytest.raises(ProjectError, match="somebody else has changed ROI 0 meanwhile"):
        judge_rois(database, key, [0, 1], "excluded", seen=seen)
    judge_rois(database, key, [1], "excluded", seen=seen)
    tag_rois(database, key, [0], {"region": "CA1"}, seen=seen)

    assert list(states(other, key).values())[:2] == ["rejected", "excluded"]
    with pytest.raises(ProjectError, match="somebody else has done something meanwhile"):
        undo_action(other, key, seen=seen)
    other.connection.close()


def test_two_actions_at_the_same_moment_are_both_kept(lab, monkeypatch):
    database, key = lab
    other = connect_session(database.settings)
    insert, raced = actions._insert, []

    def late(*arguments):
        if not raced:
            raced.append(True)
            judge_rois(other, key, [0], "rejected")
        return insert(*arguments)

    monkeypatch.setattr(actions, "_insert", late)
    assert judge_rois(database, key, [1], "excluded") == 2
    assert list(states(database, key).values())[:2] == ["rejected", "excluded"]
    monkeypatch.setattr(actions, "_insert", _always_late)
    with pytest.raises(ProjectError, match="at the same moment; try again"):
        judge_rois(database, key, [1], "accepted")
    other.connection.close()


def _always_late(*_):
    raise DuplicateError("another action")


def test_what_is_not_there_is_refused_and_leaves_nothing(lab):
    database, key = lab
    with pytest.raises(
        ProjectError, match="there is no ROI 9 in this segmentation; its ROIs are 0"
    ):
        judge_rois(database, key, [1, 9], "rejected")
    with pytest.raises(ProjectError, match="choose at least one ROI"):
        judge_rois(database, key, [], "rejected")
    with pytest.raises(ProjectError, match="accepted, rejected, excluded; got 'good'"):
        judge_rois(database, key, [1], "good")
    with pytest.raises(ProjectError, match="has no such segmentation"):
        judge_rois(database, {**key, "segmentation_id": "0" * 32}, [1], "rejected")
    assert not database.curation.Action() & key


def test_matched_rois_take_over_what_was_decided(lab, run_all):
    database, old = lab
    judge_rois(database, old, [0, 1], "rejected", reason="a vessel")
    tag_rois(database, old, [0, 2], {"region": "CA1"})
    new = new_segmentation(database, run_all)
    judge_rois(database, new, [3], "excluded")

    assert carry_over(database, old, new, [(0, 3), (1, 2), (2, 0)]) == 2

    assert list(states(database, new).values()) == ["accepted", "accepted", "rejected", "excluded"]
    assert tags(database, new) == {(3, 2): "CA1", (0, 2): "CA1"}
    assert carry_over(database, old, new, [(3, 1)]) is None
    undo_action(database, new)
    assert tags(database, new) == {}


def test_counts_and_comparisons_see_what_holds_now(lab, run_all):
    database, key = lab
    judge_rois(database, key, [1], "rejected", reason="a vessel")
    merge_rois(database, key, [2, 3])
    done(run_all, database)

    (row,) = [s for s in queries.segmentations(database, key) if s["key"] == key]
    assert (row["n_accepted"], row["n_rois"]) == (2, 5)
    listed = queries.rois(database, key)
    assert listed["accepted"].tolist() == [True, False, False, False, True]
    assert listed["reason"][1] == "a vessel"
    other = new_segmentation(database, run_all)
    found = queries.compared(database, key, other)
    assert found.loc[found["roi_other"] == 1, "because"].tolist() == ["a vessel"]
