"""A process that is ready to compute and has begun nothing: for each job it splits off a child.

A child begins in milliseconds, because everything is imported and the tables are known. The
nursery itself never starts a thread, so that splitting is safe, and is a program of its own, so
that nothing of the process that started it comes along. When the worker dies, the nursery ends;
when the nursery dies, its children end.
"""

import gc
import json
import os
import selectors
import signal
import socket
import ssl
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAUSE_S = 0.5
RECEIVE_BYTES = 65_536
UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class Nursery:
    """Splits off children, passes signals on to them, and tells how they ended."""

    def __init__(self, channel: socket.socket, database: Any, run: Callable[..., int]) -> None:
        self._channel = channel
        self._run = run
        self._database = database
        self._children: set[int] = set()
        self._alive, self._alive_end = os.pipe()  # our end closes when we are gone
        self._woken, wake = socket.socketpair()
        os.set_blocking(wake.fileno(), False)  # noqa: FBT003 the system's own signature
        signal.set_wakeup_fd(wake.fileno())
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._rest = b""

    def serve(self) -> None:
        """Work until the worker is gone; then the children end as well."""
        selector = selectors.DefaultSelector()
        selector.register(self._channel, selectors.EVENT_READ)
        selector.register(self._woken, selectors.EVENT_READ)
        while True:
            for found, _ in selector.select():
                if found.fileobj is self._woken:
                    self._woken.recv(RECEIVE_BYTES)
                    self._tell_ends()
                elif not self._receive():
                    for pid in self._children:
                        os.kill(pid, signal.SIGKILL)
                    return

    def _receive(self) -> bool:
        """Do what the worker asks; return whether it is still there."""
        try:
            received = self._channel.recv(RECEIVE_BYTES)
        except ConnectionError:
            return False
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "signal" in order:
                if order["pid"] in self._children:
                    os.kill(order["pid"], order["signal"])
            else:
                self._split_off(order)
        return bool(received)

    def _split_off(self, order: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_child(order)
        self._children.add(pid)
        self._tell({"started": order["attempt_id"], "pid": pid})

    def _become_child(self, order: dict[str, Any]) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._alive_end)
            for end in (self._channel, self._woken, self._wake):
                end.close()
            code = self._run(self._database, order, alive=self._alive)
        finally:
            os._exit(code)  # nothing of the nursery's is to be tidied up here

    def _tell_ends(self) -> None:
        """Tell which children have ended, how, and what they took."""
        for pid in list(self._children):
            ended, status, used = os.wait4(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                cpu_s = used.ru_utime + used.ru_stime
                memory = used.ru_maxrss * UNIT_BYTES
                self._tell({"ended": pid, "status": status, "memory": memory, "cpu_s": cpu_s})

    def _tell(self, what: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(what).encode() + b"\n")


def warm(database: Any) -> None:
    """Learn of every table what each child would have to ask for."""
    for step, table in database.steps():
        for found in (table(), database.jobs(step), *table().parts(as_objects=True)):
            _ = found.heading.attributes
        _ = database.jobs(step).target.key_source.heading.attributes
    for found in (database.worker.RunLog(), database.worker.Worker()):
        _ = found.heading.attributes
    database.connection.dependencies.load()
    _share_tls(database.connection)


def _share_tls(connection: Any) -> None:
    """Make what MySQL's driver makes for each encrypted connection, where nothing is configured.

    It reads all certificates of the system each time, 40 ms, to check none.
    """
    if connection.adapter.backend == "mysql" and connection.conn_info.get("ssl") is True:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection.conn_info["ssl"] = context


def _connected(folder: Path) -> Any:
    """Connect to a project and learn its tables, again when the server goes away meanwhile."""
    from schemas.connection import connect
    from schemas.settings import load_settings

    settings = load_settings(folder)
    ends = time.monotonic() + settings.workers.patience_s
    while True:
        try:
            database = connect(settings)
            warm(database)
        except Exception:
            if time.monotonic() > ends:
                raise
            time.sleep(PAUSE_S)
        else:
            return database


def main() -> None:
    """Be the nursery of a worker: ``python -m populate_workers.nursery FD FOLDER``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker
    warnings.filterwarnings("ignore", "No datajoint.json found", UserWarning)
    from populate_workers.child import run

    channel = socket.socket(fileno=int(sys.argv[1]))
    database = _connected(Path(sys.argv[2]))
    database.connection.close()
    gc.collect()
    gc.freeze()  # children then share these pages for longer
    try:
        Nursery(channel, database, run).serve()
    except BrokenPipeError:  # the worker has just gone
        sys.exit(0)


if __name__ == "__main__":
    main()
