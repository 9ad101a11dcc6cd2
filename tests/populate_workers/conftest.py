"""Workers as processes of their own, to be killed, stopped and cut off."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks import probe
from populate_workers.patience import reconnect
from schemas.connection import connect
from schemas.settings import SETTINGS_FILE, load_settings

ROOT = Path(__file__).parents[2]
BEAT_S = 0.5


class Worker:
    """A worker process, and the processes below it."""

    def __init__(self, folder, processes=1, *, stay=False):
        word = "stay" if stay else "work"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "benchmarks.probe",
                word,
                folder,
                str(processes),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def family(self):
        """Return the worker, its nursery, and the children of that."""
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(self.process.pid)
            return [worker, *worker.children(recursive=True)]
        return []

    def children(self):
        """Return the processes that compute."""
        return [child for nursery in self.family()[1:2] for child in nursery.children()]

    def signal(self, number):
        for process in reversed(self.family()):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def end(self):
        """Stop in order; return what was printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self, timeout=180):
        return self.process.communicate(timeout=timeout)[0].splitlines()


class Proxy:
    """Passes a TCP connection on, counts what is asked, and can be cut."""

    def __init__(self, port):
        self.target, self.asked, self.pairs = port, 0, []
        self.listen()
        self.port = self.server.getsockname()[1]

    def listen(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def _accept(self, server):
        with suppress(OSError):
            while True:
                ours, _ = server.accept()
                theirs = socket.create_connection(("127.0.0.1", self.target))
                self.pairs += [ours, theirs]
                for pair in ((ours, theirs, True), (theirs, ours, False)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, sink, is_asking):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.asked += is_asking
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Break every connection, and let nobody in."""
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for end in self.pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.pairs.clear()

    def mend(self):
        self.listen(self.port)


@pytest.fixture
def lab(make_project, address):
    """A project with the step ``probe`` and quick signs of life, on each of the servers."""
    yield from _lab(make_project, address)


@pytest.fixture
def embedded_lab(make_project):
    """The same on the embedded server."""
    yield from _lab(make_project, None)


def _lab(make_project, address):
    probe.install()
    database = configure(make_project(address), beat_s=BEAT_S)
    yield database
    probe.remove()
    reconnect(database, patience_s=10)
    if address is not None:
        name = f"{database.settings.schema_prefix}probe"
        database.connection.query(f"DROP DATABASE `{name}`")


def configure(database, section="workers", **values):
    """Change settings of a project and connect anew."""
    file = database.settings.folder / SETTINGS_FILE
    text = file.read_text()
    heading = re.search(rf"^\[{section}\].*\n", text, re.M)
    before, after = text[: heading.end()], text[heading.end() :]
    for name, value in values.items():
        after = f"{name} = {value}\n" + re.sub(rf"\A(\w+ = .*\n)*?{name} = .*\n", r"\1", after)
    file.write_text(before + after)
    return connect(load_settings(database.settings.folder))


@pytest.fixture
def start():
    """Start workers; those that are still there at the end are killed."""
    started = []

    def begin(database, processes=1, *, stay=False):
        worker = Worker(str(database.settings.folder), processes, stay=stay)
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        worker.signal(signal.SIGCONT)
        worker.signal(signal.SIGKILL)
        worker.process.communicate()


def wait_until(condition, timeout_s=60):
    """Wait for something to become true, and return it."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
