"""Workers: each job once, whatever happens to those who compute it."""

import os
import signal
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest

from benchmarks import probe
from populate_workers import attempt, queue, urgency
from populate_workers.history import facts
from populate_workers.limits import limit, limits, unlimit
from populate_workers.liveness import leave, reap_now, register
from populate_workers.patience import answers, patiently, reconnect
from populate_workers.running import running
from populate_workers.taking import Chooser, refresh
from schemas import server
from schemas.connection import Database, open_connection
from schemas.settings import ProjectError
from tests.populate_workers.conftest import BEAT_S, Proxy, configure, wait_until

pytestmark = pytest.mark.db


def outcomes(lab):
    """Return how the attempts at each probe ended."""
    rows = (lab.worker.RunLog() & {"step": "probe"}).to_dicts(order_by="started")
    found = {}
    for row in rows:
        found.setdefault(int(row["job_key"]["task_id"]), []).append(row["outcome"])
    return found


def is_running(lab, count=1):
    return lambda: len(running(lab)) == count


def test_each_job_is_done_once_and_its_history_is_kept(lab, start):
    probe.submit(6)
    probe.submit(1, "fail")

    lines = start(lab, processes=2).finish()

    assert sorted(lines) == sorted(
        [*(f"probe {i} None" for i in range(6)), "probe 6 the probe was told to fail."]
    )
    assert outcomes(lab) == {**{i: ["done"] for i in range(6)}, 6: ["error"]}
    assert len(probe.Probe()) == 6
    assert len(set(probe.Probe().to_arrays("pid"))) == 6  # a process each
    row = (lab.worker.RunLog() & {"outcome": "error"}).fetch1()
    assert "in _end" in row["traceback"]
    assert row["reason"] == queue.failures(lab)[0].message == "the probe was told to fail."
    assert row["traceback"] == queue.failures(lab)[0].traceback
    assert row["versions"]["numpy"]
    assert row["peak_memory_bytes"] > 5e7
    assert 0 < row["cpu_s"] < 60
    assert row["ended"] >= row["started"]
    assert "told to fail" in (lab.settings.folder / row["log"]).read_text()
    assert len(lab.worker.Worker()) == 0


@pytest.mark.parametrize(
    ("does", "words"), [("crash", "(SIGSEGV)"), ("exit", "exit code 42")], ids=["crash", "exit"]
)
def test_job_that_kills_its_process_becomes_an_error_and_the_others_go_on(
    embedded_lab, start, does, words
):
    lab = embedded_lab
    probe.submit(1, does)
    probe.submit(3)

    start(lab).finish()

    assert outcomes(lab) == {0: ["killed"] * 3, 1: ["done"], 2: ["done"], 3: ["done"]}
    (failure,) = queue.failures(lab)
    assert words in failure.message
    assert "3 times in a row" in failure.message
    if does == "crash":
        assert "Fatal Python error" in failure.traceback
        assert "in _end" in failure.traceback
        rows = lab.worker.RunLog() & {"outcome": "killed"}
        assert set(rows.to_arrays("ended_by_signal")) == {signal.SIGSEGV}
    assert queue.retry(lab, containing="3 times") == 1
    start(lab).finish()
    assert len(outcomes(lab)[0]) == 6  # it has three tries again


def test_job_of_a_killed_worker_is_freed_at_once_on_its_machine(lab, start):
    probe.submit(1, "hoard", 30.0)
    worker = start(lab)
    wait_until(is_running(lab))
    wait_until(worker.children)

    worker.process.kill()
    wait_until(lambda: not worker.family()[1:])
    assert reap_now(lab) == 1

    assert outcomes(lab) == {0: ["lost"]}
    assert queue.progress(lab)["probe"]["pending"] == 1
    assert len(lab.worker.Worker()) == 0


def test_children_end_with_their_worker_or_nursery(embedded_lab, start):
    probe.submit(1, duration_s=60.0)
    worker = start(embedded_lab, stay=True)
    (child,) = wait_until(worker.children)
    worker.family()[1].kill()
    child.wait(timeout=10)
    wait_until(lambda: outcomes(embedded_lab) == {0: ["killed", "running"]})
    (child,) = wait_until(worker.children)
    worker.process.kill()
    child.wait(timeout=10)


