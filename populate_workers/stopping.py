"""Signals that ask a process to stop, as something that can be waited for."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def signals_as_reads(stop: Callable[[], None]) -> Iterator[int]:
    """Yield a file descriptor that can be read once a signal to stop has come."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)

    def handle(*_: object) -> None:
        stop()
        with contextlib.suppress(BlockingIOError):
            os.write(wake, b".")

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield woken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(wake)
