"""The jobs that wait, the workers that live, and what was tried."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from apps.queries.keys import RECORDING, Key
from populate_workers.wishes import Wish, wished
from schemas.connection import Database

LOG_TAIL_CHARACTERS = 20_000


def queued(database: Database) -> pd.DataFrame:
    """List the jobs that wait, in the order of the steps.

    Those that a ``populate()`` of DataJoint's own runs come first; nothing more is known of them.
    """
    about = ["parameters", "priority", "not_before", "since", "host", "pid", "key"]
    columns = ["step", "state", *RECORDING, *about]
    ahead = _ahead(database)
    names, wishes = _parameter_names(database), wished(database)
    rows = []
    for step, table in database.steps():
        for state, job in _open_jobs(table(), database.jobs(step)):
            label = next((names[value] for value in job.values() if value in names), "")
            key = {name: job[name] for name in table().primary_key}
            wish = wishes.get((step, frozenset(key.items())), Wish())
            said = {"step": step, "state": state, "parameters": label, "key": key}
            begins = job.get("not_before", wish.not_before)
            said["not_before"] = _later(begins, ahead)
            rows.append({"priority": wish.priority, **job, **said})
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"pid": "Int64", "priority": "Int64", "not_before": "datetime64[us]"}
    return table.astype(kinds)


def _ahead(database: Database) -> timedelta:
    """Return how far the clock of this machine is ahead of the server's, its zone included."""
    (theirs,) = database.connection.query("SELECT CURRENT_TIMESTAMP(3)").fetchone()
    return datetime.now() - theirs.replace(tzinfo=None)


def _later(moment: datetime | None, ahead: timedelta) -> datetime | None:
    """Return a time of the server by the clock of this machine; None: it is over."""
    if moment is None or moment + ahead <= datetime.now():
        return None
    return (moment + ahead).replace(microsecond=0)


def _open_jobs(table: Any, jobs: Any) -> Iterable[tuple[str, Key]]:
    """Yield the jobs of a step that run elsewhere, then those that wait, with their state."""
    running = (jobs.reserved & {"version": ""}).proj("host", "pid", since="reserved_time")
    yield from (("running", job) for job in running.to_dicts(order_by="since"))
    (parent,) = table.parents(primary=True, as_objects=True)
    names = jobs.primary_key
    pending = jobs.pending.proj("priority", not_before="scheduled_time")
    waiting = {
        tuple(row[name] for name in names): row
        for row in pending.to_dicts(order_by="priority, not_before")
    }
    elsewhere = jobs & "status in ('reserved', 'error', 'ignore')"
    taken = {tuple(key.values()) for query in (table, elsewhere) for key in query.proj().to_dicts()}
    yield from (("pending", row) for row in waiting.values())
    for key in parent.proj().to_dicts():
        if tuple(key.values()) not in taken and tuple(key[name] for name in names) not in waiting:
            yield "pending", key


def workers(database: Database) -> pd.DataFrame:
    """List the workers that live."""
    table = database.worker.Worker()
    columns = ["host", "account", "slots", "started", "beat", "says"]
    rows = table.proj(*columns).to_dicts(order_by="host, started")
    return pd.DataFrame(rows, columns=columns)


def history(database: Database, limit: int = 100) -> pd.DataFrame:
    """List the newest attempts at jobs, whatever became of them."""
    columns = ["step", *RECORDING, "outcome", "started", "duration_s", "peak_memory_mb", "cpu_s"]
    kept = ("step", "job_key", "outcome", "started", "ended", "peak_memory_bytes", "cpu_s", "host")
    found = database.worker.RunLog().proj(*kept, "reason", "log", "log_pruned")
    rows = found.to_dicts(order_by="started DESC", limit=limit)
    for row in rows:
        row.update(row["job_key"])
        row["peak_memory_mb"] = row["peak_memory_bytes"] and row["peak_memory_bytes"] / 1e6
        row["duration_s"] = row["ended"] and (row["ended"] - row["started"]).total_seconds()
    return pd.DataFrame(rows, columns=[*columns, "host", "reason", "log", "log_pruned"])


def log_words(database: Database, attempt: Mapping[str, Any]) -> str:
    """Return the end of the log of an attempt of the `history`, or why it is not here."""
    if not pd.isna(attempt["log_pruned"]):
        return f"It was removed on {attempt['log_pruned']:%Y-%m-%d}, because it was old."
    nowhere = f"It is not here: it is on {attempt['host']}, or the job ran without one."
    return log_tail(database, attempt["log"]) or nowhere


def log_tail(database: Database, log: str) -> str:
    """Return the end of a job's log; "": it is on another machine."""
    folder = (database.settings.folder / "logs").resolve()
    path = (database.settings.folder / log).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return ""
    return path.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


def _parameter_names(database: Database) -> dict[str, str]:
    """Return the names of parameter sets and of nodes, by the hash in the key of a task."""
    motion = database.motion.MotionParams().proj("name").to_dicts()
    tasks = database.roi.SegmentationTask().proj("segmentation_hash")
    segmentation = (tasks * database.roi.SegmentationParams.proj("name")).to_dicts()
    names = {row["motion_hash"]: row["name"] for row in motion}
    names |= {row["segmentation_id"]: row["name"] for row in segmentation}
    nodes = database.analysis.NodeTask.proj("node").to_dicts()
    return names | {row["result_key"]: row["node"] for row in nodes}
