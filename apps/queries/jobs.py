"""The jobs that run or wait."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from apps.queries.keys import RECORDING, Key
from schemas.connection import Database


def queued(database: Database) -> pd.DataFrame:
    """List the jobs that run or wait, in the order of the steps, the running ones first."""
    columns = ["step", "state", *RECORDING, "parameters", "since", "host", "pid"]
    names = _parameter_names(database)
    rows = []
    for step, table in database.steps():
        for state, job in _open_jobs(table()):
            label = next((names[value] for value in job.values() if value in names), "")
            rows.append({**job, "step": step, "state": state, "parameters": label})
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"pid": "Int64"})


def _open_jobs(table: Any) -> Iterable[tuple[str, Key]]:
    """Yield the jobs of a step that run, then those that wait, with their state."""
    jobs = table.jobs
    running = jobs.reserved.proj("host", "pid", since="reserved_time")
    yield from (("running", job) for job in running.to_dicts(order_by="since"))
    (parent,) = table.parents(primary=True, as_objects=True)
    elsewhere = jobs & "status in ('reserved', 'error', 'ignore')"
    taken = {tuple(key.values()) for query in (table, elsewhere) for key in query.proj().to_dicts()}
    asked = parent.proj().to_dicts()
    yield from (("pending", key) for key in asked if tuple(key.values()) not in taken)


def _parameter_names(database: Database) -> dict[str, str]:
    """Return the names of parameter sets, by the hash in the key of a task."""
    motion = database.motion.MotionParams().proj("name").to_dicts()
    tasks = database.roi.SegmentationTask().proj("segmentation_hash")
    segmentation = (tasks * database.roi.SegmentationParams.proj("name")).to_dicts()
    names = {row["motion_hash"]: row["name"] for row in motion}
    return names | {row["segmentation_id"]: row["name"] for row in segmentation}
