"""How the workers of a project behave: ``[workers]`` of ``mesmerize.toml``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.checks import check_in_range

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What workers keep to."""

    memory_bytes: int | None = None
    """Memory for all jobs of a machine together; None: most of what it has."""

    beat_s: float = 10.0
    """Time between signs of life, in seconds."""

    kills: int = 3
    """Number of times that a job may end its process before it is an error."""

    patience_s: float = 600.0
    """How long a finished job waits for a server that is away, in seconds."""

    time_limit_s: float = math.inf
    """How long a job may take, in seconds."""

    def __post_init__(self) -> None:
        check_in_range("workers.beat_s", self.beat_s, 0.05, 3600)
        check_in_range("workers.kills", self.kills, 1, 1000)
        check_in_range("workers.patience_s", self.patience_s, 0, 1e6)
        check_in_range("workers.time_limit_s", self.time_limit_s, 1e-3, math.inf)


def parse_workers(values: Mapping[str, Any]) -> WorkerSettings:
    """Make the settings of workers of their table."""
    given = dict(values)
    if "memory_mb" in given:
        check_in_range("workers.memory_mb", given["memory_mb"], 100, 1e7)
        given["memory_bytes"] = int(given.pop("memory_mb") * MEGABYTE)
    return WorkerSettings(**given)
