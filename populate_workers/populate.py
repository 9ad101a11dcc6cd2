"""Filling the computed tables: one job after the other, in the order of dependency."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from populate_workers.queue import free_dead, progress, release
from schemas.connection import Database

POLL_S = 2.0


class Outcome(NamedTuple):
    """What became of one job."""

    step: str
    """Name of the step."""

    key: dict[str, Any]
    """What was computed."""

    duration_s: float
    """How long it took, in seconds."""

    error: str | None
    """Why it failed; None: it is done."""


Watch = Callable[[Outcome], None]


def populate(database: Database, *, until_done: bool = False, watch: Watch) -> None:
    """Compute what is to be computed.

    A job that fails stays in the queue with its reason and the others go on. When the process is
    interrupted, its job goes back to pending.

    Parameters
    ----------
    database : Database
        The connected tables.
    until_done : bool
        Wait for jobs that other processes run, and compute what they make possible.
    watch : callable
        Told the outcome of each job.
    """
    while True:
        ran = sum(_populate_step(step, table(), watch) for step, table in database.steps())
        if ran:
            continue
        if not until_done or not any(state["reserved"] for state in progress(database).values()):
            return
        time.sleep(POLL_S)


def _populate_step(step: str, table: Any, watch: Watch) -> int:
    """Run the jobs of a step that are ready; return how many this process ran."""
    free_dead(table)
    table.jobs.refresh(delay=-1)
    outcomes = 0
    for key in table.jobs.pending.keys(order_by="priority, scheduled_time"):
        outcome = _run(step, table, key)
        if outcome is not None:
            watch(outcome)
            outcomes += 1
    return outcomes


def _run(step: str, table: Any, key: dict[str, Any]) -> Outcome | None:
    """Run one job; None: another process was faster."""
    began = time.monotonic()
    try:
        result = table.populate(
            key,
            reserve_jobs=True,
            refresh=False,
            suppress_errors=True,
            return_exception_objects=True,
        )
    except SystemExit:
        release(table, key)
        raise
    seconds = time.monotonic() - began
    for _, error in result["error_list"]:
        if isinstance(error, KeyboardInterrupt):
            release(table, key)
            raise error
        if _was_outrun(error):
            release(table, key)
            table.jobs.refresh(key, delay=-1)
            return _run(step, table, key)
        return Outcome(step, key, seconds, str(error) or type(error).__name__)
    return Outcome(step, key, seconds, None) if result["success_count"] else None


def _was_outrun(error: BaseException) -> bool:
    """Return whether another worker stored the same array at the same moment.

    DataJoint 2.3 writes equal content through one temporary file: of two writers, one finds it
    gone.
    """
    return isinstance(error, FileNotFoundError) and str(error.filename).endswith(".saving")
