"""Kill -9 at random moments, in every step: each job is done once, or is an error with a reason."""

import random
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from pipeline.motion import MotionParams
from populate_workers import queue
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.store import aside, stored_path
from tests.populate_workers.conftest import configure

pytestmark = [pytest.mark.db, pytest.mark.slow]

KILLS = 25
"""On each of the servers."""


def victims(worker, rng):
    """Choose whom to kill: the worker, its nursery, a child, or all."""
    family = worker.family()
    children = worker.children()
    kind = rng.choice(("worker", "nursery", "child", "child", "child", "all"))
    if kind == "worker":
        return family[:1]
    if kind == "nursery":
        return family[1:2]
    return rng.sample(children, min(1, len(children))) if kind == "child" else family


def take_in_next(lab, take_in):
    """Take in one more recording, with all that is to be computed of it."""
    take_in(lab, f"trial-{len(lab.session.Recording()):02d}")
    for name in ("default", "rigid"):
        submit_motion(lab.session.Recording(), name)
        submit_segmentation(lab.session.Recording(), motion=name)


def test_defect_14_fifty_kills_lose_and_repeat_nothing(lab, take_in, start):
    lab = configure(lab, kills=1000)
    add_params(lab.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    take_in_next(lab, take_in)
    rng = random.Random(0)
    worker, killed = start(lab, processes=2), 0
    while killed < KILLS:
        time.sleep(rng.uniform(0.1, 1.2))
        if worker.process.poll() is None:
            running = lab.worker.RunLog() & {"outcome": "running"}
            found = victims(worker, rng) if running else []
            for process in found:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            killed += bool(found)
        if worker.process.poll() is not None:
            if worker.process.returncode == 0:  # it has done all there was
                take_in_next(lab, take_in)
            worker = start(lab, processes=2)
    start(lab, processes=2).finish(timeout=300)

    check_all_done_once(lab)


def check_all_done_once(lab):
    """Check that every task has one result with its files, and that nothing else is left."""
    n_trials = len(lab.session.Recording())
    steps = ["motion_correction", "motion_preview", "seed_inspection", "segmentation", "trace"]
    done = {"recording_info": n_trials} | dict.fromkeys(steps, 2 * n_trials)
    for step, counts in queue.progress(lab).items():
        expected = {"pending": 0, "reserved": 0, "done": done.get(step, 0), "error": 0}
        assert counts == expected, step
    log = (lab.worker.RunLog() & {"outcome": "done"}).to_dicts()
    assert Counter((row["step"], row["key_hash"]) for row in log).most_common(1)[0][1] == 1
    assert Counter(row["step"] for row in log) == done
    assert set(lab.worker.RunLog().to_arrays("outcome")) <= {"done", "killed", "lost", "stopped"}
    for table, field in ((lab.motion.MotionCorrection, "movie"), (lab.roi.Segmentation, "sources")):
        for reference in table().to_arrays(field):
            assert (stored_path(lab.settings, reference) / "zarr.json").is_file()
    for table in (lab.session.RecordingInfo, lab.motion.MotionPreview):
        for image in table().to_arrays("mean_image"):
            assert image.std() > 0
    assert aside(lab.settings) == []
    n_rois = {row["n_rois"] for row in lab.roi.Segmentation().to_dicts()}
    assert len(lab.roi.Segmentation.Roi()) == len(lab.roi.Trace.Roi()) > max(n_rois)
    assert len(lab.worker.Worker()) == 0
