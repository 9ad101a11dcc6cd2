"""What jobs need and what the machine has: a job waits until it fits."""

from typing import Any, NamedTuple

from populate_workers import machine
from schemas.connection import Database

FOR_JOBS = 0.85
"""The part of a machine's memory that jobs may take, unless the settings say how much."""


class Need(NamedTuple):
    """What a job takes."""

    memory_bytes: int
    disk_bytes: int


class Budget:
    """What this machine has for jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        given = database.settings.workers.memory_bytes
        self.memory_bytes = given or int(FOR_JOBS * machine.memory_bytes())

    def need(self, step: str, key: dict[str, Any]) -> Need:
        """Return what a job is estimated to take."""
        return Need(0, 0)

    def why_not(self, step: str, key: dict[str, Any], running: list[Need]) -> str:
        """Return why a job has to wait, or ""."""
        return ""
