"""What this machine gives a computation; none of it changes a result."""

from contextvars import ContextVar
from dataclasses import dataclass

from pipeline.blocks import Progress, no_progress
from schemas.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Folders, threads, memory and progress of the running job."""

    settings: Settings
    """Where the data roots and the store are on this machine, and what a job may use."""

    progress: Progress = no_progress
    """Told the phase, what is done and what there is to do."""

    attempt_id: str = ""
    """Of the worker's attempt that computes: what it makes aside in the store is its own, and is
    cleared away at its end."""

    def as_arguments(self) -> dict[str, object]:
        """Return the keyword arguments that the long steps of `pipeline` share."""
        return {
            "threads": self.settings.threads,
            "memory_bytes": self.settings.memory_bytes,
            "progress": self.progress,
        }


RESOURCES: ContextVar[Resources] = ContextVar("resources")
"""Set by `schemas.connection.connect`; a worker adds its progress."""
