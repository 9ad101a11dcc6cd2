"""Filling the computed tables in this process: one job after the other, in order of dependency."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline.blocks import Progress
from populate_workers.attempt import Attempt
from populate_workers.computation import compute
from populate_workers.heart import Heart
from populate_workers.history import facts
from populate_workers.liveness import Watch, free_left_over, leave, register
from populate_workers.patience import patiently
from populate_workers.report import Reporter
from populate_workers.taking import Chooser
from schemas.connection import Database
from schemas.resources import RESOURCES
from schemas.store import clear_aside

POLL_S = 2.0


class Outcome(NamedTuple):
    """What became of one attempt."""

    step: str
    """Name of the step."""

    key: dict[str, Any]
    """What was computed."""

    duration_s: float
    """How long it took, in seconds."""

    error: str | None
    """Why it is not done; None: it is."""

    will_run_again: bool = False
    """Whether the job is pending again."""


Watcher = Callable[[Outcome], None]


def populate(database: Database, *, until_done: bool = False, watch: Watcher) -> None:
    """Compute what is to be computed, in this process.

    A job that fails stays in the queue with its reason and the others go on. When the process is
    interrupted, its job goes back to pending. Workers with a process for each job are started by
    `populate_workers.supervisor.Supervisor`.

    Parameters
    ----------
    database : Database
        The connected tables.
    until_done : bool
        Wait for jobs that other processes run, and compute what they make possible.
    watch : callable
        Told the outcome of each job.
    """
    free_dead(database)
    presence = _Presence(database)
    before = RESOURCES.get()
    try:
        while True:
            chooser = presence.chooser()
            attempt = patiently(database, lambda chooser=chooser: chooser.next(_anything))
            if attempt is not None:
                watch(_run(database, attempt, before.progress))
            elif not until_done or chooser.is_all_done:
                return
            else:
                time.sleep(POLL_S)
                free_dead(database)
    finally:
        RESOURCES.set(before)
        presence.leave()


class _Presence:
    """The worker that a process is; anew after its machine slept and its job was given away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._facts = facts()
        self._enter()

    def chooser(self) -> Chooser:
        """Return who takes jobs for this process."""
        if self._heart.is_declared_dead:
            self._heart.stop()
            self._enter()
        return self._chooser

    def leave(self) -> None:
        """Be a worker no more."""
        self._heart.stop()
        leave(self._database, self._chooser.worker_id)

    def _enter(self) -> None:
        settings = self._database.settings
        worker_id = register(self._database, slots=1, memory_bytes=settings.memory_bytes)
        table = self._database.worker.Worker().full_table_name
        self._heart = Heart(settings, table, worker_id)
        self._chooser = Chooser(self._database, worker_id, self._facts)


def _anything(*_: object) -> None:
    """Refuse no job: who computes in this process knows what it can."""


def free_dead(database: Database) -> int:
    """Free the jobs whose process on this machine is gone, and those that nobody holds."""
    return Watch(database).reap() + free_left_over(database)


def _run(database: Database, attempt: Attempt, progress: Progress) -> Outcome:
    """Compute a reserved job here."""
    began = time.monotonic()
    report = Reporter(database.settings, database.worker.RunLog().full_table_name, attempt)

    def both(phase: str, done: int, total: int) -> None:
        progress(phase, done, total)
        report(phase, done, total)

    RESOURCES.set(replace(RESOURCES.get(), progress=both, attempt_id=attempt.attempt_id))
    try:
        ending = compute(database, attempt)
    finally:
        report.close()
        clear_aside(database.settings, attempt.attempt_id)
    seconds = time.monotonic() - began
    return Outcome(attempt.step, attempt.key, seconds, ending.reason if ending else None)
