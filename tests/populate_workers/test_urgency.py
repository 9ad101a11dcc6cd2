"""Urgency is passed on to what a job waits for, and kept for a job that cannot run yet."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from apps.queries import queued
from pipeline.motion import MotionParams
from populate_workers import queue
from populate_workers.taking import refresh
from populate_workers.urgency import prioritise, schedule
from populate_workers.wishes import wished
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation

pytestmark = pytest.mark.db


@pytest.fixture
def asked(database):
    """Three recordings whose motion correction and segmentation were asked for."""
    movie = np.random.default_rng(0).poisson(100, (30, 40, 40)).astype(np.uint16)
    np.save(database.settings.roots["data"] / "noise.npy", movie)
    for trial in ("t0", "t1", "t2"):
        new = Trial(animal="m", session="2026-11-22", trial=trial, rate_hz=10.0)
        ingest(new, [database.settings.roots["data"] / "noise.npy"])
    add_params(
        database.motion.MotionParams, "rigid", MotionParams(mode="rigid", max_shift_px=(3, 3))
    )
    submit_motion(database.session.Recording(), "rigid")
    submit_segmentation(database.session.Recording())
    return database


def test_commands_tell_of_jobs_that_wait_for_others(asked, mesmerize, monkeypatch):
    monkeypatch.chdir(asked.settings.folder)

    said = mesmerize("jobs", "priority", 3, "segmentation", "--trial", "t2")[1]
    assert said == "1 jobs have priority 3 now, and what they wait for is as urgent.\n"
    assert (
        "1 jobs begin"
        in mesmerize("jobs", "schedule", "segmentation", "--trial", "t2", "--at", "2030-01-01")[1]
    )
    lines = mesmerize("jobs", "list")[1].splitlines()

    (line,) = [line for line in lines if "segmentation" in line and "t2" in line]
    assert "waits for an earlier step, or for a worker, priority 3, not before 20" in line
    (line,) = [line for line in lines if "motion_correction" in line and "t2" in line]
    assert "priority 3" in line
    assert len([line for line in lines if "motion_correction" in line]) == 3
    connect(asked.settings)  # the last one was that of a command


def priorities(database, step):
    refresh(database, [step])
    return {
        row["trial"]: row["priority"]
        for row in (database.jobs(step).proj("priority").to_dicts(order_by="trial"))
    }


def test_urgent_segmentation_hurries_its_motion_correction_and_stays_urgent(asked, run_all):
    assert prioritise(asked, 0, "segmentation", {"trial": "t2"}) == 1
    assert prioritise(asked, 3, "segmentation", {"trial": "t2"}) == 1  # does not slow the other
    assert prioritise(asked, 100, "segmentation", {"trial": "t0"}) == 1
    tomorrow = datetime.now() + timedelta(days=1)
    assert schedule(asked, tomorrow, "segmentation", {"trial": "t1"}) == 1

    assert priorities(asked, "motion_correction") == {"t0": 5, "t1": 5, "t2": 0}
    assert priorities(asked, "segmentation") == {}  # none can run yet
    table = queued(asked).set_index(["step", "trial"]).loc["segmentation"]
    assert table["priority"].dropna().to_dict() == {"t0": 100, "t2": 3}
    assert abs(table["not_before"].dropna()["t1"] - tomorrow) < timedelta(minutes=5)
    assert len(table["not_before"].dropna()) == 1
    for step in ("recording_info", "motion_preview", "seed_inspection", "segmentation", "trace"):
        queue.pause(asked, step)
    outcomes = run_all(asked)

    assert [outcome.key["trial"] for outcome in outcomes] == ["t2", "t0", "t1"]
    assert {outcome.error for outcome in outcomes} == {None}
    assert priorities(asked, "segmentation") == {"t0": 100, "t1": 5, "t2": 3}
    jobs = asked.jobs("segmentation")
    assert (jobs & {"trial": "t1"}).fetch1("scheduled_time") > datetime.now() + timedelta(hours=20)
    assert not wished(asked)


def node(database, result_key, *inputs):
    row = {"node": "Z score", "node_version": 1, "params": {}, "inputs": {}, "bases": []}
    database.analysis.NodeTask.insert1({"result_key": result_key, **row})
    for before in inputs:
        database.analysis.NodeInput.insert1({"result_key": result_key, "input_key": before})


def test_urgent_analysis_hurries_all_that_it_is_made_of(database):
    first, middle, last, other = ("0" * 31 + letter for letter in "abcx")
    node(database, first)
    node(database, middle, first)
    node(database, last, middle)
    node(database, other)

    assert prioritise(database, 2, "node_result", {"result_key": last}) == 1

    jobs = database.jobs("node_result").proj("priority").to_dicts()
    assert {row["result_key"]: row["priority"] for row in jobs} == {first: 2, other: 5}
    wishes = {dict(key)["result_key"]: wish.priority for (_, key), wish in wished(database).items()}
    assert wishes == {middle: 2, last: 2}
    prioritise(database, 0, "node_result", {"result_key": middle})
    prioritise(database, 3, "node_result", {"result_key": last})  # does not slow the other
    wishes = {dict(key)["result_key"]: wish.priority for (_, key), wish in wished(database).items()}
    assert wishes == {middle: 0, last: 3}
    assert prioritise(database, 1, key={"animal_id": "m"}) == 0  # analyses are of no animal
    (database.analysis.NodeInput & {"result_key": last}).delete(prompt=False)
    (database.analysis.NodeTask & {"result_key": last}).delete(prompt=False)
    refresh(database, ["node_result"])
    assert len(wished(database)) == 1  # what was taken back is forgotten
