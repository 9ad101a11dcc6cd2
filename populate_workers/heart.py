"""Signs of life of a worker, over a connection of their own."""

import contextlib
import logging
import threading
from typing import Any

from schemas.connection import open_connection
from schemas.settings import Settings

logger = logging.getLogger(__name__)


class Heart:
    """A thread that shows that a worker lives, over a connection of its own."""

    def __init__(self, settings: Settings, table: str, worker_id: str) -> None:
        self.is_declared_dead = False
        self.is_beating = True
        self._settings = settings
        self._query = f"UPDATE {table} SET beat=CURRENT_TIMESTAMP(3) WHERE worker_id=%s"
        self._worker_id = worker_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        connection: Any = None
        while not self._stop.is_set():
            try:
                connection = connection or open_connection(self._settings)
                found = connection.query(self._query, args=(self._worker_id,), reconnect=False)
            except Exception as error:  # noqa: BLE001 every driver has its own tree of errors
                logger.debug("no sign of life: %s", error)
                connection, self.is_beating = _closed(connection), False
            else:
                self.is_beating = True
                self.is_declared_dead |= found.rowcount == 0
            beat_s = self._settings.workers.beat_s
            self._stop.wait(beat_s if self.is_beating else min(1.0, beat_s))
        _closed(connection)


def _closed(connection: Any) -> None:
    """Close a connection that may be broken."""
    if connection is not None:
        with contextlib.suppress(Exception):
            connection.close()
