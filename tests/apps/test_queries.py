"""What the pages ask the database, on each of the servers."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from apps import queries

pytestmark = pytest.mark.db
DONE = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "done"}
NEW = {"animal_id": "mouse 3", "session": "2026-11-24", "trial": "new"}
VOLUME = {"animal_id": "mouse 2", "session": "2026-11-23b", "trial": "volume"}


@pytest.fixture
def segmentation(lab_on_each):
    return queries.segmentations(lab_on_each, DONE)[0]


@pytest.fixture
def reserved(lab_on_each):
    """A job that some process on some machine runs."""
    jobs = lab_on_each.session.RecordingInfo().jobs
    (jobs & NEW).delete_quick()
    jobs.insert1({**NEW, "status": "reserved", "priority": 5, "host": "microscope", "pid": 42})
    yield
    (jobs & NEW).delete_quick()


def test_overview_counts(lab_on_each):
    held = queries.overview(lab_on_each)

    assert (held.animals, held.sessions, held.recordings, held.samples) == (3, 4, 7, 1)
    assert held.rois >= held.accepted_rois > 0


def test_overview_of_an_empty_project_is_zero(database):
    assert set(queries.overview(database)) == {0}
    assert queries.recordings(database).empty
    assert queries.queued(database).empty


def test_recordings_tell_the_state_of_each_step(lab_on_each):
    table = queries.recordings(lab_on_each).set_index("trial")

    steps = ["recording_info", "motion_correction", "motion_preview", "segmentation", "trace"]
    assert table.loc["done", steps].tolist() == ["done"] * 5
    assert table.loc["failed", steps].tolist() == ["done", "error", "", "pending", ""]
    assert table.loc["traceless", steps].tolist() == ["done", "done", "pending", "done", "pending"]
    assert table.loc["looked at", steps].tolist() == ["done", "", "", "", ""]
    assert table.loc["new", steps].tolist() == ["pending", "pending", "", "pending", ""]


def test_recordings_begin_with_the_newest_session(lab_on_each):
    table = queries.recordings(lab_on_each)

    assert table["trial"].iloc[0] == "new"
    assert table["session_date"].is_monotonic_decreasing


def test_recordings_tell_facts_where_they_are_known(lab_on_each):
    table = queries.recordings(lab_on_each).set_index("trial")

    assert table.loc["volume", "n_planes"] == 3
    assert table.loc["done", "n_frames"] == 240
    assert table.loc["done", "duration_s"] == pytest.approx(8)
    assert pd.isna(table.loc["new", "n_frames"])


@pytest.mark.usefixtures("reserved")
def test_running_jobs_tell_where(lab_on_each):
    running = queries.queued(lab_on_each).iloc[0]

    assert (running["state"], running["host"], running["pid"]) == ("running", "microscope", 42)
    table = queries.recordings(lab_on_each).set_index("trial")
    assert table.loc["new", "recording_info"] == "running"


def test_pending_jobs_tell_their_parameters(lab_on_each):
    table = queries.queued(lab_on_each)

    pending = table[table["trial"] == "new"].set_index("step")
    assert pending.loc["motion_correction", "parameters"] == "rigid"
    assert pending.loc["segmentation", "parameters"] == "default"
    assert pending.loc["recording_info", "parameters"] == ""
    assert set(table["state"]) == {"pending"}


@pytest.mark.parametrize(
    ("choice", "trials"),
    [
        ({}, {"done", "failed", "traceless", "looked at", "empty", "volume", "new"}),
        ({"text": " Mouse 2 "}, {"empty", "volume"}),
        ({"text": "LOOKED"}, {"looked at"}),
        ({"text": ".*"}, set()),
        ({"period": (date(2026, 11, 24),)}, {"new"}),
        ({"period": (date(2026, 11, 22), date(2026, 11, 22))}, {"done", "failed", "traceless"}),
        ({"states": ("error",)}, {"failed"}),
        ({"text": "mouse 1", "states": ("pending",)}, {"failed", "traceless"}),
    ],
)
def test_filters_choose_recordings(lab_on_each, choice, trials):
    found = queries.filter_recordings(queries.recordings(lab_on_each), **choice)

    assert set(found["trial"]) == trials


@pytest.mark.parametrize("trial", ["nobody", "x' OR '1'='1", "100%s", "done' -- "])
def test_a_recording_that_is_not_there_is_none(lab_on_each, trial):
    assert queries.recording(lab_on_each, {**DONE, "trial": trial}) is None


def test_a_recording_tells_its_sample(lab_on_each):
    assert queries.recording(lab_on_each, DONE)["sample"]["sample_id"] == "mouse 1-_-done"
    assert queries.recording(lab_on_each, NEW)["sample"] is None


def test_rois_and_traces_join_on_the_same_number(lab_on_each, segmentation):
    rois = queries.rois(lab_on_each, segmentation["key"])
    last, first = int(rois["roi_id"].iloc[-1]), int(rois["roi_id"].iloc[0])

    both = queries.traces(lab_on_each, segmentation["key"], [last, first], ["dff", "raw"])
    alone = queries.traces(lab_on_each, segmentation["key"], [first], ["dff"])

    assert both["raw"].shape == (2, 240)
    np.testing.assert_array_equal(both["dff"][1], alone["dff"][0])
    assert rois["accepted"].dtype == bool
    assert all(contour.shape[1] == 2 for contour in rois["contour_px"])


def test_a_segmentation_agrees_with_itself(lab_on_each, segmentation):
    found = queries.compared(lab_on_each, segmentation["key"], segmentation["key"])

    rois = queries.rois(lab_on_each, segmentation["key"])
    assert found["roi_one"].tolist() == rois.loc[rois["accepted"], "roi_id"].tolist()
    assert found["roi_one"].tolist() == found["roi_other"].tolist()
    np.testing.assert_allclose(found[["cosine", "trace_r"]], 1, rtol=1e-5)


def test_projections_have_the_shape_of_a_frame(lab_on_each):
    correction, _ = queries.corrections(lab_on_each, DONE)

    for name in queries.PROJECTIONS:
        assert queries.projection(lab_on_each, correction["key"], name).shape == (64, 64)


def test_frames_are_read_one_at_a_time(lab_on_each):
    correction, _ = queries.corrections(lab_on_each, DONE)
    recorded = queries.recorded_movie(lab_on_each, DONE)[7]
    corrected = queries.corrected_movie(lab_on_each, correction["key"])[7]

    low, high = queries.frame_limits(lab_on_each, DONE)
    assert recorded.shape == corrected.shape == (64, 64)
    assert low < np.median(recorded) < high


def test_previews_of_each_correction_are_read(lab_on_each):
    for correction in queries.corrections(lab_on_each, DONE):
        key = correction["key"]
        assert queries.preview_video(lab_on_each, key)[8:12] == b"WEBP"
        for name in queries.PREVIEWS:
            assert queries.preview_image(lab_on_each, key, name).shape == (64, 64)
        (top, bottom), (left, right) = queries.preview_crop(lab_on_each, key)
        assert 0 <= top < bottom <= 64
        assert 0 <= left < right <= 64


def test_frames_of_no_use_are_told_in_order_with_their_reason(lab_on_each):
    (found,) = queries.corrections(lab_on_each, VOLUME)
    correction = queries.correction(lab_on_each, found["key"])

    table = queries.unusable_frames(correction)

    assert list(table.columns) == ["frame", "time_s", "reason"]
    assert table["frame"].is_monotonic_increasing
    assert len(table) == correction["n_unusable"]
    assert list(table[table["reason"] == "no contrast"]["frame"]) == [7]
    assert queries.unusable_frames({**correction, "rate_hz": None})["time_s"].isna().all()
    assert queries.unusable_frames({**correction, "unusable": None}).empty


def test_files_tell_where_and_how_large(lab_on_each):
    (file,) = queries.files(lab_on_each, DONE).to_dict("records")

    movie = lab_on_each.settings.roots["data"] / "cells.tif"
    assert (file["path"], file["size_bytes"]) == ("cells.tif", movie.stat().st_size)
