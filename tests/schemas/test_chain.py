"""From a file to linked rows, on both servers."""

import numpy as np
import pytest
import zarr
from scipy import sparse

from pipeline.extraction import CnmfParams
from pipeline.extraction.raw_range import BRIGHTEST
from pipeline.motion import MotionParams
from pipeline.readers import open_movie
from pipeline.simulate import match_rois
from schemas.connection import connect, connect_session
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.settings import ProjectError
from schemas.store import INCOMING, stored_path

pytestmark = pytest.mark.db

STEPS = [
    "recording_info",
    "motion_correction",
    "motion_preview",
    "seed_inspection",
    "segmentation",
    "trace",
]


@pytest.fixture(scope="module")
def populated(make_project, address):
    """One project with one trial taken through every step; tests only read it."""
    return make_project(address).settings


@pytest.fixture
def filled(populated, take_in, run_all):
    database = connect(populated)
    if not database.session.Recording():
        take_in(database)
        recordings = database.session.Recording()
        assert submit_motion(recordings) == 1
        assert submit_segmentation(recordings) == 1
        outcomes = run_all(database)
        assert [(outcome.step, outcome.error) for outcome in outcomes] == [(s, None) for s in STEPS]
    return database


def test_recording_info_tells_what_the_file_holds(filled, simulated):
    movie = simulated[0].movie
    info = filled.session.RecordingInfo.fetch1()

    assert (info["n_frames"], info["n_rows"], info["n_cols"]) == movie.shape
    assert (info["n_planes"], info["dtype"], info["rate_hz"]) == (1, "uint16", 30.0)
    assert info["duration_s"] == 10.0
    np.testing.assert_allclose(info["mean_image"], movie[:].mean(0), rtol=1e-5)
    np.testing.assert_array_equal(info["max_image"], movie[:].max(0))


def test_corrected_movie_lies_in_the_store_and_is_better(filled, simulated):
    correction = filled.motion.MotionCorrection.fetch1()
    movie = open_movie(stored_path(filled.settings, correction["movie"]), rate_hz=30.0)

    assert movie.shape == simulated[0].movie.shape
    assert correction["verdict"] == "improved"
    assert correction["mean_correlation_after"] > correction["mean_correlation_before"]
    assert correction["residual_px"] < 0.1
    assert (correction["n_unusable"], correction["unusable"]) == (0, {})
    assert filled.motion.MotionCorrection & "n_unusable < 10" & "residual_patch_px < 0.5"
    assert correction["versions"]["numpy"] == np.__version__
    shifts = correction["shifts_px"] - simulated[0].shifts_px
    assert np.sqrt(shifts.var(axis=0).mean()) < 0.3  # non-rigid motion included
    assert not list((filled.settings.store / INCOMING).iterdir())


def test_defect_1_rois_and_traces_join_on_one_key(filled):
    segmentation = filled.roi.Segmentation.fetch1()
    rois = (filled.roi.Segmentation.Roi * filled.roi.Trace.Roi).to_dicts(order_by="roi_id")
    group = zarr.open_group(stored_path(filled.settings, segmentation["sources"]), mode="r")

    assert len(rois) == segmentation["n_rois"] >= 6
    assert segmentation["n_accepted"] == sum(roi["accepted"] for roi in rois)
    for roi in rois:
        assert roi["raw"].shape == (300,)
        np.testing.assert_array_equal(roi["denoised"], group["denoised"][roi["roi_id"]])
        rows, cols = np.divmod(roi["pixels"], 80)
        inside = (rows.min() <= roi["centroid_row_px"] <= rows.max()) and (
            cols.min() <= roi["centroid_col_px"] <= cols.max()
        )
        assert inside
        assert roi["contour_px"].shape[1] == 2
        assert (roi["weights"] >= 0).all()
        assert bool(roi["reason"]) != bool(roi["accepted"])


def test_grey_levels_and_neuropil_join_on_the_key(embedded, take_in, run_all):
    take_in(embedded)
    add_params(embedded.roi.SegmentationParams, "ring", CnmfParams(neuropil_px=5))
    submit_segmentation(embedded.session.Recording(), "ring")
    submit_segmentation(embedded.session.Recording())
    assert {outcome.error for outcome in run_all(embedded)} == {None}

    ring = embedded.roi.SegmentationTask() * embedded.roi.SegmentationParams() & {"name": "ring"}
    with_ring = (embedded.roi.Trace.Roi() & ring.proj()).to_dicts()
    without = (embedded.roi.Trace.Roi() - ring.proj()).to_dicts()
    assert {row["neuropil"].shape for row in with_ring} == {(300,)}
    assert {row["neuropil"] for row in without} == {None}
    for roi in (embedded.roi.Segmentation.Roi() & {"accepted": True}).to_dicts():
        assert roi["raw_min"].keys() == roi["raw_max"].keys() == set(BRIGHTEST)
        assert roi["raw_min"]["full_mean"] < roi["raw_max"]["full_mean"]


