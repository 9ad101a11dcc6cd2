"""Deleting results, on both servers: nothing of them is left, and nothing else is touched."""

import shutil
from unittest.mock import Mock

import pytest

from pipeline.motion import MotionParams
from pipeline.readers import open_movie
from schemas.deletion import delete_params, delete_tasks, doomed_by
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.samples import add_sample
from schemas.settings import ProjectError
from schemas.store import INCOMING, new_folder, stored_path

pytestmark = pytest.mark.db


@pytest.fixture
def filled(database, simulated, run_all):
    """Two trials; the first one corrected in two ways and segmented with the default one."""
    for trial in ("t1", "t2"):
        file = database.settings.roots["data"] / f"{trial}.tif"
        shutil.copy(simulated[1], file)
        ingest(Trial(animal="m1", session="2026-11-22", trial=trial, rate_hz=30.0), [file])
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    first = database.session.Recording & {"trial": "t1"}
    submit_motion(database.session.Recording(), "rigid")
    submit_motion(first)
    submit_segmentation(first, motion="default")
    assert not [outcome.error for outcome in run_all(database) if outcome.error]
    chosen = database.roi.Segmentation.fetch1("KEY")
    add_sample(database, chosen, segmentation_id=chosen["segmentation_id"])
    return database


def tasks_of(database, name="default"):
    return database.motion.MotionTask & (database.motion.MotionParams & {"name": name})


def files_of(database):
    """Return the files of the store with their sizes."""
    store = database.settings.store
    return {
        str(file.relative_to(store)): file.stat().st_size
        for file in store.rglob("*")
        if file.is_file()
    }


def test_the_store_holds_nothing_of_a_deleted_movie(filled, run_all):
    (motion_hash,) = tasks_of(filled).to_arrays("motion_hash")
    before = files_of(filled)
    doomed = doomed_by(filled, tasks_of(filled))
    assert files_of(filled) == before  # to be told changes nothing

    freed_bytes = delete_tasks(filled, tasks_of(filled))

    after = files_of(filled)
    assert freed_bytes == doomed.stored_bytes == sum(before.values()) - sum(after.values()) > 0
    assert after.items() <= before.items()
    assert not list(filled.settings.store.rglob(f"*{motion_hash}*"))
    assert not filled.roi.SegmentationTask()
    assert not filled.roi.Trace.Roi()
    assert not filled.sample.Sample()
    assert run_all(filled) == []


def test_other_movies_stay_readable(filled):
    delete_tasks(filled, tasks_of(filled))

    left = filled.motion.MotionCorrection.to_dicts()
    assert len(left) == 2
    for correction in left:
        movie = open_movie(stored_path(filled.settings, correction["movie"]))
        assert movie[0].shape == correction["template"].shape
    assert filled.session.RecordingInfo.to_arrays("mean_image").shape[0] == 2


def test_what_is_shared_by_content_stays(filled):
    twins = tasks_of(filled, "rigid") & {"trial": "t1"}  # t2 is the same movie

    delete_tasks(filled, twins)

    left = (filled.motion.MotionCorrection & {"trial": "t2"}).fetch1()
    assert left["template"].ndim == 2


def test_a_segmentation_goes_without_its_movie(filled):
    doomed = doomed_by(filled, filled.roi.SegmentationTask())
    assert sorted(doomed.rows.values())[:4] == [1, 1, 1, 1]

    delete_tasks(filled, filled.roi.SegmentationTask())

    assert len(filled.motion.MotionCorrection()) == 3
    assert not filled.sample.Sample()


def test_failed_jobs_of_what_is_deleted_go_too(filled, run_all):
    add_params(filled.motion.MotionParams, "wide", MotionParams(stride_px=(500, 500)))
    submit_motion(filled.session.Recording(), "wide")
    assert all(outcome.error for outcome in run_all(filled))

    delete_tasks(filled, tasks_of(filled, "wide"))

    assert not filled.motion.MotionCorrection().jobs.errors
    delete_params(filled.motion.MotionParams, filled.motion.MotionTask, "wide")
    assert set(filled.motion.MotionParams().to_arrays("name")) == {"default", "rigid"}


def test_what_is_being_computed_is_not_deleted(filled):
    task = filled.roi.SegmentationTask.fetch1("KEY")
    jobs = filled.roi.Segmentation().jobs
    (filled.roi.Segmentation & task).delete(prompt=False)
    jobs.refresh(delay=-1)
    assert jobs.reserve(task)
    with new_folder(filled.settings, ".zarr") as making:
        making.mkdir()
        with pytest.raises(ProjectError, match="segmentation of what would go is running"):
            delete_tasks(filled, tasks_of(filled))

        delete_tasks(filled, tasks_of(filled, "rigid"))

        assert making.is_dir()
        assert list((filled.settings.store / INCOMING).iterdir()) == [making]
    assert len(filled.motion.MotionCorrection()) == 1


def test_all_or_nothing(filled, monkeypatch):
    before = files_of(filled)

    gone = Mock(side_effect=ConnectionError("gone"))
    monkeypatch.setattr(type(filled.motion.MotionTask()), "delete", gone)

    with pytest.raises(ConnectionError, match="gone"):
        delete_tasks(filled, tasks_of(filled))

    assert files_of(filled) == before
    assert len(filled.roi.Segmentation()) == 1


def test_a_used_parameter_set_stays(filled):
    with pytest.raises(ProjectError, match="'rigid' has 2 tasks and stays"):
        delete_params(filled.motion.MotionParams, filled.motion.MotionTask, "rigid")
    with pytest.raises(ProjectError, match="no parameter set 'bogus'"):
        delete_params(filled.motion.MotionParams, filled.motion.MotionTask, "bogus")
