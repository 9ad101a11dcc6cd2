"""How often somebody may try to sign in: after some failures, each one costs a longer wait."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

FREE = {"account": 5, "address": 20}
"""Failures without a wait; many people may share an address."""

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
FORGOTTEN_S = 3600.0
MOST_KEPT = 10_000


@dataclass
class Record:
    """What is known of an account or an address."""

    failures: int
    """Attempts that failed, or whose end is not known yet."""

    last_s: float
    """When the last one was made."""


class Attempts:
    """The failures of the last hour, by account and by address, of all sessions together.

    An attempt counts as a failure from its beginning, so that many at once are no way around it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()

    def begin(self, account: str, address: str) -> float:
        """Count an attempt; or return for how many seconds none may be made.

        Parameters
        ----------
        account : str
            Who wants to sign in.
        address : str
            Where from.
        """
        with self._lock:
            now = self._clock()
            keys = (("account", account), ("address", address))
            wait_s = max(self._wait_s(key, now) for key in keys)
            if wait_s <= 0:
                for key in keys:
                    self._count(key, now)
            return wait_s

    def succeeded(self, account: str, address: str) -> None:
        """Take back what `begin` has counted, and forget the failures of the account.

        Parameters
        ----------
        account : str
            Who has signed in.
        address : str
            Where from.
        """
        with self._lock:
            self._records.pop(("account", account), None)
            record = self._records.get(("address", address))
            if record:
                record.failures -= 1

    def _wait_s(self, key: tuple[str, str], now: float) -> float:
        """Return how long nobody may try, in seconds; 0 or less: now."""
        record = self._records.get(key)
        if record is None or now - record.last_s > FORGOTTEN_S:
            self._records.pop(key, None)
            return 0.0
        over = record.failures - FREE[key[0]]
        if over < 0:
            return 0.0
        pause_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(over, 30))
        return record.last_s + pause_s - now

    def _count(self, key: tuple[str, str], now: float) -> None:
        record = self._records.setdefault(key, Record(0, now))
        record.failures += 1
        record.last_s = now
        self._records.move_to_end(key)
        while len(self._records) > MOST_KEPT:
            self._records.popitem(last=False)