def test_rois_of_a_cropped_movie_lie_where_they_were_recorded(
    embedded, take_in, run_all, simulated
):
    take_in(embedded)
    add_params(embedded.motion.MotionParams, "crop", MotionParams(border="crop"))
    submit_motion(embedded.session.Recording(), "crop")
    submit_segmentation(embedded.session.Recording())
    run_all(embedded)

    cropped_px = embedded.motion.MotionCorrection.fetch1("cropped_px")
    rois = (embedded.roi.Segmentation.Roi & {"accepted": True}).to_dicts()

    assert cropped_px > 0
    distances = []
    found = sparse.lil_array((96 * 80, len(rois)))
    for column, roi in enumerate(rois):
        found[roi["pixels"], column] = roi["weights"]
        center = [roi["centroid_row_px"], roi["centroid_col_px"]]
        distances.append(np.linalg.norm(simulated[0].centers_px - center, axis=1).min())
        assert np.linalg.norm(roi["contour_px"].mean(axis=0) - center) < 3
    assert np.median(distances) < 2
    assert match_rois(simulated[0].footprints, found.tocsc(), min_cosine=0.6).recall > 0.7


def test_nothing_is_done_twice(filled, run_all):
    recordings = filled.session.Recording()

    assert submit_motion(recordings) == 0
    assert submit_segmentation(recordings) == 0
    assert run_all(filled) == []


def test_session_of_its_own_sees_the_same_rows(filled):
    session = connect_session(filled.settings)

    rois = filled.roi.Segmentation.Roi.to_arrays("snr", order_by="roi_id")
    np.testing.assert_array_equal(
        session.roi.Segmentation.Roi.to_arrays("snr", order_by="roi_id"), rois
    )
    assert session.connection is not filled.connection
    assert session.session.RecordingInfo.fetch1("n_frames") == 300
    session.connection.close()


def test_deleting_a_correction_takes_what_was_made_of_it(database, take_in, run_all):
    take_in(database)
    submit_motion(database.session.Recording())
    submit_segmentation(database.session.Recording())
    run_all(database)

    database.motion.MotionCorrection.delete(prompt=False)

    assert not database.roi.Segmentation()
    assert not database.roi.Trace.Roi()
    assert len(database.roi.SegmentationTask()) == 1


def test_recording_of_several_files_is_one_movie(database, simulated, run_all):
    from schemas.ingest import Trial, ingest

    movie = simulated[0].movie[:]
    files = []
    for index, part in enumerate(np.split(movie, 3)):
        files.append(database.settings.roots["data"] / f"part{index}.npy")
        np.save(files[-1], part)
    ingest(Trial(animal="m", session="2026-11-22b", trial="t", rate_hz=30), files)

    (outcome,) = run_all(database)

    assert outcome.error is None
    assert database.session.RecordingInfo.fetch1("n_frames") == 300
    np.testing.assert_array_equal(database.session.RecordingInfo.fetch1("max_image"), movie.max(0))
    assert str(database.session.Session.fetch1("session_date")) == "2026-11-22"


def test_segmentation_can_use_the_movie_as_recorded(database, take_in, run_all):
    take_in(database)
    submit_motion(database.session.Recording())
    submit_segmentation(database.session.Recording())
    submit_segmentation(database.session.Recording(), as_recorded=True)

    assert len(database.roi.SegmentationTask()) == 2
    assert {outcome.error for outcome in run_all(database)} == {None}
    assert set(database.roi.Segmentation.to_arrays("motion_hash")) == {
        None,
        database.motion.MotionParams.fetch1("motion_hash"),
    }


def test_segmentation_waits_for_its_motion_correction(database, take_in):
    take_in(database)
    submit_motion(database.session.Recording())
    submit_segmentation(database.session.Recording())

    database.roi.Segmentation.jobs.refresh()

    assert not database.roi.Segmentation.jobs.pending


def test_several_corrections_must_be_told_apart(database, take_in):
    take_in(database)
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    recordings = database.session.Recording()
    submit_motion(recordings)
    submit_motion(recordings, "rigid")

    with pytest.raises(ProjectError, match="2 motion corrections; name one with --motion"):
        submit_segmentation(recordings)
    assert submit_segmentation(recordings, motion="rigid") == 1


def test_segmentation_of_a_correction_nobody_asked_for_is_refused(database, take_in):
    take_in(database)

    with pytest.raises(ProjectError, match="no motion correction 'default' was submitted"):
        submit_segmentation(database.session.Recording(), motion="default")


def test_parameter_set_never_changes(database):
    table = database.roi.SegmentationParams
    assert add_params(table, "strict", CnmfParams(min_snr=5)) == add_params(
        table, "strict", CnmfParams(min_snr=5)
    )

    with pytest.raises(ProjectError, match="exists with other values"):
        add_params(table, "strict", CnmfParams(min_snr=6))
    with pytest.raises(ProjectError, match="stored already, under 'strict'"):
        add_params(table, "stricter", CnmfParams(min_snr=5))
    names = "default, one-photon, strict, volume"
    with pytest.raises(ProjectError, match=f"no parameter set 'bold'; there are: {names}"):
        submit_segmentation(database.session.Recording(), "bold")


def test_preview_shows_the_corrected_movie(filled):
    preview = filled.motion.MotionPreview.fetch1()
    correction = filled.motion.MotionCorrection.fetch1()
    movie = open_movie(stored_path(filled.settings, correction["movie"]))

    np.testing.assert_allclose(preview["mean_image"], movie[:].mean(0), rtol=1e-4)
    assert preview["max_image"].shape == preview["std_image"].shape == movie.frame_shape
    assert preview["video"][:4] == b"RIFF"
    for (first, stop), length in zip(preview["crop"], movie.frame_shape, strict=True):
        assert 0 <= first < stop <= length
