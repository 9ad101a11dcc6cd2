"""The pages of the app, in every state of a project."""

from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pytest

from apps.browser.comparison_view import ALONE, coloured
from pipeline.extraction import CnmfParams
from pipeline.plots import roi_color
from populate_workers.attempt import new_attempt, outcome, reserve
from populate_workers.history import facts
from populate_workers.limits import limits
from populate_workers.liveness import register
from populate_workers.queue import failures, paused, progress, resume, retry
from schemas.params import add_params
from schemas.roi import submit_segmentation

KEYS = {
    "done": ("mouse 1", "2026-11-22"),
    "failed": ("mouse 1", "2026-11-22"),
    "traceless": ("mouse 1", "2026-11-22"),
    "looked at": ("mouse 1", "2026-11-23"),
    "empty": ("mouse 2", "2026-11-23b"),
    "volume": ("mouse 2", "2026-11-23b"),
    "new": ("mouse 3", "2026-11-24"),
}
TABS = ("ROIs and traces", "Movie", "Motion", "Seeds", "Files, parameters, versions")


def key_of(trial):
    animal, session = KEYS[trial]
    return {"animal_id": animal, "session": session, "trial": trial}


def words(app):
    """All that a page says."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning", "text")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


@pytest.fixture
def open_recording(lab, open_page):
    def open_it(trial, tab=TABS[0]):
        app = open_page(lab, "recording.py", **key_of(trial))
        if tab != TABS[0]:
            app.session_state["view"] = tab
            app.run()
        assert not app.exception
        return app

    return open_it


@pytest.mark.db
def test_home_of_an_empty_project_tells_how_to_begin(embedded, open_page):
    app = open_page(embedded)

    assert not app.exception
    assert {metric.value for metric in app.metric} == {"0"}
    assert "mesmerize ingest" in words(app)
    assert "mesmerize submit motion" in words(app)
    assert "mesmerize work" in words(app)


@pytest.mark.db
def test_home_counts_and_shows_progress(lab, open_page):
    app = open_page(lab)

    assert not app.exception
    counts = {metric.label: metric.value for metric in app.metric}
    assert (counts["Animals"], counts["Sessions"], counts["Recordings"]) == ("3", "4", "7")
    assert counts["Samples"] == "1"
    assert int(counts["ROIs in all"]) >= int(counts["Accepted ROIs"]) > 0
    assert "6 done · 1 pending" in words(app)
    assert "4 done · 1 pending · 1 error" in words(app)


@pytest.mark.db
def test_recordings_lists_all_and_filters(lab, open_page):
    app = open_page(lab, "recordings.py")

    assert not app.exception
    assert list(app.dataframe[0].value["trial"])[0] == "new"
    assert "7 of 7 recordings" in words(app)

    app.text_input[0].set_value("MOUSE 2").run()

    assert set(app.dataframe[0].value["trial"]) == {"empty", "volume"}


@pytest.mark.db
def test_recordings_of_an_empty_project_say_so(embedded, open_page):
    app = open_page(embedded, "recordings.py")

    assert not app.exception
    assert "no recording yet" in app.info[0].value


@pytest.mark.db
@pytest.mark.parametrize("trial", KEYS)
@pytest.mark.parametrize("tab", TABS)
def test_every_view_of_every_recording_is_shown(open_recording, trial, tab):
    app = open_recording(trial, tab)

    assert trial in app.title[0].value


@pytest.mark.db
def test_a_finished_recording_shows_its_best_rois(open_recording, lab):
    app = open_recording("done")

    n_rois = (lab.roi.Segmentation & {"trial": "done"}).fetch1("n_rois")
    assert 0 < len(app.multiselect[0].value) <= n_rois
    assert len(app.dataframe[0].value) == n_rois
    assert len(app.get("plotly_chart")) == 1
    assert "sample mouse 1-_-done" in words(app)


@pytest.mark.db
def test_the_list_and_the_table_select_the_same_rois(open_recording, lab):
    app = open_recording("done")
    segmentation = (lab.roi.Segmentation & {"trial": "done"}).fetch1("segmentation_id")

    app.multiselect[0].set_value([0, 2]).run()

    assert app.session_state[f"numbers {segmentation}"]["selection"]["rows"] == [0, 2]


@pytest.mark.db
def test_of_several_segmentations_one_is_chosen(open_recording, lab):
    other = {**key_of("done"), "motion_hash": None, "segmentation_id": "f" * 32}
    strict = (lab.roi.SegmentationParams & {"name": "strict"}).fetch1("segmentation_hash")
    lab.roi.SegmentationTask.insert1({**other, "segmentation_hash": strict})
    try:
        app = open_recording("done")
        newest, first = app.selectbox[0].options
        app.selectbox[0].select_index(1).run()
    finally:
        (lab.roi.SegmentationTask & {"segmentation_id": "f" * 32}).delete(prompt=False)

    assert newest == "cnmf 'strict' of the movie as recorded (pending)"
    assert first == "cnmf 'default' of the movie corrected with 'rigid' (done)"
    assert len(app.multiselect[0].value) > 0


@pytest.mark.db
def test_nothing_selected_asks_to_select(open_recording):
    app = open_recording("done")

    app.multiselect[0].set_value([]).run()

    assert not app.exception
    assert not app.get("plotly_chart")
    assert "Select ROIs" in words(app)


@pytest.mark.db
@pytest.mark.parametrize("kind", ["raw and denoised", "spikes"])
def test_other_kinds_of_traces_are_drawn(open_recording, kind):
    app = open_recording("done")

    app.session_state["kind"] = kind
    app.run()

    assert not app.exception
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.db
@pytest.mark.parametrize("name", ["template", "correlation_image", "max_image", "std_image"])
def test_every_image_is_shown(open_recording, name):
    app = open_recording("done")

    app.session_state["projection"] = name
    app.run()

    assert not app.exception


@pytest.mark.db
@pytest.mark.parametrize(
    ("trial", "tab", "sentence"),
    [
        ("new", TABS[0], "Segmentation is pending"),
        ("new", TABS[0], "Nothing has been read from the movie yet"),
        ("new", TABS[1], "when its recording info is computed"),
        ("new", TABS[2], "pending"),
        ("looked at", TABS[0], "No segmentation was asked for"),
        ("looked at", TABS[1], "No motion correction was asked for"),
        ("looked at", TABS[2], "No motion correction was asked for"),
        ("failed", TABS[0], "pending"),
        ("failed", TABS[1], "Motion correction failed"),
        ("empty", TABS[0], "found no ROI"),
        ("traceless", TABS[0], "Trace extraction is pending"),
    ],
)
def test_what_is_not_there_is_said(open_recording, trial, tab, sentence):
    assert sentence in words(open_recording(trial, tab))


@pytest.mark.db
def test_two_motion_corrections_are_shown_side_by_side(open_recording):
    app = open_recording("done", "Motion")

    assert app.multiselect[0].value == ["patches", "rigid"]
    assert [found.value for found in app.subheader] == [
        "Parameters 'patches'",
        "Parameters 'rigid'",
    ]
    assert len(app.metric) == 16
    assert len(app.get("plotly_chart")) == 6
    assert "patches of 32 × 32 px; they overlap" in words(app)
    assert "The frame moved as a whole" in words(app)


@pytest.mark.db
@pytest.mark.parametrize(("names", "n_metrics"), [(["rigid"], 8), (["patches"], 8), ([], 0)])
def test_motion_corrections_are_chosen(open_recording, names, n_metrics):
    app = open_recording("done", "Motion")

    app.multiselect[0].set_value(names).run()

    assert not app.exception
    assert len(app.metric) == n_metrics
    assert ("Choose one or two parameter sets" in words(app)) == (not names)


@pytest.mark.db
@pytest.mark.parametrize("trial", ["done", "volume"])
@pytest.mark.parametrize("name", ["max_image", "std_image"])
def test_other_images_before_and_after_are_shown(open_recording, trial, name):
    app = open_recording(trial, "Motion")

    app.session_state["preview"] = name
    app.run()

    assert not app.exception
    assert "corrected with 'rigid'" in words(app)
    assert "Left as recorded, right corrected" in words(app)


@pytest.mark.db
def test_a_correction_without_its_preview_shows_the_rest(open_recording):
    app = open_recording("traceless", "Motion")

    assert "Motion preview is pending" in words(app)
    assert len(app.metric) == 8
    assert "The frame moved as a whole" in words(app)


@pytest.mark.db
def test_the_quality_of_a_correction_is_told_in_words_and_numbers(open_recording, lab):
    app = open_recording("traceless", "Motion")

    residual_px = (lab.motion.MotionCorrection & {"trial": "traceless"}).fetch1("residual_px")
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Motion left"] == f"{residual_px:.3f} px"
    assert numbers["Unusable frames"] == "0"
    about = f"About {residual_px:.2f}" if residual_px >= 0.01 else "Less than 0.01"
    assert f"{about} px of motion is left" in words(app)
    assert numbers["Motion left in patches"] == "not measured"  # a rigid one cannot tell
    assert "All 240 frames are usable" in words(app)
    assert "Every frame is usable" in words(app)
    assert not app.dataframe


@pytest.mark.db
def test_frames_of_no_use_are_listed_with_time_and_reason(open_recording, lab):
    app = open_recording("volume", "Motion")

    unusable = (lab.motion.MotionCorrection & {"trial": "volume"}).fetch1("unusable")
    assert unusable["no contrast"] == [7]
    table = app.dataframe[0].value.set_index("frame")
    assert table.loc[7].to_dict() == {"time_s": 7 / 30, "reason": "no contrast"}
    assert len(table) == sum(map(len, unusable.values()))
    assert f"{len(table)} of 20 frames" in words(app)
    assert "a shutter is closed" in words(app)


@pytest.mark.db
@pytest.mark.parametrize("plane", [0, 2])
def test_the_plane_of_a_volume_is_chosen_for_all_that_shows_its_motion(open_recording, plane):
    app = open_recording("volume", "Motion")

    app.slider(key="plane of the preview of 3").set_value(plane).run()

    assert not app.exception
    assert f"frames from the whole recording. Plane {plane}." in words(app)


@pytest.mark.db
def test_a_failure_is_told_in_full_on_its_recording(open_recording):
    app = open_recording("failed")

    assert any("larger than the frame" in block.value for block in app.code)
    assert any("Traceback" in block.value for block in app.code)


@pytest.mark.db
@pytest.mark.parametrize("trial", ["done", "volume"])
def test_the_frame_slider_moves_the_movie(open_recording, trial):
    app = open_recording(trial, "Movie")

    app.slider(key="frame").set_value(15).run()

    assert not app.exception
    assert "at **0.50 s**" in words(app)


@pytest.mark.db
def test_a_missing_movie_file_is_said(open_recording, lab):
    movie = lab.settings.roots["data"] / "cells.tif"
    movie.rename(movie.with_suffix(".away"))
    try:
        app = open_recording("done", "Movie")
    finally:
        movie.with_suffix(".away").rename(movie)

    assert "is missing" in app.warning[0].value


@pytest.mark.db
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"animal_id": "mouse 1"},
        {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "nobody"},
        {"animal_id": "x' OR '1'='1", "session": "2026-11-22", "trial": "done"},
        {"animal_id": "mouse 1", "session": "yesterday", "trial": "done"},
        {"animal_id": "../..", "session": "2026-11-22", "trial": "100%s\\"},
    ],
)
def test_an_address_without_a_recording_is_refused(lab, open_page, query):
    app = open_page(lab, "recording.py", **query)

    assert not app.exception
    assert "no such recording" in app.error[0].value


@pytest.mark.db
def test_jobs_shows_states_and_errors_in_full(lab, open_page):
    app = open_page(lab, "jobs.py")

    assert not app.exception
    queue = app.dataframe[0].value
    assert set(queue["step"]) == {
        "Recording info",
        "Motion correction",
        "Motion preview",
        "Seed inspection",
        "Segmentation",
        "Trace extraction",
    }
    assert set(queue["state"]) == {"pending"}
    assert len(queue[queue["step"] == "Motion preview"]) == 1
    assert "new" in set(queue["trial"])
    assert any("larger than the frame" in block.value for block in app.code)


@pytest.mark.db
@pytest.mark.parametrize(
    ("page", "button"),
    [("jobs.py", "Try again"), ("jobs.py", "Try all again"), ("recording.py", "Try again")],
)
def test_a_failed_job_is_put_back(failed, open_page, page, button):
    query = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "small"}
    app = open_page(failed, page, **query)

    next(found for found in app.button if found.label == button).click().run()

    assert not app.exception
    assert progress(failed)["motion_correction"] == {
        "pending": 1,
        "reserved": 0,
        "done": 0,
        "error": 0,
    }


@pytest.mark.db
def test_jobs_are_paused_and_made_urgent_on_their_page(failed, open_page):
    assert retry(failed) == 1
    app = open_page(failed, "jobs.py")
    press = lambda label: next(b for b in app.button if b.label == label).click().run()  # noqa: E731

    press("Pause")
    assert paused(failed) == ["all"]
    press("Go on")
    assert paused(failed) == []
    app.multiselect(key="chosen jobs").set_value(app.multiselect[0].options).run()
    press("Do first")

    assert not app.exception
    assert set(failed.jobs("motion_correction").to_arrays("priority")) == {0}
    press("Ignore")
    assert any("1 jobs are ignored" in caption.value for caption in app.caption)
    press("Take them back")
    assert not app.exception
    assert set(failed.jobs("motion_correction").to_arrays("status")) == {"pending"}


@pytest.mark.db
def test_log_of_an_attempt_is_shown_or_said_to_be_pruned(failed, open_page):
    attempts = failed.worker.RunLog() & {"step": "motion_correction"}
    attempt_id, log = attempts.fetch1("attempt_id", "log")
    path = failed.settings.folder / log
    path.parent.mkdir(parents=True)
    path.write_text("the frame is small")
    app = open_page(failed, "jobs.py")
    shown = lambda: [block.value for block in app.code]  # noqa: E731

    box = app.selectbox(key="log of")
    box.set_value(next(name for name in box.options if name.startswith("Motion"))).run()
    assert "the frame is small" in shown()
    failed.worker.RunLog().update1({"attempt_id": attempt_id, "log_pruned": "2026-11-22 10:00:00"})
    app.run()

    assert not app.exception
    assert "It was removed on 2026-11-22, because it was old." in shown()


@pytest.mark.db
def test_single_steps_are_paused_and_limited_on_the_page(failed, open_page):
    app = open_page(failed, "jobs.py")

    app.toggle(key="begin segmentation, now True").set_value(False).run()
    app.number_input(key="at once segmentation, now 0").set_value(2).run()
    assert paused(failed) == ["segmentation"]
    assert limits(failed) == {"segmentation": 2}
    resume(failed, "segmentation")  # somebody else does
    app.run()
    assert app.toggle(key="begin segmentation, now True").value
    app.number_input(key="at once segmentation, now 2").set_value(0).run()

    assert not app.exception
    assert paused(failed) == []
    assert limits(failed) == {}


@pytest.mark.db
def test_waiting_jobs_get_a_time_on_the_page(failed, open_page):
    assert retry(failed) == 1
    app = open_page(failed, "jobs.py")
    app.multiselect(key="chosen jobs").set_value(app.multiselect[0].options).run()
    app.date_input(key="begin day").set_value(date(2030, 5, 4))
    app.time_input(key="begin time").set_value(time(23, 30)).run()

    next(b for b in app.button if b.label == "Begin then").click().run()

    assert not app.exception
    (when,) = set(failed.jobs("motion_correction").to_arrays("scheduled_time"))
    (now,) = failed.connection.query("SELECT CURRENT_TIMESTAMP(3)").fetchone()
    ahead = when - now.replace(tzinfo=None)
    assert abs(ahead - (datetime(2030, 5, 4, 23, 30) - datetime.now())) < timedelta(minutes=1)


@pytest.mark.db
def test_failed_jobs_are_tried_again_by_their_reason(failed, open_page):
    app = open_page(failed, "jobs.py")

    app.text_input(key="containing").input("no such reason").run()
    next(b for b in app.button if b.label == "Try these 0 again").click().run()
    assert len(failures(failed)) == 1
    app.text_input(key="containing").input("larger than the frame").run()
    next(b for b in app.button if b.label == "Try these 1 again").click().run()

    assert not app.exception
    assert failures(failed) == []


@pytest.mark.db
def test_running_job_is_shown_and_aborted_on_its_page(failed, open_page):
    assert retry(failed) == 1
    worker_id = register(failed, slots=1, memory_bytes=1)
    (key,) = failed.jobs("motion_correction").pending.keys()
    attempt = new_attempt("motion_correction", key, worker_id)
    assert reserve(failed, attempt, {**facts(), "log": "logs/none.log"})
    app = open_page(failed, "jobs.py")
    assert "1 at once" in words(app)

    next(b for b in app.button if b.label == "Abort").click().run()

    assert not app.exception
    assert "aborted by" in failures(failed)[0].message
    assert outcome(failed, attempt) == "aborted"


@pytest.mark.db
def test_jobs_of_an_empty_project_are_none(embedded, open_page):
    app = open_page(embedded, "jobs.py")

    assert not app.exception
    assert "No job runs." in words(app)
    assert "No job waits." in words(app)
    assert "No job has failed." in words(app)


@pytest.mark.db
def test_a_folder_without_a_project_is_said(tmp_path, monkeypatch, lab, open_page):
    app = open_page(lab)
    monkeypatch.setenv("MESMERIZE_PROJECT", str(tmp_path))
    del app.session_state["database"]

    app.run()

    assert "make a project with" in app.error[0].value


@pytest.mark.db
def test_a_lost_connection_is_made_anew(lab, open_page):
    app = open_page(lab)
    app.session_state["database"].connection.close()

    app.run()
    said = [error.value for error in app.error]
    app.run()

    assert len(said) == 1
    assert "does not answer" in said[0]
    assert not app.error
    assert not app.exception


@pytest.mark.db
def test_sessions_do_not_share_a_connection(lab, open_page):
    first, second = open_page(lab), open_page(lab)

    one, other = (app.session_state["database"].connection for app in (first, second))
    assert one is not other


@pytest.mark.db
def test_two_segmentations_are_compared(embedded, take_in, run_all, open_page):
    take_in(embedded)
    add_params(embedded.roi.SegmentationParams, "strict", CnmfParams(min_snr=15))
    recordings = embedded.session.Recording()
    submit_segmentation(recordings, "strict")
    submit_segmentation(recordings)
    run_all(embedded)
    app = open_page(embedded, "recording.py", animal_id="m1", session="2026-11-22", trial="t1")

    (choice,) = [box for box in app.selectbox if box.label == "Compare with"]
    assert "cells in both" not in words(app)
    choice.select_index(1).run()

    assert not app.exception
    assert "cells in both" in words(app)
    counts = sorted(embedded.roi.Segmentation.to_arrays("n_accepted"))
    assert counts[0] < counts[1]
    assert f"{counts[0]} cells in both" in words(app)
    (table,) = [frame.value for frame in app.dataframe if "because" in frame.value]
    there_alone = table[table["roi_one"].isna() | table["roi_other"].isna()]
    assert len(there_alone) == counts[1] - counts[0]
    assert all("snr" in reason for reason in there_alone["because"])  # what 'strict' says of them


def test_cells_in_both_have_one_colour_and_lonely_ones_another():
    rois = pd.DataFrame({"roi_id": [0, 1, 2], "accepted": [True, False, True]})
    table = pd.DataFrame(
        {"roi_one": [0, 2], "roi_other": [5, np.nan], "trace_r": [0.91, np.nan], "cosine": [1, 0]}
    )
    others = pd.DataFrame({"roi_id": [5], "accepted": [True]})

    here, there = coloured(rois, table, "one"), coloured(others, table, "other")

    assert here["roi_id"].tolist() == [0, 2]
    assert here["color"].tolist() == [roi_color(0), ALONE]
    assert there["color"].tolist() == [roi_color(0)]
    assert here["note"].tolist() == ["ROI 5 there, traces correlate 0.91", "only here"]
    assert there["note"].tolist() == ["ROI 0 here, traces correlate 0.91"]
