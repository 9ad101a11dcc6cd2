"""Which job is next: one question to the server, whatever the number of steps."""

import math
import random
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import datajoint as dj

from populate_workers.attempt import Attempt, Ending, end, new_attempt, reserve
from populate_workers.budget import Refusal
from populate_workers.history import log_path
from populate_workers.patience import named_lock
from populate_workers.wishes import fulfil
from schemas.connection import Database

ALL = "all"
CANDIDATES = 24
"""Jobs of a step that are looked at first."""

MORE = 8
"""By how much more each time, where none of them may be begun: few questions for many jobs."""

REFUSED_S = 30.0
"""How long jobs that were refused are left alone, while nothing in the queues changes."""

LOCK_WAIT_S = 5
REFRESH_EVERY_S = 1.0

Fits = Callable[[str, dict[str, Any]], Refusal | None]
"""Told a step and a key; returns why the job cannot be begun here, or None."""


class Ready(NamedTuple):
    """What of a step may run."""

    step: str
    priority: int | None
    """Of its most urgent job that may run now; None: there is none."""

    waiting: int
    """Jobs that wait, those for their time included."""

    running: int
    """Jobs that are reserved now, on all machines."""

    has_new: bool
    """Whether something can be computed that has no job yet."""

    limit: int | None
    """How many may be reserved at once, on all machines together; None: any number."""


def look(database: Database, *, with_new: bool = True) -> list[Ready]:
    """Ask, in one query, what may run and whether there is anything new.

    Parameters
    ----------
    database : Database
        The connected tables.
    with_new : bool
        Whether to look for what has no job yet; that takes longest.

    Returns
    -------
    list of Ready
        In the order of dependency, without the steps that are paused.
    """
    paused = f"SELECT 1 FROM {database.worker.Pause().full_table_name} WHERE step IN"
    limit = f"SELECT most FROM {database.worker.Limit().full_table_name} WHERE step ="
    parts = []
    for i, (step, _) in enumerate(database.steps()):
        jobs = database.jobs(step).full_table_name
        news = f"EXISTS ({_new(database.jobs(step))})" if with_new else "1=0"
        parts.append(
            f"SELECT {i} AS step, "
            f"(SELECT MIN(priority) FROM {jobs} WHERE status='pending' "
            "AND scheduled_time <= CURRENT_TIMESTAMP(3)) AS priority, "
            f"(SELECT COUNT(*) FROM {jobs} WHERE status='pending') AS waiting, "
            f"(SELECT COUNT(*) FROM {jobs} WHERE status='reserved') AS running, "
            f"CASE WHEN {news} THEN 1 ELSE 0 END AS has_new, "
            f"({limit} '{step}') AS most, "
            f"CASE WHEN EXISTS ({paused} ('{ALL}', '{step}')) THEN 1 ELSE 0 END AS paused"
        )
    names = [step for step, _ in database.steps()]
    found = database.connection.query(" UNION ALL ".join(parts)).fetchall()
    rows = sorted(found, key=lambda row: row[0])
    return [
        Ready(names[i], priority, waiting, running, bool(has_new), most)
        for i, priority, waiting, running, has_new, most, is_paused in rows
        if not is_paused
    ]


def _new(jobs: Any) -> str:
    """Return the SQL of what can be computed and has no job yet."""
    keys = (jobs.target.key_source - jobs.target.proj()).restrict(
        dj.Not(jobs), semantic_check=False
    )
    return str(keys.proj().make_sql())


