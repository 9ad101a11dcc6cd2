"""Many jobs, many workers, and what idle ones cost the server."""

import time
from collections import Counter

import pytest

from benchmarks import probe
from populate_workers import queue
from populate_workers.liveness import register
from populate_workers.taking import CANDIDATES
from schemas import server
from tests.populate_workers.conftest import Proxy, configure, wait_until
from tests.populate_workers.test_workers import through

pytestmark = [pytest.mark.db, pytest.mark.slow]

JOBS = 1000
WORKERS = 8


def test_eight_workers_do_a_thousand_jobs_once_each(lab, start):
    probe.submit(JOBS)

    workers = [start(lab) for _ in range(WORKERS)]
    lines = sum((worker.finish(timeout=600) for worker in workers), [])

    assert Counter(lines) == {f"probe {i} None": 1 for i in range(JOBS)}
    log = lab.worker.RunLog()
    assert Counter(log.to_arrays("outcome")) == {"done": JOBS}
    assert len({row["task_id"] for row in log.to_arrays("job_key")}) == JOBS
    assert len(probe.Probe()) == JOBS
    assert queue.progress(lab)["probe"] == {"pending": 0, "reserved": 0, "done": JOBS, "error": 0}


SECONDS = 20


def test_idle_worker_asks_less_than_once_a_second(lab, start, address):
    lab = configure(lab, beat_s=3600)
    _leave_to_a_large_machine(lab, 3 * CANDIDATES)
    lab = configure(lab, beat_s=10, memory_mb=500)
    asked = _counter(lab, address)
    worker = start(lab, processes=4, stay=True)
    wait_until(lambda: set(lab.worker.Worker().to_arrays("says")) > {""})
    time.sleep(8)  # it has looked around, and its nursery is ready

    before = asked()
    time.sleep(SECONDS)
    count = asked() - before

    worker.end()
    assert 0 < count < SECONDS
    assert len(lab.worker.RunLog()) == 0


def _leave_to_a_large_machine(lab, count):
    """Enter recordings whose jobs wait for a worker with more memory, which has no time."""
    register(lab, slots=1, memory_bytes=2**50)
    lab.animal.Animal.insert1({"animal_id": "m"})
    lab.session.Session.insert1(
        {"animal_id": "m", "session": "2026-11-22", "session_date": "2026-11-22"}
    )
    key = {"animal_id": "m", "session": "2026-11-22"}
    lab.session.Recording.insert({**key, "trial": f"t{i}"} for i in range(count))


def _counter(lab, address):
    """Return a function that tells how many statements the server has been given."""
    if address is not None:
        proxy = Proxy(address.port)
        through(lab, proxy.port)
        return lambda: proxy.asked
    lab.connection.query("ALTER SYSTEM SET log_statement = 'all'")
    lab.connection.query("SELECT pg_reload_conf()")
    log = lab.settings.folder / server.SERVER_FOLDER / "data" / "server.log"
    return lambda: log.read_text().count("statement: ")
