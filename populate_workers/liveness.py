"""Who lives, who is dead, and the jobs of the dead."""

import getpass
import os
import time
import uuid
from importlib.metadata import version
from typing import Any

from populate_workers import machine
from populate_workers.attempt import Attempt, where_key
from populate_workers.deaths import give_up
from populate_workers.patience import patiently
from schemas.connection import Database
from schemas.settings import ProjectError
from schemas.store import aside, clear_aside

SILENT_BEATS = 3.0
"""A worker that has been silent for so many of its beats is suspected to be dead."""

WATCHED_BEATS = 1.2
"""A suspect is dead when it stays silent for so many beats while it is watched."""


def register(database: Database, *, slots: int, memory_bytes: int) -> str:
    """Enter a worker for this process and return its number.

    Parameters
    ----------
    database : Database
        The connected tables.
    slots : int
        Jobs that it computes at once.
    memory_bytes : int
        What its machine has for jobs.
    """
    row = {
        "worker_id": uuid.uuid4().hex,
        "host": machine.host(),
        "pid": os.getpid(),
        "process_start": machine.process_start(os.getpid()),
        "machine_id": machine.machine_id(),
        "account": account(),
        "version": version("mesmerize-datajoint"),
        "slots": slots,
        "beat_s": database.settings.workers.beat_s,
        "memory_bytes": memory_bytes,
        "has_caiman": database.settings.caiman_python is not None,
    }
    patiently(database, lambda: database.worker.Worker().insert1(row, skip_duplicates=True))
    return str(row["worker_id"])


def account() -> str:
    """Return who started this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return str(os.getuid())


def leave(database: Database, worker_id: str) -> None:
    """Take a worker's row away at its orderly end."""
    (database.worker.Worker() & {"worker_id": worker_id}).delete_quick()


class Watch:
    """Looks for workers that have died, and frees their jobs.

    A worker of this machine is dead when its process is gone. Any other is dead when its last
    sign of life is old, by the server's clock, and none comes while it is watched: a server that
    was away for a while kills nobody.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._suspects: dict[tuple[str, Any], float] = {}

    def forget(self) -> None:
        """Watch anew: the server was away."""
        self._suspects.clear()

    def reap(self) -> int:
        """Free the jobs of the dead; return how many."""
        try:
            return self._reap()
        except Exception:
            self.forget()  # while the server was away, nobody could show that he lives
            raise

    def _reap(self) -> int:
        now = time.monotonic()
        rows = self._database.connection.query(
            "SELECT worker_id, host, pid, process_start, machine_id, beat_s, beat, "
            f"CASE WHEN {self._silence()} THEN 1 ELSE 0 END AS silent "
            f"FROM {self._database.worker.Worker().full_table_name}",
            as_dict=True,
        ).fetchall()
        silent = {(r["worker_id"], r["beat"]): r["beat_s"] for r in rows if r["silent"]}
        self._suspects = {who: self._suspects.get(who, now) for who in silent}
        dead = [row for row in rows if self._is_dead(row, now)]
        return sum(_bury(self._database, row) for row in dead)

    def suspects(self) -> int:
        """Return how many workers are silent and not yet known to be dead."""
        return len(self._suspects)

    def _is_dead(self, row: dict[str, Any], now: float) -> bool:
        here = row["machine_id"] == machine.machine_id()
        if here and machine.is_gone(row["pid"], row["process_start"]):
            return True
        seen = self._suspects.get((row["worker_id"], row["beat"]), now)
        return now - seen >= WATCHED_BEATS * row["beat_s"]

    def _silence(self) -> str:
        """Return the SQL that tells whether a worker has been silent for too long."""
        if self._database.connection.adapter.backend == "mysql":
            age = "TIMESTAMPDIFF(MICROSECOND, beat, CURRENT_TIMESTAMP(3)) / 1e6"
        else:
            age = "EXTRACT(EPOCH FROM (CURRENT_TIMESTAMP(3)::timestamp - beat))"
        return f"{age} > {SILENT_BEATS} * beat_s"


def _bury(database: Database, row: dict[str, Any]) -> int:
    """Take a dead worker's row away and free its jobs; return how many."""
    table = database.worker.Worker().full_table_name
    query = f"DELETE FROM {table} WHERE worker_id=%s AND beat=%s"
    if database.connection.query(query, args=(row["worker_id"], row["beat"])).rowcount != 1:
        return 0  # it has just shown that it lives, or another has buried it
    here = row["machine_id"] == machine.machine_id()
    gone = here and machine.is_gone(row["pid"], row["process_start"])
    how = "its process was killed" if gone else "it gave no sign of life"
    freed = 0
    for attempt in running_attempts(database, {"worker_id": row["worker_id"]}):
        freed += give_up(database, attempt, f"the worker on {row['host']} died: {how}.")
    return freed