class Chooser:
    """Takes the next job: by priority, then in the order of dependency, then by time."""

    def __init__(self, database: Database, worker_id: str, facts: dict[str, Any]) -> None:
        self.worker_id = worker_id
        self.is_all_done = False
        self.says = ""
        self._database = database
        self._facts = facts
        self._refreshed_at = -math.inf
        self._refused: list[Ready] = []
        self._refused_at = -math.inf
        self._is_contested = False

    def forget(self) -> None:
        """Look at jobs again that were refused: there is more room for them now."""
        self._refused_at = -math.inf

    def next(self, fits: Fits) -> Attempt | None:
        """Reserve the next job; None: there is none that may run now.

        Parameters
        ----------
        fits : callable
            Told the step and the key of a job; returns why it cannot be begun here, or None.
        """
        found = self._look()
        if found == self._refused and time.monotonic() - self._refused_at < REFUSED_S:
            return None
        self.says, self._is_contested = "", False
        for ready in sorted(filter(_may_run, found), key=_urgency):  # stable: then by dependency
            if ready.limit is not None and ready.running >= ready.limit:
                self.says = f"{ready.step} has its limit of {ready.running} running jobs"
                continue
            attempt = self._take_one(ready, fits)
            if attempt is not None:
                return attempt
        # what others took meanwhile says nothing of what comes next
        self._refused_at = -math.inf if self._is_contested else time.monotonic()
        self._refused = found
        return None

    def _look(self) -> list[Ready]:
        """Return what may run now, of all steps, with what is new in the queues."""
        is_time = time.monotonic() - self._refreshed_at > REFRESH_EVERY_S
        found = look(self._database, with_new=is_time)
        if not is_time and not any(ready.priority is not None for ready in found):
            found = look(self._database)
        new = [ready.step for ready in found if ready.has_new]
        if is_time or new:
            self._refreshed_at = time.monotonic()
        if new:
            refresh(self._database, new)
            found = look(self._database)
        self.is_all_done = not any(
            ready.waiting or ready.running or ready.has_new for ready in found
        )
        return found

    def _take_one(self, ready: Ready, fits: Fits) -> Attempt | None:
        """Reserve the first job of a step that fits and that nobody else took."""
        step, offset, count = ready.step, 0, CANDIDATES
        while True:
            keys = candidates(self._database, step, count, offset)
            for key in in_order(keys):
                refusal = fits(step, key)
                if refusal is not None and not refusal.is_final:
                    self.says = refusal.reason
                    continue
                attempt = self._take(ready, key)
                self._is_contested = True
                if attempt is None:
                    continue
                if refusal is None:
                    return attempt
                end(self._database, attempt, Ending(outcome="error", reason=refusal.reason))
            if len(keys) < count:
                return None
            offset, count = offset + count, count * MORE

    def _take(self, ready: Ready, key: dict[str, Any]) -> Attempt | None:
        """Reserve a job; None: another was faster, or the step has its limit of running jobs."""
        if ready.limit is None:
            return self.take(ready.step, key)
        lock = f"{self._database.settings.schema_prefix}{ready.step}"
        with named_lock(self._database.connection, lock, wait_s=LOCK_WAIT_S) as is_ours:
            is_room = is_ours and len(self._database.jobs(ready.step).reserved) < ready.limit
            return self.take(ready.step, key) if is_room else None

    def take(self, step: str, key: dict[str, Any]) -> Attempt | None:
        """Reserve a job; None: another was faster.

        Parameters
        ----------
        step : str
            Name of the step.
        key : dict
            Of the job.
        """
        attempt = new_attempt(step, key, self.worker_id)
        facts = {**self._facts, "log": log_path(step, attempt.attempt_id)}
        return attempt if reserve(self._database, attempt, facts) else None


def _may_run(ready: Ready) -> bool:
    return ready.priority is not None


def _urgency(ready: Ready) -> int:
    return ready.priority or 0


def refresh(database: Database, steps: Collection[str]) -> None:
    """Put what can be computed into the queues of steps; one process at a time does that."""
    with named_lock(database.connection, f"{database.settings.schema_prefix}refresh") as is_ours:
        if is_ours:
            for step in steps:
                # delay: what is scheduled for this very moment may be taken
                database.jobs(step).refresh(delay=-1)
            fulfil(database, steps)


def candidates(database: Database, step: str, count: int, offset: int = 0) -> list[dict[str, Any]]:
    """Return the keys of so many jobs of a step that may run now, the most urgent first."""
    jobs = database.jobs(step)
    ready = jobs.pending & "scheduled_time <= CURRENT_TIMESTAMP(3)"
    order = f"priority, scheduled_time, {', '.join(jobs.primary_key)}"
    return list(ready.keys(order_by=order, limit=count, offset=offset))


def in_order(keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the most urgent job first, and the others so that workers seldom want the same."""
    rest = keys[1:]
    random.shuffle(rest)
    return keys[:1] + rest
