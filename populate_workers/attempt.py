"""One attempt to compute a job: who holds the reservation, and how it ends.

A reserved job of DataJoint's queue holds the number of its attempt as its ``version``. Every
transition is one UPDATE whose WHERE holds the old state and that number, so that whoever has lost
a job can neither insert its result nor change what became of it.
"""

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from schemas.connection import Database

MESSAGE_LENGTH = 2047
SILENCE_S = 120
"""How long a transaction that holds a job may say nothing until the server gives it up."""

DEADLY = ("killed", "lost")
"""Outcomes of attempts after which the process, or its machine, was gone."""


class Lost(Exception):
    """The job was given to another, or aborted: its result is not wanted."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A reserved job."""

    attempt_id: str
    """What the reservation holds, 32 hex digits."""

    step: str
    """Name of the step."""

    key: dict[str, Any]
    """What is computed."""

    worker_id: str
    """Whose it is."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an attempt ended."""

    outcome: str
    """``error``, ``killed``, ``stopped``, ``lost`` or ``aborted``."""

    reason: str = ""
    """Why, in a sentence."""

    traceback: str | None = None
    """The whole story."""

    ended_by_signal: int | None = None
    """The signal that ended the process."""

    job_status: str = "error"
    """What the job is afterwards: ``error`` or ``pending``."""


