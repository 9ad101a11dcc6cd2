"""Progress of the running job: into its log, and at most once a second into the database."""

import contextlib
import logging
import threading
import time
from typing import Any, NamedTuple

from populate_workers.attempt import Attempt, Lost
from schemas.connection import open_connection
from schemas.settings import Settings

WRITE_EVERY_S = 1.0
LOG_EVERY_S = 10.0

logger = logging.getLogger(__name__)


class _Report(NamedTuple):
    """What a computation said of itself, and when."""

    phase: str
    done: int
    total: int
    at_s: float


def _rate_hz(began: _Report | None, now: _Report) -> float | None:
    """Return what was done a second since a phase began; None: nothing yet."""
    if began is None or began.phase != now.phase or now.at_s <= began.at_s:
        return None
    return (now.done - began.done) / (now.at_s - began.at_s) or None


class Reporter:
    """Called as ``report(phase, done, total)``; costs the computation nothing.

    A thread with a connection of its own writes, from the first second on, so that neither a slow
    server nor a short job is held up. It also learns there that the job was given away.
    """

    def __init__(self, settings: Settings, table: str, attempt: Attempt) -> None:
        self._settings = settings
        self._query = (
            f"UPDATE {table} SET phase=%s, phase_done=%s, phase_total=%s, phase_rate_hz=%s, "
            "progress_at=CURRENT_TIMESTAMP(3) WHERE attempt_id=%s AND outcome='running'"
        )
        self._attempt = attempt
        self._now: _Report | None = None
        self._began: _Report | None = None
        self._is_lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def __call__(self, phase: str, done: int, total: int) -> None:  # noqa: D102 see the class
        now = _Report(phase[:64], done, total, time.monotonic())
        if self._began is None or self._began.phase != now.phase or self._began.done > done:
            self._began = now
        self._now = now
        if self._is_lost:
            raise Lost(f"the job of {self._attempt.step} was given to another worker or aborted.")

    def close(self) -> None:
        """Report no more."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        connection: Any = None
        written, logged, logged_at = None, "", 0.0
        while not self._stop.wait(WRITE_EVERY_S):
            now = self._now
            if now is None or now == written:
                continue
            if now.phase != logged or time.monotonic() - logged_at > LOG_EVERY_S:
                logger.info("%s: %d of %d", *now[:3])
                logged, logged_at = now.phase, time.monotonic()
            try:
                connection = connection or open_connection(self._settings)
                self._write(connection, now)
                written = now
            except Exception as error:  # noqa: BLE001 every driver has its own tree of errors
                logger.debug("progress was not written: %s", error)
                connection = None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _write(self, connection: Any, now: _Report) -> None:
        args = (*now[:3], _rate_hz(self._began, now), self._attempt.attempt_id)
        self._is_lost |= connection.query(self._query, args=args, reconnect=False).rowcount == 0
