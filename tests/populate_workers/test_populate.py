"""Jobs: failed ones keep their reason, others go on, and none is lost."""

import errno
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datajoint.utils
import numpy as np
import pytest

from pipeline.motion import MotionParams
from populate_workers import queue
from populate_workers.populate import populate
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.resources import RESOURCES, Resources
from schemas.store import INCOMING

pytestmark = pytest.mark.db

WORKER = """
import logging, sys
from pathlib import Path
logging.getLogger("datajoint").addFilter(lambda record: False)
from populate_workers.populate import populate
from schemas.connection import connect
from schemas.settings import load_settings
database = connect(load_settings(Path(sys.argv[1])))
print("ready", flush=True)
populate(database, until_done=True, watch=lambda outcome: print(outcome.step, outcome.key["trial"]))
"""


def worker(database):
    return subprocess.Popen(  # closed by communicate()
        [sys.executable, "-W", "ignore", "-c", WORKER, str(database.settings.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_failed_job_keeps_its_reason_and_the_others_go_on(database, take_in, run_all):
    take_in(database, "t1")
    take_in(database, "t2")
    huge = MotionParams(stride_px=(200, 200))
    add_params(database.motion.MotionParams, "huge", huge)
    submit_motion(database.session.Recording() & {"trial": "t1"}, "huge")
    submit_motion(database.session.Recording() & {"trial": "t2"})

    outcomes = run_all(database)

    assert len(outcomes) == 5
    (failed,) = [outcome for outcome in outcomes if outcome.error]
    assert "larger than the frame" in failed.error
    (failure,) = queue.failures(database)
    assert failure.message == failed.error
    assert "check_fits" in failure.traceback
    assert queue.progress(database)["motion_correction"] == {
        "pending": 0, "reserved": 0, "done": 1, "error": 1,
    }  # fmt: skip
    assert not list((database.settings.store / INCOMING).glob("*"))
    assert run_all(database) == []  # an error is not tried again by itself


def test_retry_computes_what_was_mended(database, take_in, run_all):
    key = take_in(database)
    file = database.settings.roots["data"] / "m1-2026-11-22-t1.tif"
    content = file.read_bytes()
    file.unlink()
    (outcome,) = run_all(database)
    assert "is missing; put it back" in outcome.error
    file.write_bytes(content + b"more")
    assert queue.retry(database, "recording_info") == 1
    (outcome,) = run_all(database)
    assert "has changed since it was ingested" in outcome.error

    file.write_bytes(content)
    assert queue.retry(database) == 1
    (outcome,) = run_all(database)

    assert outcome.error is None
    assert database.session.RecordingInfo & key
    assert queue.failures(database) == []


def test_store_that_cannot_be_written_is_named(database, take_in, run_all):
    take_in(database)
    submit_motion(database.session.Recording())
    shutil.rmtree(database.settings.store)
    database.settings.store.write_text("a file where the folder should be")

    outcomes = run_all(database)

    assert len(outcomes) == 2
    for outcome in outcomes:
        assert f"the store {database.settings.store} cannot be written" in outcome.error


def test_interrupted_job_goes_back_to_pending(database, take_in):
    take_in(database)
    submit_motion(database.session.Recording())

    def interrupt(phase, *_):
        if phase == "correcting motion":
            raise KeyboardInterrupt

    RESOURCES.set(Resources(settings=database.settings, progress=interrupt))
    with pytest.raises(KeyboardInterrupt):
        populate(database, watch=lambda _: None)

    state = queue.progress(database)["motion_correction"]
    assert state == {"pending": 1, "reserved": 0, "done": 0, "error": 0}
    assert not list((database.settings.store / INCOMING).glob("*"))


def test_terminated_worker_puts_its_job_back(database, take_in):
    for trial in ("t1", "t2", "t3"):
        take_in(database, trial)
    submit_motion(database.session.Recording())
    process = worker(database)
    assert process.stdout.readline() == "ready\n"
    while not queue.progress(database)["motion_correction"]["reserved"]:
        time.sleep(0.01)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    state = queue.progress(database)["motion_correction"]
    assert state["reserved"] == state["error"] == 0
    assert state["pending"] >= 1


def test_job_of_a_killed_worker_is_computed_by_the_next(database, take_in, run_all):
    take_in(database)
    submit_motion(database.session.Recording())
    process = worker(database)
    while not queue.progress(database)["motion_correction"]["reserved"]:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert queue.progress(database)["motion_correction"]["reserved"] == 1

    assert {outcome.error for outcome in run_all(database)} == {None}

    assert len(database.motion.MotionCorrection()) == 1


def test_two_workers_compute_each_job_once(database, take_in):
    for trial in "abcd":
        take_in(database, trial)
    submit_motion(database.session.Recording())

    processes = [worker(database) for _ in range(2)]
    lines = [process.communicate(timeout=120)[0].splitlines()[1:] for process in processes]

    jobs = sum(lines, [])
    assert [process.returncode for process in processes] == [0, 0]
    steps = ("recording_info", "motion_correction", "motion_preview")
    assert sorted(jobs) == sorted(f"{step} {trial}" for step in steps for trial in "abcd")
    assert queue.failures(database) == []
    assert np.all([counts["done"] in (0, 4) for counts in queue.progress(database).values()])


def test_equal_arrays_stored_at_the_same_moment_are_no_error(
    database, take_in, run_all, monkeypatch
):
    take_in(database)
    write, outrun = datajoint.utils.safe_write, []

    def write_late(path, content):
        if not outrun:
            outrun.append(path)
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", f"{path}.saving")
        write(path, content)

    monkeypatch.setattr(datajoint.utils, "safe_write", write_late)

    (outcome,) = run_all(database)

    assert outrun
    assert outcome.error is None
    assert len(database.session.RecordingInfo()) == 1


def test_unknown_step_is_refused(database):
    with pytest.raises(Exception, match="no step 'bogus'; the steps are: recording_info"):
        queue.retry(database, "bogus")
