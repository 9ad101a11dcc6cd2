"""The worker's side of the nursery: it begins children, signals them, and hears of their end."""

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import populate_workers
from populate_workers.attempt import Attempt

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
ONE_STOCK = "MALLOC_ARENA_MAX"
"""How many stocks of free memory the C library of Linux may keep."""

NURSERY = "populate_workers.nursery"
RECEIVE_BYTES = 65_536


class Children:
    """Starts the nursery of a project folder and talks with it."""

    def __init__(self, folder: Path, nursery: str = NURSERY) -> None:
        ours, theirs = socket.socketpair()
        self._channel = ours
        root = str(Path(populate_workers.__file__).parents[1])
        environment = {
            **os.environ,
            # a library's threads do not survive the splitting, and wait by turning in circles;
            # our own work on blocks instead, with the same bits whatever their number
            **dict.fromkeys(ONE_THREAD, "1"),
            # in stocks of their own, threads would keep what they no longer use
            ONE_STOCK: os.environ.get(ONE_STOCK, "1"),
            "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        }
        self.command = [sys.executable, "-P", "-m", nursery]
        with theirs:
            self._process = subprocess.Popen(
                [*self.command, str(theirs.fileno()), str(folder)],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the worker alone
            )
        self._rest = b""

    def begin(self, attempt: Attempt, log: Path) -> bool:
        """Split off a child for a reserved job; return whether the nursery was there."""
        order = {
            "attempt_id": attempt.attempt_id,
            "step": attempt.step,
            "key": attempt.key,
            "worker_id": attempt.worker_id,
            "log": str(log),
        }
        return self._tell(order)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a child that is still there."""
        self._tell({"pid": pid, "signal": number})

    def events(self, wait_s: float, also: int) -> tuple[list[dict[str, Any]], bool]:
        """Wait for news of children, or of a file descriptor.

        Parameters
        ----------
        wait_s : float
            How long.
        also : int
            A file descriptor that ends the waiting.

        Returns
        -------
        tuple
            The news, and whether the nursery is still there.
        """
        ready, _, _ = select.select([self._channel, also], [], [], max(0.0, wait_s))
        if self._channel not in ready:
            return [], True
        try:
            received = self._channel.recv(RECEIVE_BYTES)
        except ConnectionError:
            received = b""
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines], bool(received)

    def close(self) -> None:
        """End the nursery, and with it whatever children are left."""
        self._channel.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, what: dict[str, Any]) -> bool:
        try:
            self._channel.sendall(json.dumps(what).encode() + b"\n")
        except (BrokenPipeError, ConnectionError):
            return False
        return True
