"""An engine in an interpreter of its own does not outlive the job that began it."""

import signal

import psutil
import pytest

from pipeline.extraction.caiman_engine import CaimanParams
from populate_workers import queue
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.settings import CAIMAN_VARIABLE
from schemas.store import aside
from tests.caiman_stand_in import write_stand_in
from tests.populate_workers.conftest import configure, wait_until

pytestmark = pytest.mark.db


@pytest.fixture
def hanging(embedded_lab, take_in, simulated, tmp_path, monkeypatch):
    """A project with a task for a CaImAn that never ends."""
    monkeypatch.delenv(CAIMAN_VARIABLE, raising=False)
    truth = simulated[0].footprints, simulated[0].movie.frame_shape
    interpreter = write_stand_in(tmp_path, truth, behaviour="hang")
    lab = configure(embedded_lab, "caiman", python=f'"{interpreter}"')
    take_in(lab)
    add_params(lab.roi.SegmentationParams, "caiman", CaimanParams())
    submit_segmentation(lab.session.Recording(), "caiman")
    return lab


def runners(lab):
    """Return the runner and what it started, once it hangs."""
    found = list((lab.settings.store / "_incoming").rglob("pids"))
    words = found[0].read_text().split() if found else []
    return [psutil.Process(int(word)) for word in words]


@pytest.mark.parametrize("who", ["job", "nursery", "worker"])
def test_kill_9_leaves_nothing_behind(hanging, start, who):
    worker = start(hanging)
    processes = wait_until(lambda: runners(hanging), timeout_s=120)
    victim = {
        "job": lambda: worker.children()[0],
        "nursery": lambda: worker.family()[1],
        "worker": lambda: worker.family()[0],
    }[who]()

    victim.send_signal(signal.SIGKILL)

    psutil.wait_procs(processes, timeout=10)
    assert not [process for process in processes if process.is_running()]


def test_an_aborted_job_ends_it(hanging, start):
    start(hanging)
    processes = wait_until(lambda: runners(hanging), timeout_s=120)

    assert queue.abort(hanging, "segmentation") == 1

    psutil.wait_procs(processes, timeout=30)
    assert not [process for process in processes if process.is_running()]
    wait_until(lambda: aside(hanging.settings) == [])
