"""The time that a cluster gives a worker: near its end no job is begun that would not end."""

import math
import os
import time

from populate_workers.budget import Refusal
from schemas.connection import Database

END_VARIABLE = "SLURM_JOB_END_TIME"
"""Where Slurm tells the end of its job, in seconds since 1970."""

LAST_S = 30.0
"""So long before its end a worker stops, and puts back what runs."""

UNKNOWN_PART = 0.25
"""The part of the whole time that a job may take that was never computed before."""

READ_EVERY_S = 2.0
"""How long it is taken for known how long a step takes."""

LATEST = 50
"""Attempts at a step that tell how long it takes."""


class TimeLimit:
    """How long a worker may work."""

    def __init__(self, database: Database, limit_s: float = math.inf) -> None:
        self._database = database
        told = os.environ.get(END_VARIABLE, "")
        left_s = float(told) - time.time() if told.isdecimal() else math.inf
        self._limit_s = min(limit_s, left_s)
        self._ends = time.monotonic() + self._limit_s
        self._known: dict[str, tuple[float, float]] = {}

    def left_s(self) -> float:
        """Return how long there is until the worker has to stop, in seconds."""
        return self._ends - LAST_S - time.monotonic()

    def why_not(self, step: str) -> Refusal | None:
        """Return why a job of a step is not begun any more, or None: it can be."""
        if self._limit_s == math.inf or self._expected_s(step) <= self.left_s():
            return None
        reason = f"{step} might not end before the time limit of this worker."
        return Refusal(reason, is_final=False)

    def _expected_s(self, step: str) -> float:
        """Return how long a job of a step may take; that is asked once for all that wait."""
        read_at, seconds = self._known.get(step, (-math.inf, 0.0))
        if time.monotonic() - read_at > READ_EVERY_S:
            seconds = self._longest_s(step)
            self._known[step] = time.monotonic(), seconds
        return seconds

    def _longest_s(self, step: str) -> float:
        """Return how long the longest of the latest jobs of a step took."""
        log = self._database.worker.RunLog() & {"step": step, "outcome": "done"}
        rows = log.proj("started", "ended").to_dicts(order_by="started DESC", limit=LATEST)
        took = [(row["ended"] - row["started"]).total_seconds() for row in rows]
        return max(took, default=UNKNOWN_PART * self._limit_s)