def running_attempts(database: Database, restriction: dict[str, Any]) -> list[Attempt]:
    """Return the attempts that the history holds for running."""
    found = database.worker.RunLog() & {"outcome": "running"} & restriction
    rows = found.proj("step", "job_key", "worker_id").to_dicts(order_by="attempt_id")
    return [
        Attempt(
            attempt_id=row["attempt_id"],
            step=row["step"],
            key=row["job_key"],
            worker_id=row["worker_id"],
        )
        for row in rows
    ]


def free_left_over(database: Database) -> int:
    """Free what no living worker holds: return how many jobs.

    These are attempts whose worker is gone, and jobs that a ``populate()`` of DataJoint's own
    reserved on this machine and whose process has ended. What ended attempts left aside in the
    store goes.
    """
    freed = 0
    attempts = running_attempts(database, {})  # first: a worker is there before its attempts
    living = set(database.worker.Worker().to_arrays("worker_id")) if attempts else set()
    for attempt in attempts:
        if attempt.worker_id not in living:
            freed += give_up(database, attempt, "its worker died.")
    for step in _steps_held_outside(database):
        jobs = database.jobs(step)
        theirs = jobs.reserved & {"host": machine.host(), "version": ""}
        for row in theirs.to_dicts():
            if machine.is_gone(row["pid"], ""):
                freed += _put_back(database, jobs, row)
    clear_left_aside(database)
    return freed


def clear_left_aside(database: Database) -> None:
    """Remove what attempts that have ended left aside in the store.

    A worker does so itself when its job ends, unless it is killed just then, or a dying process
    writes once more.
    """
    names = aside(database.settings)
    if not names:
        return
    log = database.worker.RunLog() & [{"attempt_id": name} for name in names]
    for attempt_id in (log & "outcome <> 'running'").to_arrays("attempt_id"):
        clear_aside(database.settings, attempt_id)


def _steps_held_outside(database: Database) -> list[str]:
    """Return the steps of which a process outside of ours has jobs on this machine."""
    was = "status='reserved' AND version='' AND host=%s"
    steps = [step for step, _ in database.steps()]
    parts = [
        f"SELECT {i} AS step FROM {database.jobs(step).full_table_name} WHERE {was}"
        for i, step in enumerate(steps)
    ]
    query = " UNION ".join(parts)
    found = database.connection.query(query, args=(machine.host(),) * len(steps)).fetchall()
    return [steps[i] for (i,) in found]


def _put_back(database: Database, jobs: Any, row: dict[str, Any]) -> int:
    """Make a job pending again that a process outside of ours had reserved."""
    where, values = where_key(jobs, row)
    query = (
        f"UPDATE {jobs.full_table_name} SET status='pending' "
        f"WHERE {where} AND status='reserved' AND pid=%s AND version=''"
    )
    return int(database.connection.query(query, args=(*values, row["pid"])).rowcount)


def reap_now(database: Database) -> int:
    """Free the jobs of the dead, watching the silent ones for as long as it takes.

    Returns
    -------
    int
        Number of jobs freed.

    Raises
    ------
    ProjectError
        If the server goes away meanwhile.
    """
    watch = Watch(database)
    try:
        freed = watch.reap()
        while watch.suspects():
            time.sleep(database.settings.workers.beat_s / 10)
            freed += watch.reap()
        return freed + free_left_over(database)
    except OSError as error:
        raise ProjectError(f"the database server went away: {error}") from error