def test_suspended_worker_that_wakes_cannot_insert_a_second_result(lab, start):
    probe.submit(1, duration_s=4.0)
    first = start(lab, stay=True)
    wait_until(is_running(lab))
    (asleep,) = wait_until(first.children)

    first.signal(signal.SIGSTOP)
    lines = start(lab).finish()
    assert lines == ["probe 0 None"]
    first.signal(signal.SIGCONT)
    asleep.wait(timeout=30)
    probe.submit(1)
    wait_until(lambda: outcomes(lab).get(1) == ["done"])  # it works on, as a worker anew

    assert outcomes(lab)[0] == ["lost", "done"]
    assert len(probe.Probe() & {"task_id": 0}) == 1
    assert (probe.Probe() & {"task_id": 0}).fetch1("pid") != asleep.pid
    printed = first.end()
    assert any("given to another" in line or "lost" in line or "died" in line for line in printed)


def test_job_whose_worker_lives_is_never_taken(lab, start):
    probe.submit(1, duration_s=30 * BEAT_S)
    workers = [start(lab) for _ in range(2)]

    for worker in workers:
        worker.finish()

    assert outcomes(lab) == {0: ["done"]}


def test_stopped_worker_puts_its_job_back_and_leaves_nothing(embedded_lab, start):
    lab = embedded_lab
    probe.submit(1, "hoard", 60.0)
    worker = start(lab)
    wait_until(is_running(lab))
    wait_until(worker.children)
    time.sleep(0.5)

    lines = worker.end()

    assert worker.process.returncode == 0
    assert lines == ["probe 0 its worker was stopped."]
    assert outcomes(lab) == {0: ["stopped"]}
    assert queue.progress(lab)["probe"]["pending"] == 1
    assert not list((lab.settings.store / "_incoming").glob("*"))


def test_abort_ends_the_process_and_retry_brings_it_back(embedded_lab, start):
    lab = embedded_lab
    probe.submit(1, duration_s=60.0)
    probe.submit(1)
    worker = start(lab, stay=True)
    (child,) = wait_until(worker.children)
    wait_until(is_running(lab))

    assert queue.abort(lab, "probe", {"task_id": 0}, by="anna") == 1
    child.wait(timeout=20)
    wait_until(lambda: outcomes(lab).get(1) == ["done"])

    (failure,) = queue.failures(lab)
    assert failure.message == "aborted by anna."
    assert outcomes(lab)[0] == ["aborted"]
    probe.ProbeTask().update1({"task_id": 0, "duration_s": 0.0})
    assert queue.retry(lab, "probe", {"task_id": 0}) == 1
    wait_until(lambda: outcomes(lab)[0] == ["aborted", "done"])


def test_urgent_jobs_first_and_none_before_its_time(lab, start):
    probe.submit(4)
    assert urgency.prioritise(lab, 1, "probe", {"task_id": 3}) == 1
    assert queue.ignore(lab, "probe", {"task_id": 1}) == 1
    soon = datetime.now() + timedelta(seconds=8)
    assert urgency.schedule(lab, soon, "probe", {"task_id": 0}) == 1

    lines = start(lab).finish()

    assert [line.split()[1] for line in lines] == ["3", "2", "0"]
    assert datetime.now() > soon
    assert queue.heed(lab) == 1
    assert queue.progress(lab)["probe"] == {"pending": 1, "reserved": 0, "done": 3, "error": 0}
    with pytest.raises(Exception, match="between -128 and 127; got 300"):
        urgency.prioritise(lab, 300)


def test_paused_queue_waits_until_it_is_resumed(embedded_lab, start):
    lab = embedded_lab
    queue.pause(lab, "probe")
    probe.submit(1)
    worker = start(lab, stay=True)
    wait_until(lambda: len(lab.worker.Worker()) == 1)
    time.sleep(3)
    assert outcomes(lab) == {}
    assert queue.paused(lab) == ["probe"]

    assert queue.resume(lab) == 1

    wait_until(lambda: outcomes(lab) == {0: ["done"]})
    worker.end()


def test_step_keeps_to_its_limit_of_running_jobs(lab, start):
    limit(lab, "probe", 5)
    limit(lab, "probe", 2)
    assert limits(lab) == {"probe": 2}
    probe.submit(6, duration_s=0.7)
    workers = [start(lab, processes=2) for _ in range(2)]
    most = 0
    while any(worker.process.poll() is None for worker in workers):
        most = max(most, len(lab.jobs("probe").reserved))
        time.sleep(0.05)

    assert most == 2
    assert outcomes(lab) == {i: ["done"] for i in range(6)}
    assert unlimit(lab, "probe")
    assert not unlimit(lab, "probe")
    assert limits(lab) == {}


