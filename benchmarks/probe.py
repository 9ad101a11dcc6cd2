"""A step whose jobs do what their task says: for measuring the queue, and for breaking it.

``python -m benchmarks.probe FOLDER`` is a nursery that knows it; ``install()`` makes it known.
"""

import ctypes
import os
import signal
import sys
import time

import datajoint as dj

from schemas import connection
from schemas.resources import RESOURCES
from schemas.store import new_folder

schema = dj.Schema()
STEP = "probe"


@schema
class ProbeTask(dj.Manual):
    """What a job is to do."""

    definition = """
    task_id : int32
    ---
    does="sleep" : varchar(16)     # sleep | fail | crash | exit | deaf | hoard
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
            resources.progress("sleeping", int(1000 * (time.monotonic() - ends + duration_s)),
                               int(1000 * duration_s))
            time.sleep(min(0.05, duration_s))
        return (_end(does),)

    def make_insert(self, key, pid):
        """Store it."""
        self.insert1({**key, "pid": pid})


def _end(does):
    if does == "fail":
        raise ValueError("the probe was told to fail.")
    if does == "crash":
        ctypes.string_at(0)
    if does == "exit":
        os._exit(42)
    return os.getpid()


def install():
    """Make the step known to this process, as the last of the pipeline."""
    sys.modules["schemas.probe"] = sys.modules[Probe.__module__]
    if "probe" not in connection.MODULES:
        connection.MODULES = (*connection.MODULES, "probe")
        connection.STEPS[STEP] = ("probe", "Probe")


def submit(count, does="sleep", duration_s=0.0):
    """Ask for so many jobs; return the number of the first."""
    first = len(ProbeTask())
    rows = ({"task_id": first + i, "does": does, "duration_s": duration_s} for i in range(count))
    ProbeTask().insert(rows)
    return first


if __name__ == "__main__":
    from benchmarks import probe  # under its own name, for the tables are found by it
    from populate_workers.nursery import main

    probe.install()
    main()
