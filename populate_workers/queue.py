"""The job queue of every step: its states are queries, its transitions are verbs."""

from typing import Any, NamedTuple

from populate_workers.attempt import Ending, end
from populate_workers.liveness import account, running_attempts
from populate_workers.taking import ALL, refresh
from schemas.connection import Database
from schemas.settings import ProjectError

SENTENCES = ("ProjectError", "ValueError")
"""Errors whose text is a sentence for a person, where DataJoint itself wrote them."""

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
    return {step: _count(database, step) for step, _ in database.steps()}


def _count(database: Database, step: str) -> dict[str, int]:
    table = database.step(step)()
    jobs = database.jobs(step).progress()
    done = len(table)
    (parent,) = table.parents(primary=True, as_objects=True)
    open_jobs = len(parent) - done - jobs["reserved"] - jobs["error"] - jobs["ignore"]
    counts = (max(0, open_jobs), jobs["reserved"], done, jobs["error"])
    return dict(zip(STATES, counts, strict=True))


def failures(database: Database) -> list[Failure]:
    """List the jobs that ended in error, the newest first."""
    found = []
    for step, _ in database.steps():
        jobs = database.jobs(step)
        for row in jobs.errors.to_dicts():
            key = {name: row[name] for name in jobs.primary_key}
            story = row["error_stack"] or ""
            found.append(
                Failure(step, key, _reason(row), story, row["completed_time"], row["host"])
            )
    return sorted(found, key=lambda failure: failure.when, reverse=True)


def _reason(row: dict[str, Any]) -> str:
    """Return why a job failed: sentences as they are, other errors with their names."""
    kind, _, sentence = row["error_message"].partition(": ")
    return sentence if sentence and kind in SENTENCES else str(row["error_message"])


def retry(
    database: Database,
    step: str | None = None,
    key: dict[str, Any] | None = None,
    *,
    containing: str = "",
) -> int:
    """Put failed jobs back to pending; how often they ended their process is forgotten.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str or None
        Name of a step; None: all.
    key : dict or None
        Key of one job, or of several; None: all.
    containing : str
        Only those whose reason contains this text.

    Returns
    -------
    int
        Number of jobs put back.
    """
    change = "status='pending', version='', error_message='', created_time=CURRENT_TIMESTAMP(3)"
    was = "status='error' AND POSITION(%s IN error_message) > 0"
    return change_jobs(database, step, key, f"SET {change}", was, containing)


def pause(database: Database, step: str | None = None) -> None:
    """Take no more jobs of a step, None: of any; what runs goes on."""
    row = {"step": known(database, step) or ALL, "account": account()}
    database.worker.Pause().insert1(row, skip_duplicates=True)


def resume(database: Database, step: str | None = None) -> int:
    """Take jobs of a step again, None: of all; return how many pauses have ended."""
    paused = database.worker.Pause()
    chosen = paused & {"step": known(database, step)} if step else paused
    return int(chosen.delete_quick(get_count=True))


def paused(database: Database) -> list[str]:
    """Return the steps that are paused; ``all`` stands for every step."""
    return [str(step) for step in database.worker.Pause().to_arrays("step")]


def abort(
    database: Database,
    step: str | None = None,
    key: dict[str, Any] | None = None,
    *,
    by: str | None = None,
) -> int:
    """End running jobs; they are errors then, and can be retried.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str or None
        Name of a step; None: all.
    key : dict or None
        Key of one job, or of several; None: all.
    by : str or None
        Who wants it; None: the account of this process.

    Returns
    -------
    int
        Number of jobs that ended; their processes end within seconds.
    """
    step = known(database, step)
    ending = Ending(outcome="aborted", reason=f"aborted by {by or account()}.")
    chosen = [
        attempt
        for attempt in running_attempts(database, {"step": step} if step else {})
        if not key
        or {name: str(value) for name, value in key.items()}.items() <= attempt.key.items()
    ]
    return sum(end(database, attempt, ending) for attempt in chosen) + _free_foreign(
        database, step, key
    )


def _free_foreign(database: Database, step: str | None, key: dict[str, Any] | None) -> int:
    """Put back what a ``populate()`` of DataJoint's own holds: its process cannot be told."""
    was = "status='reserved' AND version=''"
    return change_jobs(database, step, key, "SET status='pending'", was)


def ignore(database: Database, step: str | None = None, key: dict[str, Any] | None = None) -> int:
    """Leave jobs that wait or failed alone for good; return how many."""
    complete_queues(database, step)
    was = "status IN ('pending', 'error')"
    return change_jobs(database, step, key, "SET status='ignore'", was)


def heed(database: Database, step: str | None = None, key: dict[str, Any] | None = None) -> int:
    """Take ignored jobs back to pending; return how many."""
    return change_jobs(database, step, key, "SET status='pending', version=''", "status='ignore'")


def ignored(database: Database) -> int:
    """Return how many jobs are left alone for good."""
    return sum(len(database.jobs(step).ignored) for step, _ in database.steps())


def complete_queues(database: Database, step: str | None) -> None:
    """Give every job that is possible its place in the queue, so that it can be changed."""
    steps = [step for step, _ in database.steps()] if step is None else [step]
    refresh(database, [step for step in steps if known(database, step)])


def known(database: Database, step: str | None) -> str | None:
    """Return the name of a step, or refuse it."""
    steps = [name for name, _ in database.steps()]
    if step is not None and step not in steps:
        raise ProjectError(f"there is no step {step!r}; the steps are: {', '.join(steps)}.")
    return step


def steps_with(database: Database, step: str | None, key: dict[str, Any] | None) -> list[str]:
    """Return the steps that are chosen; what knows no animals is of none."""
    chosen = [name for name, _ in database.steps() if known(database, step) in (None, name)]
    return [name for name in chosen if set(key or {}) <= set(database.jobs(name).primary_key)]


def change_jobs(
    database: Database,
    step: str | None,
    key: dict[str, Any] | None,
    change: str,
    was: str,
    *values: Any,
) -> int:
    """Change the jobs that are chosen and in the state they were; return how many."""
    count = 0
    for name in steps_with(database, step, key):
        jobs = database.jobs(name)
        quote = jobs.adapter.quote_identifier
        columns = [column for column in jobs.primary_key if column in (key or {})]
        where = "".join(f" AND {quote(column)}=%s" for column in columns)
        query = f"UPDATE {jobs.full_table_name} {change} WHERE {was}{where}"
        args = (*values, *((key or {})[column] for column in columns))
        count += database.connection.query(query, args=args).rowcount
    return count