def test_what_cannot_be_a_limit_is_refused(embedded_lab):
    limit(embedded_lab, "probe", 3)
    with pytest.raises(ValueError, match="the limit must be between 1 and 1000000; got 0"):
        limit(embedded_lab, "probe", 0)
    with pytest.raises(ProjectError, match="there is no step 'prob'; the steps are"):
        limit(embedded_lab, "prob", 2)
    assert limits(embedded_lab) == {"probe": 3}


def test_job_that_takes_too_long_is_ended(embedded_lab, start):
    lab = configure(embedded_lab, time_limit_s=2)
    probe.submit(1, "deaf", 60.0)

    start(lab).finish()

    assert outcomes(lab) == {0: ["killed"]}
    assert "longer than the limit of 2 s" in queue.failures(lab)[0].message


def test_progress_of_a_running_job_is_told(embedded_lab, start):
    lab = embedded_lab
    probe.submit(1, duration_s=20.0)
    worker = start(lab)
    (job,) = wait_until(
        lambda: [job for job in running(lab) if job.fraction and job.fraction > 0.1]
    )
    assert job.phase == "sleeping"
    assert job.rate_hz == pytest.approx(1000, rel=0.3)
    assert job.left_s == pytest.approx(20 * (1 - job.fraction), rel=0.3)
    assert job.elapsed_s > 20 * job.fraction - 1
    assert "sleeping" in job.words()
    log = lab.settings.folder / job.log
    wait_until(lambda: "sleeping: " in log.read_text())
    worker.end()


def test_server_that_goes_away_costs_no_result(lab, start, address):
    proxy = None
    if address is not None:
        proxy = Proxy(address.port)
        through(lab, proxy.port)
    probe.submit(1, duration_s=6.0)
    probe.submit(24, duration_s=0.2)
    worker = start(lab, processes=2)
    wait_until(is_running(lab, 2))

    for _ in range(4):
        time.sleep(1.5)
        cut(lab, proxy)
    worker.finish()

    found = outcomes(lab)
    assert {i: ends[-1] for i, ends in found.items()} == dict.fromkeys(range(25), "done")
    assert Counter(sum(found.values(), []))["done"] == 25
    assert found[0] == ["done"]  # what was computed was not computed again
    assert len(probe.Probe()) == 25
    assert queue.failures(lab) == []


def test_machine_that_vanishes_while_it_inserts_does_not_hold_its_job(lab, monkeypatch):
    monkeypatch.setattr(attempt, "SILENCE_S", 1)
    probe.submit(1)
    refresh(lab, ["probe"])
    worker_id = register(lab, slots=1, memory_bytes=1)
    held = Chooser(lab, worker_id, facts()).take("probe", {"task_id": 0})
    leave(lab, worker_id)
    other = Database(lab.settings, open_connection(lab.settings), lab.modules)

    lab.connection.start_transaction()
    attempt.hold(lab, held)  # and then nothing more is heard
    jobs = lab.jobs("probe").full_table_name
    freed = patiently(
        other,
        lambda: other.connection.query(f"UPDATE {jobs} SET status='pending' WHERE task_id=0"),
    )

    assert freed.rowcount == 1
    assert not answers(lab.connection)


LONG_S = float(os.environ.get("MESMERIZE_LONG_JOB_S", "12"))
"""How long the long job takes; 600 is worth a try before a release."""


def test_long_job_whose_server_is_away_when_it_ends_is_inserted(lab, start, address):
    proxy = None
    if address is not None:
        proxy = Proxy(address.port)
        through(lab, proxy.port)
    probe.submit(1, duration_s=LONG_S)
    worker = start(lab)
    wait_until(is_running(lab, 1))
    time.sleep(LONG_S - 3)

    cut(lab, proxy, away_s=5)
    worker.finish()

    assert outcomes(lab) == {0: ["done"]}
    assert len(probe.Probe()) == 1


def through(lab, port):
    """Let the workers of a project reach their server through another port."""
    file = lab.settings.folder / "datajoint.json"
    text = file.read_text().replace(
        f'"port": {lab.connection.conn_info["port"]}', f'"port": {port}'
    )
    file.write_text(text)


def cut(lab, proxy, away_s=1):
    """Let the server be away for a moment: its connections break."""
    if proxy is not None:
        proxy.cut()
        time.sleep(away_s)
        proxy.mend()
        return
    folder = lab.settings.folder / server.SERVER_FOLDER
    owner = server._server_owner(lab.settings.folder)
    command = ["pg_ctl", "stop", "-W", "-m", "immediate", "-D", str(folder / "data")]
    server._run(command, owner)
    time.sleep(away_s)
    reconnect(lab, patience_s=30)
