"""How urgent jobs are, and when they begin: also those that wait for earlier steps."""

from datetime import datetime
from typing import Any

from populate_workers.queue import change_jobs, complete_queues, known, steps_with
from populate_workers.wishes import Key, Wish, as_keys, earlier, open_keys, wish, wished
from schemas.connection import Database
from schemas.settings import ProjectError

PRIORITIES = (-128, 127)
"""Of a job; the lower, the more urgent."""

USUAL = 5
"""What a new job has."""


def prioritise(
    database: Database, priority: int, step: str | None = None, key: dict[str, Any] | None = None
) -> int:
    """Change how urgent waiting jobs are; return how many.

    What they wait for becomes as urgent, where it was less so. A job that has to wait for an
    earlier step becomes so urgent as soon as it may run.

    Parameters
    ----------
    database : Database
        The connected tables.
    priority : int
        The lower, the more urgent; a new job has 5.
    step : str or None
        Name of a step; None: all.
    key : dict or None
        Key of one job, or of several; None: all.

    Raises
    ------
    ProjectError
        If the priority is out of range.
    """
    low, high = PRIORITIES
    if not low <= priority <= high:
        raise ProjectError(f"a priority must be between {low} and {high}; got {priority}.")
    known(database, step)
    complete_queues(database, None)  # what they wait for is to be there too
    chosen = _chosen(database, step, key)
    was = "status='pending' AND priority <> %s"
    count = change_jobs(database, step, key, f"SET priority={int(priority)}", was, priority)
    wanted = Wish(priority=priority)
    count += sum(wish(database, name, keys, wanted) for name, keys in chosen.items())
    for name, keys in earlier(database, chosen).items():
        _hurry(database, name, keys, priority)
    return count


def _chosen(
    database: Database, step: str | None, key: dict[str, Any] | None
) -> dict[str, set[Key]]:
    """Return what is to be computed and is chosen, by step."""
    steps = steps_with(database, step, key)
    return {name: open_keys(database, name, key) for name in steps}


def _hurry(database: Database, step: str, keys: set[Key], priority: int) -> None:
    """Make jobs as urgent as others that wait for them, where they are less so."""
    jobs = database.jobs(step)
    less = jobs.pending & f"priority > {int(priority)}"
    for key in as_keys(less.proj().to_dicts()) & keys:
        was = "status='pending' AND priority > %s"
        change_jobs(database, step, dict(key), f"SET priority={int(priority)}", was, priority)
    before = wished(database)
    wishes = {key: before.get((step, key), Wish()).priority for key in keys}
    later = {key for key, was in wishes.items() if (USUAL if was is None else was) > priority}
    wish(database, step, later, Wish(priority=priority))


def schedule(
    database: Database, when: datetime, step: str | None = None, key: dict[str, Any] | None = None
) -> int:
    """Let waiting jobs begin no earlier than at a time; return how many.

    That holds too for a job that has to wait for an earlier step; the earlier step goes on.

    Parameters
    ----------
    database : Database
        The connected tables.
    when : datetime
        Of this machine's clock; now or earlier: as soon as a worker is free.
    step : str or None
        Name of a step; None: all.
    key : dict or None
        Key of one job, or of several; None: all.
    """
    known(database, step)
    complete_queues(database, step)
    wait_s = max(0.0, (when - datetime.now(when.tzinfo)).total_seconds())
    ahead = database.connection.adapter.interval_expr(round(wait_s, 3), "second")
    time = f"CURRENT_TIMESTAMP(3) + {ahead}"
    (moment,) = database.connection.query(f"SELECT {time}").fetchone()
    wanted = Wish(not_before=moment.replace(tzinfo=None))
    chosen = _chosen(database, step, key)
    count = sum(wish(database, name, keys, wanted) for name, keys in chosen.items())
    change = f"SET scheduled_time = {time}"
    return count + change_jobs(database, step, key, change, "status='pending'")
