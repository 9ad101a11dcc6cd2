"""What a worker is to do, and its places for one job at a time."""

import math
import time
from dataclasses import dataclass, field

from populate_workers.attempt import Attempt, Ending
from populate_workers.budget import Need
from populate_workers.children import NURSERY


@dataclass(frozen=True, kw_only=True)
class Duty:
    """What a worker is to do."""

    processes: int = 1
    """Jobs at once."""

    until_done: bool = False
    """Whether it ends when nothing is left, also for others."""

    limit_s: float = math.inf
    """How long it may work, in seconds."""

    nursery: str = NURSERY
    """The module that begins its processes."""


@dataclass(kw_only=True)
class Slot:
    """A running job."""

    attempt: Attempt
    need: Need
    began: float = field(default_factory=time.monotonic)
    pid: int | None = None
    """None: it is just being begun."""

    kill_at: float | None = None
    """When it is ended by force; None: it may go on."""

    ending: Ending | None = None
    """Why we end it."""
