"""A step whose jobs do what their task says: for measuring the queue, and for breaking it.

``install()`` makes the step known to a process. ``python -m benchmarks.probe work FOLDER N`` is a
worker with N processes that knows it, until all is done; with ``stay`` for ``work`` it stays.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import datajoint as dj

from populate_workers import nursery
from populate_workers.supervisor import Duty, Supervisor
from schemas import connection
from schemas.resources import RESOURCES
from schemas.settings import load_settings
from schemas.store import new_folder

schema = dj.Schema()
STEP = "probe"
EATEN_BYTES = 10_000_000


@schema
class ProbeTask(dj.Manual):
    """What a job is to do."""

    definition = """
    task_id : int32
    ---
    does="sleep" : varchar(16)     # sleep | fail | crash | exit | deaf | hoard | eat
    duration_s=0 : float64
    """


@schema
class Probe(dj.Computed):
    """A job that was done, and by whom."""

    definition = """
    -> ProbeTask
    ---
    pid : int32
    """

    def make_fetch(self, key):
        """Read the task."""
        return (ProbeTask & key).fetch1("does", "duration_s")

    def make_compute(self, key, does, duration_s):
        """Do what it says."""
        ends = time.monotonic() + duration_s
        if does == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        resources = RESOURCES.get()
        if does == "hoard":
            with new_folder(resources.settings, ".zarr") as folder:
                folder.mkdir()
                (folder / "array").write_bytes(b"\0" * 1_000_000)
        while time.monotonic() < ends:
            resources.progress(
                "sleeping",
                int(1000 * (time.monotonic() - ends + duration_s)),
                int(1000 * duration_s),
            )
            time.sleep(min(0.05, duration_s))
        return (_end(does),)

    def make_insert(self, key, pid):
        """Store it."""
        self.insert1({**key, "pid": pid})


def _end(does: str) -> int:
    """Return the number of this process, or do what was asked for in the end."""
    if does == "fail":
        raise ValueError("the probe was told to fail.")
    if does == "crash":
        ctypes.string_at(0)
    if does == "eat":
        return len([b"\1" * EATEN_BYTES for _ in range(1000)])
    if does == "exit":
        os._exit(42)
    return os.getpid()


def install() -> None:
    """Make the step known to this process, as the last of the pipeline."""
    sys.modules["schemas.probe"] = sys.modules[Probe.__module__]
    if "probe" not in connection.MODULES:
        connection.MODULES = (*connection.MODULES, "probe")
        connection.STEPS[STEP] = ("probe", "Probe")


def submit(count: int, does: str = "sleep", duration_s: float = 0.0) -> int:
    """Ask for so many jobs; return the number of the first."""
    first = len(ProbeTask())
    rows = ({"task_id": first + i, "does": does, "duration_s": duration_s} for i in range(count))
    ProbeTask().insert(rows)
    return first


def remove() -> None:
    """Make the step unknown again."""
    connection.MODULES = tuple(name for name in connection.MODULES if name != "probe")
    connection.STEPS.pop(STEP, None)


def work(folder: Path, processes: int, *, until_done: bool) -> None:
    """Be a worker of a project, and print what becomes of each job."""
    database = connection.connect(load_settings(folder))
    duty = Duty(processes=processes, until_done=until_done, nursery="benchmarks.probe")
    Supervisor(database, duty, watch=_print).run()


def _print(outcome) -> None:
    """Print what became of a job."""
    print(outcome.step, *outcome.key.values(), outcome.error, flush=True)


if __name__ == "__main__":
    from benchmarks import probe  # under its own name, by which the tables are found

    probe.install()
    if sys.argv[1] in ("work", "stay"):
        probe.work(Path(sys.argv[2]), int(sys.argv[3]), until_done=sys.argv[1] == "work")
    else:
        nursery.main()