WORKER_STOPPED = Ending(outcome="stopped", reason="its worker was stopped.", job_status="pending")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an attempt took."""

    peak_memory_bytes: int | None = None
    cpu_s: float | None = None


def key_hash(step: str, key: dict[str, Any]) -> str:
    """Return the name of a job in `RunLog`."""
    text = json.dumps([step, sorted(key.items())], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def new_attempt(step: str, key: dict[str, Any], worker_id: str) -> Attempt:
    """Return an attempt with a number of its own; nothing is reserved yet."""
    return Attempt(attempt_id=uuid.uuid4().hex, step=step, key=key, worker_id=worker_id)


def reserve(database: Database, attempt: Attempt, facts: dict[str, Any]) -> bool:
    """Reserve a pending job and open its line in the history, both or none.

    Parameters
    ----------
    database : Database
        The connected tables.
    attempt : Attempt
        From `new_attempt`.
    facts : dict
        The columns of `RunLog` that are known at the beginning.

    Returns
    -------
    bool
        Whether the job is ours now; False: another was faster, or it is not to run yet.
    """
    with database.connection.transaction:
        values = {
            "status": "reserved",
            "version": attempt.attempt_id,
            "host": facts["host"],
            "user": facts["account"],
            "pid": facts["pid"],
            "error_message": "",
        }
        is_ready = "status='pending' AND scheduled_time <= CURRENT_TIMESTAMP(3)"
        timed = "reserved_time=CURRENT_TIMESTAMP(3)"
        if not _update(database, attempt, values, is_ready, also=timed):
            return False
        row = {"attempt_id": attempt.attempt_id, "worker_id": attempt.worker_id}
        named = {"step": attempt.step, "key_hash": key_hash(attempt.step, attempt.key)}
        database.worker.RunLog().insert1(
            {**facts, **row, **named, "job_key": {k: str(v) for k, v in attempt.key.items()}}
        )
    return True


def hold(database: Database, attempt: Attempt) -> None:
    """Make sure, inside a transaction, that the job is ours until the transaction ends.

    The server gives up a transaction that falls silent: a machine that vanishes cuts no connection,
    and would hold the job for hours.

    Raises
    ------
    Lost
        If it was given to another, or aborted.
    """
    jobs = database.jobs(attempt.step)
    if jobs.adapter.backend == "mysql":
        database.connection.query(f"SET SESSION wait_timeout = {SILENCE_S}")
    else:
        limit = f"SET LOCAL idle_in_transaction_session_timeout = '{SILENCE_S}s'"
        database.connection.query(limit)
    where, values = where_key(jobs, attempt.key)
    query = (
        f"SELECT 1 FROM {jobs.full_table_name} "
        f"WHERE {where} AND status='reserved' AND version=%s FOR UPDATE"
    )
    if not database.connection.query(query, args=(*values, attempt.attempt_id)).fetchall():
        raise Lost(f"the job of {attempt.step} was given to another worker or aborted.")


def complete(database: Database, attempt: Attempt, usage: Usage) -> None:
    """Take the job off the queue and say so in the history, in the transaction of its result.

    Raises
    ------
    Lost
        If it is not ours any more.
    """
    jobs = database.jobs(attempt.step)
    where, values = where_key(jobs, attempt.key)
    query = f"DELETE FROM {jobs.full_table_name} WHERE {where} AND status='reserved' AND version=%s"
    cursor = database.connection.query(query, args=(*values, attempt.attempt_id))
    if cursor.rowcount != 1:
        raise Lost(f"the job of {attempt.step} was given to another worker or aborted.")
    _close(database, attempt, {"outcome": "done", **asdict(usage)})


def end(database: Database, attempt: Attempt, ending: Ending, usage: Usage | None = None) -> bool:
    """End an attempt that has no result.

    Parameters
    ----------
    database : Database
        The connected tables.
    attempt : Attempt
        The reserved job.
    ending : Ending
        How it ended, and what the job is now.
    usage : Usage or None
        What it took, where that is known.

    Returns
    -------
    bool
        Whether the job was still ours; where it was not, nothing is changed.
    """
    is_error = ending.job_status == "error"
    values = {
        "status": ending.job_status,
        "version": "" if not is_error else attempt.attempt_id,
        "error_message": ending.reason[:MESSAGE_LENGTH] if is_error else "",
    }
    was = "status='reserved' AND version=%s"
    with database.connection.transaction:
        timed = "completed_time=CURRENT_TIMESTAMP(3)"
        if not _update(database, attempt, values, was, attempt.attempt_id, also=timed):
            return False
        row = {
            "outcome": ending.outcome,
            "reason": ending.reason[:MESSAGE_LENGTH],
            "ended_by_signal": ending.ended_by_signal,
            **asdict(usage or Usage()),
        }
        _close(database, attempt, row)
        if ending.traceback is not None:
            story = {"attempt_id": attempt.attempt_id, "traceback": ending.traceback}
            database.worker.RunLog().update1(story)
        if is_error:
            jobs = database.jobs(attempt.step)
            jobs.update1({**attempt.key, "error_stack": ending.traceback})
    return True


def outcome(database: Database, attempt: Attempt) -> str:
    """Return what the history says of an attempt; ``""``: nothing."""
    found = (database.worker.RunLog() & {"attempt_id": attempt.attempt_id}).to_dicts()
    return str(found[0]["outcome"]) if found else ""


def deaths(database: Database, attempt: Attempt) -> int:
    """Return how many attempts at a job took their process with them since it was last retried."""
    jobs = database.jobs(attempt.step)
    where, values = where_key(jobs, attempt.key)
    query = (
        f"SELECT COUNT(*) FROM {database.worker.RunLog().full_table_name} "
        f"WHERE key_hash=%s AND outcome IN {DEADLY} "
        f"AND started >= (SELECT created_time FROM {jobs.full_table_name} WHERE {where})"
    )
    args = (key_hash(attempt.step, attempt.key), *values)
    return int(database.connection.query(query, args=args).fetchone()[0])


def where_key(jobs: Any, key: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the condition that chooses one job, and its values."""
    quote = jobs.adapter.quote_identifier
    names = jobs.primary_key
    return " AND ".join(f"{quote(name)}=%s" for name in names), tuple(key[name] for name in names)


def _update(
    database: Database,
    attempt: Attempt,
    values: dict[str, Any],
    was: str,
    *was_values: Any,
    also: str,
) -> bool:
    """Change the job where it is in the state it was; return whether it was."""
    jobs = database.jobs(attempt.step)
    quote = jobs.adapter.quote_identifier
    changes = ", ".join(f"{quote(name)}=%s" for name in values)
    where, key = where_key(jobs, attempt.key)
    query = f"UPDATE {jobs.full_table_name} SET {changes}, {also} WHERE {where} AND {was}"
    cursor = database.connection.query(query, args=(*values.values(), *key, *was_values))
    return bool(cursor.rowcount == 1)


def _close(database: Database, attempt: Attempt, row: dict[str, Any]) -> None:
    """Write the end of an attempt into the history."""
    changes = ", ".join(f"{name}=%s" for name in row)
    query = (
        f"UPDATE {database.worker.RunLog().full_table_name} "
        f"SET {changes}, ended=CURRENT_TIMESTAMP(3) WHERE attempt_id=%s AND outcome='running'"
    )
    database.connection.query(query, args=(*row.values(), attempt.attempt_id))
