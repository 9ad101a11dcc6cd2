"""A place for one job at a time in a worker."""

import time
from dataclasses import dataclass, field

from populate_workers.attempt import Attempt, Ending
from populate_workers.budget import Need


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
