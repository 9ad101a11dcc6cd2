"""ROIs that are drawn or imported, on their way into the tables, on both servers."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction.manual_params import ManualParams
from pipeline.motion import MotionParams
from pipeline.readers import open_movie
from pipeline.rois import Ellipse, GivenRois, Polygon, rois_of_shapes
from schemas.motion import submit_motion
from schemas.orphans import find_orphans
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.roi_sets import enter_rois, frame_shape
from schemas.settings import ProjectError

pytestmark = pytest.mark.db

FRAME = (96, 80)
SQUARE = [[9.5, 11.5], [9.5, 17.5], [15.5, 17.5], [15.5, 11.5]]
SHAPES = [
    Polygon(parts_px=(SQUARE,)),
    Ellipse(center_px=(40.3, 30.8), radii_px=(6, 4), angle_deg=20),
]


@pytest.fixture
def filled(database, take_in, run_all):
    """A project with a recording whose movie was read, and its key."""
    take_in(database)
    run_all(database)
    return database, dict(database.session.Recording().keys()[0])


def drawn(names=("first", "second")):
    return rois_of_shapes(SHAPES, FRAME, names=names, file="drawn.json")


def outcomes(run_all, database):
    return [(outcome.step, outcome.error) for outcome in run_all(database)]


def test_drawn_rois_become_a_segmentation_with_traces(filled, run_all, simulated):
    database, key = filled
    assert frame_shape(database, key) == FRAME
    segmentation = enter_rois(database, key, drawn())
    assert enter_rois(database, key, drawn()) == segmentation
    assert ("segmentation", None) in outcomes(run_all, database)

    query = database.roi.Segmentation.Roi() * database.roi.Trace.Roi() & segmentation
    square, ellipse = query.to_dicts(order_by="roi_id")
    assert [square["name"], ellipse["name"]] == ["first", "second"]
    assert (square["area_px"], bool(square["accepted"]), square["rval"]) == (36, True, None)
    np.testing.assert_allclose(ellipse["weights"].max(), ellipse["weights"].mean(), rtol=0.6)
    assert abs(ellipse["centroid_row_px"] - 40.3) < 0.01
    movie = simulated[0].movie[:]
    np.testing.assert_allclose(square["raw"], movie[:, 10:16, 12:18].mean(axis=(1, 2)), rtol=1e-5)
    kept = database.given.RoiSet.Roi().to_dicts(order_by="roi_id")
    assert kept[1]["shape"]["radii_px"] == [6.0, 4.0]
    assert database.given.RoiSet().fetch1("account")


def test_a_changed_shape_is_a_new_version(filled, run_all):
    database, key = filled
    first = enter_rois(database, key, drawn())
    moved = Polygon(parts_px=(np.add(SQUARE, [3, 0]),))
    second = enter_rois(database, key, rois_of_shapes([moved, SHAPES[1]], FRAME))
    assert first != second
    assert {error for _, error in outcomes(run_all, database)} == {None}
    assert len(database.roi.Segmentation()) == 2


def test_a_segmentation_of_drawn_rois_is_computed_again_alike(filled, run_all):
    database, key = filled
    enter_rois(database, key, drawn())
    run_all(database)
    before = (database.roi.Trace.Roi()).to_dicts(order_by="roi_id")
    database.roi.Segmentation().delete(prompt=False)
    run_all(database)
    after = (database.roi.Trace.Roi()).to_dicts(order_by="roi_id")
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one["dff"], other["dff"])


def test_drawn_rois_are_measured_in_the_corrected_and_cropped_movie(filled, run_all):
    database, key = filled
    add_params(database.motion.MotionParams, "crop", MotionParams(border="crop"))
    submit_motion(database.session.Recording(), "crop")
    segmentation = enter_rois(database, key, drawn())
    assert {error for _, error in outcomes(run_all, database)} == {None}

    correction = database.motion.MotionCorrection().fetch1()
    path = database.settings.store / correction["movie"].path
    edge = correction["cropped_px"]
    frames = open_movie(path, rate_hz=30.0)[:]
    inside = frames[:, 10 - edge : 16 - edge, 12 - edge : 18 - edge]
    raw = (database.roi.Trace.Roi() & segmentation & {"roi_id": 0}).fetch1("raw")
    assert edge > 0
    np.testing.assert_allclose(raw, np.nanmean(inside, axis=(1, 2)), rtol=1e-5)
    row = (database.roi.Segmentation.Roi() & segmentation & {"roi_id": 0}).fetch1()
    assert (row["centroid_row_px"], row["centroid_col_px"]) == (12.5, 14.5)


def imported(n_rois=3, n_frames=300, **more):
    rng = np.random.default_rng(0)
    footprints = sparse.lil_array((96 * 80, n_rois))
    for roi in range(n_rois):
        footprints[roi * 10 + np.arange(8), roi] = rng.uniform(0.5, 1, 8)
    traces = {
        name: rng.uniform(50, 90, (n_rois, n_frames)).astype(np.float32)
        for name in ("raw", "neuropil", "spikes")
    }
    return GivenRois(
        footprints=footprints.tocsc(),
        frame_shape=FRAME,
        traces=traces,
        source="suite2p 1.0",
        **more,
    )


def test_imported_rois_keep_traces_verdicts_and_numbers(filled, run_all):
    database, key = filled
    rois = imported(
        accepted=np.array([True, False, True]),
        reasons=("", "iscell 0.1", ""),
        numbers={"iscell": np.array([0.9, 0.1, np.nan]), "snr": np.array([5.0, 1, np.nan])},
    )
    add_params(database.roi.SegmentationParams(), "bare", ManualParams(neuropil_coefficient=0))
    segmentation = enter_rois(database, key, rois, params="bare")
    assert {error for _, error in outcomes(run_all, database)} == {None}

    query = database.roi.Segmentation.Roi() * database.roi.Trace.Roi() & segmentation
    rows = query.to_dicts(order_by="roi_id")
    assert [bool(row["accepted"]) for row in rows] == [True, False, True]
    assert [row["reason"] for row in rows] == ["", "iscell 0.1", ""]
    assert [row["snr"] for row in rows[:2]] == [5.0, 1.0]
    for roi, row in enumerate(rows):
        np.testing.assert_allclose(row["raw"], rois.traces["raw"][roi], rtol=1e-6)
        np.testing.assert_array_equal(row["neuropil"], rois.traces["neuropil"][roi])
        np.testing.assert_array_equal(row["spikes"], rois.traces["spikes"][roi])
    kept = database.given.RoiSet.Roi().to_dicts(order_by="roi_id")
    assert [row["numbers"] for row in kept] == [
        {"iscell": 0.9, "snr": 5.0},
        {"iscell": 0.1, "snr": 1.0},
        None,
    ]
    assert database.roi.Segmentation().fetch1("n_accepted") == 2
    assert find_orphans(database, older_than_s=-1000) == []


def test_what_does_not_fit_is_refused_and_leaves_nothing(filled):
    database, key = filled
    with pytest.raises(ProjectError, match="frames of 80 x 96 pixels, and those of trial 't1' hav"):
        enter_rois(database, key, rois_of_shapes(SHAPES[:1], (80, 96)))
    with pytest.raises(ProjectError, match="the traces have 299 frames, and trial 't1' has 300"):
        enter_rois(database, key, imported(n_frames=299))
    with pytest.raises(ProjectError, match="is of cnmf, which seeks cells"):
        enter_rois(database, key, drawn(), params="default")
    with pytest.raises(ProjectError, match="no parameter set 'other'"):
        enter_rois(database, key, drawn(), params="other")
    with pytest.raises(ProjectError, match="its movie is still to be read"):
        enter_rois(database, {**key, "trial": "t9"}, drawn())
    assert not database.given.RoiSet()
    assert not database.roi.SegmentationTask()


def test_a_method_that_measures_needs_rois(filled):
    database, key = filled
    enter_rois(database, key, drawn())
    with pytest.raises(ProjectError, match="measures ROIs that are given"):
        submit_segmentation(database.session.Recording(), "manual")
