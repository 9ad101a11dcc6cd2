"""The job queue of every step: its states are queries, its transitions are verbs."""

import os
import platform
from typing import Any, NamedTuple

from schemas.connection import Database
from schemas.settings import ProjectError

SENTENCES = ("ProjectError", "ValueError")
"""Errors whose text is a sentence for a person."""

STATES = ("pending", "reserved", "done", "error")


class Failure(NamedTuple):
    """A job that ended in error."""

    step: str
    """Name of the step."""

    key: dict[str, Any]
    """What was to be computed."""

    message: str
    """The reason, in one sentence where it is one of ours."""

    traceback: str
    """The whole story, for a bug report."""

    when: Any
    """Time of the failure, of the server's clock."""

    host: str
    """The machine that ran it."""


def progress(database: Database) -> dict[str, dict[str, int]]:
    """Count the jobs of every step by state.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    dict
        For each step in the order of dependency, the number of jobs that are ``pending`` (those
        that wait for an earlier step included), ``reserved`` (running), ``done`` and ``error``.
    """
    return {step: _count(table()) for step, table in database.steps()}


def _count(table: Any) -> dict[str, int]:
    jobs = table.jobs.progress()
    done = len(table)
    (parent,) = table.parents(primary=True, as_objects=True)
    open_jobs = len(parent) - done - jobs["reserved"] - jobs["error"] - jobs["ignore"]
    counts = (max(0, open_jobs), jobs["reserved"], done, jobs["error"])
    return dict(zip(STATES, counts, strict=True))


def failures(database: Database) -> list[Failure]:
    """List the jobs that ended in error, the newest first."""
    found = []
    for step, table in database.steps():
        jobs = table().jobs
        for row in jobs.errors.to_dicts():
            key = {name: row[name] for name in jobs.primary_key}
            story = row["error_stack"] or ""
            found.append(
                Failure(step, key, _reason(row), story, row["completed_time"], row["host"])
            )
    return sorted(found, key=lambda failure: failure.when, reverse=True)


def _reason(row: dict[str, Any]) -> str:
    """Return why a job failed: our own sentences as they are, others with the error's name."""
    kind, _, sentence = row["error_message"].partition(": ")
    return sentence if sentence and kind in SENTENCES else str(row["error_message"])


def retry(database: Database, step: str | None = None, key: dict[str, Any] | None = None) -> int:
    """Put failed jobs back to pending.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str
        Name of a step; None: all.
    key : dict
        Key of one job, or of several; None: all.

    Returns
    -------
    int
        Number of jobs put back.

    Raises
    ------
    ProjectError
        If there is no such step.
    """
    steps = dict(database.steps())
    if step is not None and step not in steps:
        raise ProjectError(f"there is no step {step!r}; the steps are: {', '.join(steps)}.")
    chosen = steps if step is None else {step: steps[step]}
    return sum(_put_back(table().jobs.errors & (key or {})) for table in chosen.values())


def free_dead(table: Any) -> int:
    """Put back the jobs whose process on this machine is gone; return how many."""
    here = table.jobs.reserved & {"host": platform.node()}
    dead = [row for row in here.to_dicts() if not _alive(row["pid"])]
    names = table.jobs.primary_key
    return sum(_put_back(here & {name: row[name] for name in names}) for row in dead)


def release(table: Any, key: dict[str, Any]) -> None:
    """Put back a job that was stopped before its end."""
    _put_back(table.jobs & key & "status in ('reserved', 'error')")


def _put_back(jobs: Any) -> int:
    """Take jobs off the queue; the next refresh queues them anew as pending."""
    return int(jobs.delete_quick(get_count=True))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives and is another user's
        return True
    return True
