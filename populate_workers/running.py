"""What runs now, where, since when, and how far it is."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.connection import Database


class Running(NamedTuple):
    """A job that runs."""

    step: str
    key: dict[str, Any]
    host: str
    """Name of the machine."""

    account: str
    """Who started the worker."""

    since: datetime
    """When it began, of the server's clock."""

    elapsed_s: float
    phase: str
    """What it does just now; "": it has not said so yet."""

    fraction: float | None
    """How much of the phase is done, 0 to 1."""

    rate_hz: float | None
    """Units of the phase (mostly frames) per second."""

    left_s: float | None
    """Time until the phase is expected to end, in seconds."""

    log: str
    """The log file, relative to the project folder."""

    @property
    def expected_end(self) -> datetime | None:
        """Return when the phase is expected to end, of the server's clock."""
        if self.left_s is None:
            return None
        return self.since + timedelta(seconds=self.elapsed_s + self.left_s)

    def words(self) -> str:
        """Return the progress in words: phase, percent, rate, time that is left."""
        if self.fraction is None:
            return self.phase
        words = [f"{self.phase} {100 * self.fraction:.0f} %"]
        if self.rate_hz is not None:
            words.append(f"{self.rate_hz:,.0f}/s")
        if self.left_s is not None:
            words.append(f"{timedelta(seconds=round(self.left_s))} left")
        return ", ".join(words)


def running(database: Database, worker_id: str | None = None) -> list[Running]:
    """List the jobs that run, the oldest first; of one worker, or of all."""
    of = {"outcome": "running"} | ({"worker_id": worker_id} if worker_id else {})
    rows = (database.worker.RunLog() & of).to_dicts(order_by="started")
    if not rows:
        return []
    (now,) = database.connection.query("SELECT CURRENT_TIMESTAMP(3)").fetchone()
    return [_running(row, now.replace(tzinfo=None)) for row in rows]


def _running(row: dict[str, Any], now: datetime) -> Running:
    fraction = left_s = None
    rate_hz = row["phase_rate_hz"]
    if row["phase_total"]:
        fraction = row["phase_done"] / row["phase_total"]
        if rate_hz:
            left_s = (row["phase_total"] - row["phase_done"]) / rate_hz
    return Running(
        step=row["step"],
        key=row["job_key"],
        host=row["host"],
        account=row["account"],
        since=row["started"],
        elapsed_s=(now - row["started"]).total_seconds(),
        phase=row["phase"],
        fraction=fraction,
        rate_hz=rate_hz,
        left_s=left_s,
        log=row["log"],
    )
