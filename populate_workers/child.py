"""One job in a process of its own: its memory returns, and when it crashes nothing else does."""

import faulthandler
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import deepdiff  # noqa: F401 DataJoint imports these two for each job
import tqdm  # noqa: F401

from populate_workers.attempt import Attempt
from populate_workers.computation import Stopped, compute, used_by_this_process
from populate_workers.patience import reconnect
from populate_workers.report import Reporter
from schemas.connection import Database
from schemas.resources import RESOURCES, Resources
from schemas.settings import ProjectError

DONE, ERROR, LOST, STOPPED, AWAY = 0, 10, 11, 12, 13
"""Exit codes; with any other the process was ended by something else."""

LOG_FORMAT = "%(asctime)s %(message)s"


def run(database: Database, order: dict[str, Any], *, alive: int) -> int:
    """Compute the job of an order; return the exit code.

    Parameters
    ----------
    database : Database
        The tables, known but not connected.
    order : dict
        The fields of the `Attempt`, and ``log``, the path of the log file.
    alive : int
        A pipe that ends with the nursery.
    """
    threading.Thread(target=_end_with_nursery, args=(alive,), daemon=True).start()
    _log_to(Path(order["log"]))
    names = ("attempt_id", "step", "key", "worker_id")
    attempt = Attempt(**{name: order[name] for name in names})
    settings = database.settings
    reporter = Reporter(settings, database.worker.RunLog().full_table_name, attempt)
    RESOURCES.set(Resources(settings=settings, progress=reporter, attempt_id=attempt.attempt_id))
    logging.info("%s of %s, process %d", attempt.step, attempt.key, os.getpid())
    try:
        reconnect(database, patience_s=settings.workers.patience_s)
        ending = compute(database, attempt, used_by_this_process)
    except Stopped:
        logging.info("stopped; the job is pending again")
        return STOPPED
    except ProjectError as error:
        logging.info("%s", error)
        return AWAY
    finally:
        reporter.close()
    if ending is None:
        logging.info("done")
        return DONE
    logging.info("%s: %s\n%s", ending.outcome, ending.reason, ending.traceback or "")
    return LOST if ending.outcome == "lost" else ERROR


def _log_to(path: Path) -> None:
    """Send everything that is printed, warned of, and said in a crash to the log file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o664)
    except OSError:  # a full or read-only disk fails the job where it matters, not here
        file = os.open(os.devnull, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    sys.stdout = os.fdopen(1, "w", buffering=1, errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)
    faulthandler.enable(2)
    logging.raiseExceptions = False  # a log on a full disk fails nobody
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=LOG_FORMAT, force=True)
    logging.getLogger("datajoint").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _end_with_nursery(alive: int) -> None:
    """End this process when the nursery is gone: nobody waits for it any more."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGKILL)
