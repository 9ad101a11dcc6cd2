"""Logs of jobs that ended long ago: listed, then removed; the history itself stays."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.checks import check_in_range
from populate_workers.history import LOGS
from schemas.connection import Database

DAY_S = 86_400.0
ATTEMPT_LOG = re.compile(r"[0-9a-f]{32}\.log")
OF_CLUSTER = "slurm"
"""Folder in which a cluster keeps what its workers print."""

AT_ONCE = 1000


class OldLog(NamedTuple):
    """A log that nobody has written to for long."""

    path: Path
    """The file."""

    step: str
    """Of what; ``slurm``: what workers on a cluster printed."""

    size_bytes: int
    """What it takes."""

    age_s: float
    """Time since it was written to, in seconds."""


def find_old_logs(database: Database, *, older_than_s: float) -> list[OldLog]:
    """List the logs in the project folder that were last written to long ago.

    Parameters
    ----------
    database : Database
        The connected tables.
    older_than_s : float
        How long ago, in seconds.

    Returns
    -------
    list of OldLog
        The oldest first; without those of running jobs, however long they have said nothing.

    Raises
    ------
    ValueError
        If the time is negative.
    """
    check_in_range("the age of logs in seconds", older_than_s, 0, 1e10)
    running = database.worker.RunLog() & {"outcome": "running"}
    kept = set(running.to_arrays("attempt_id"))
    logs = _logs(database.settings.folder / LOGS)
    found = [log for log in logs if log.age_s > older_than_s and log.path.stem not in kept]
    return sorted(found, key=lambda log: -log.age_s)


def _logs(folder: Path) -> Iterator[OldLog]:
    """Yield the files of a folder of logs that this software, or a cluster, has written."""
    now_s = time.time()
    for path in sorted(folder.glob("*/*")):
        step = path.parent.name
        is_ours = step == OF_CLUSTER or ATTEMPT_LOG.fullmatch(path.name)
        if is_ours and path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):  # it went meanwhile
                facts = path.stat()
                yield OldLog(path, step, facts.st_size, now_s - facts.st_mtime)


def prune(database: Database, logs: list[OldLog]) -> int:
    """Remove logs, and say so in the history, whose rows stay.

    Parameters
    ----------
    database : Database
        The connected tables.
    logs : list of OldLog
        From `find_old_logs`.

    Returns
    -------
    int
        Bytes that are free again.

    Raises
    ------
    NotAllowed
        If this account may not change the history; then nothing is removed.
    OSError
        If a file cannot be removed.
    """
    table = database.worker.RunLog().full_table_name
    names = [log.path.stem for log in logs if log.step != OF_CLUSTER]
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        marks = ", ".join(["%s"] * len(some))
        database.connection.query(
            f"UPDATE {table} SET log_pruned=CURRENT_TIMESTAMP(3) WHERE attempt_id IN ({marks})",
            args=tuple(some),
        )
    for log in logs:
        log.path.unlink(missing_ok=True)
    return sum(log.size_bytes for log in logs)
