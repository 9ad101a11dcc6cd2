"""A program in another interpreter: begun, listened to, and never left behind."""

import json
import logging
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.extraction.caiman_engine.runner import MARK

RUNNER = Path(__file__).with_name("runner.py")
TICK_S = 0.5
"""How often it is asked whether the job is still wanted."""

FAREWELL_S = 10.0
LAST_LINES = 5
READ_BYTES = 65_536
NOT_PASSED_ON = ("PYTHON", "DJ_", "VIRTUAL_ENV", "MESMERIZE_")
"""Our libraries are not for another interpreter, and our passwords for nobody."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
INSTALL = (
    "install it with: conda create -n caiman -c conda-forge caiman; then name its interpreter as "
    "python under [caiman] in mesmerize.toml"
)

logger = logging.getLogger(__name__)


class GuestError(ValueError):
    """CaImAn cannot be had or has failed; the message says what to do."""


def find_interpreter(interpreter: Path | None) -> Path:
    """Return the interpreter that is to run CaImAn, or refuse.

    Parameters
    ----------
    interpreter : Path or None
        What the settings name.

    Returns
    -------
    Path
        A file that can be executed.

    Raises
    ------
    GuestError
        If none is named, or it is none.
    """
    if interpreter is None:
        raise GuestError(f"CaImAn runs in an interpreter of its own, and none is named: {INSTALL}.")
    if not (interpreter.is_file() and os.access(interpreter, os.X_OK)):
        raise GuestError(f"there is no interpreter {interpreter} for CaImAn: {INSTALL}.")
    return interpreter


class Guest:
    """The runner in its interpreter; leaving the ``with`` ends it and all that it started.

    It watches the pipe of its input, whose other end is ours alone: when this process is gone,
    however it ended, the runner ends as well.
    """

    def __init__(self, interpreter: Path, folder: Path, *, threads: int) -> None:
        self._command = [str(interpreter), "-u", str(RUNNER)]
        self._folder = folder
        self._environment = _environment(folder, threads)
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def __enter__(self) -> "Guest":
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise GuestError(
                f"{self._command[0]} cannot be run ({error.strerror}): {INSTALL}."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(FAREWELL_S)
        # what it started may be there still, when it has gone itself
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for end in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                end.close()  # type: ignore[union-attr]
        self._process.wait()

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        stdin = self._process.stdin
        with suppress(BrokenPipeError):  # what it said last tells why it has gone
            stdin.write(f"{line}\n".encode())  # type: ignore[union-attr]
            stdin.flush()  # type: ignore[union-attr]

    def messages(self, tick: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """Yield what it says until it ends; all else that it prints goes to the log.

        Parameters
        ----------
        tick : callable
            Called while nothing is said; may raise to cancel.

        Raises
        ------
        GuestError
            If it ends before it said that it has failed or is done.
        """
        for line in self._lines(tick):
            if line.startswith(MARK):
                yield json.loads(line.removeprefix(MARK))
            elif line.strip():
                self._last.append(line.strip())
                logger.info("%s", line)
        raise GuestError(self._obituary())

    def _lines(self, tick: Callable[[], None]) -> Iterator[str]:
        """Yield the lines of its output until that is closed."""
        descriptor = self._process.stdout.fileno()  # type: ignore[union-attr]
        rest = b""
        ticked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                if time.monotonic() - ticked >= TICK_S:
                    tick()
                    ticked = time.monotonic()
                if not selector.select(TICK_S):
                    continue
                read = os.read(descriptor, READ_BYTES)
                if not read:
                    break
                *lines, rest = (rest + read).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
        yield rest.decode(errors="replace")

    def _obituary(self) -> str:
        """Return how it ended without a word."""
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return (
                "CaImAn was killed, most often because the machine had no memory left; run fewer "
                "jobs at once, or take smaller patches or a larger machine."
            )
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        said = self._last[-1] if self._last else "it said nothing"
        return f"CaImAn ended with {how} ({said}); the log of the job tells more."


def _environment(folder: Path, threads: int) -> dict[str, str]:
    """Return what the runner finds: its own libraries, and files in its folder alone."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_PASSED_ON)}
    files = dict.fromkeys(("CAIMAN_DATA", "CAIMAN_TEMP", "TMPDIR"), str(folder))
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return kept | files | counts | {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
