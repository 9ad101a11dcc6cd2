"""Computing one job: its result is inserted once, by whom the job belongs to, or not at all."""

import copy
import errno
import inspect
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from deepdiff import DeepHash

from populate_workers.attempt import (
    WORKER_STOPPED,
    Attempt,
    Ending,
    Lost,
    Usage,
    complete,
    end,
    hold,
    outcome,
)
from populate_workers.patience import MOST_TRIES, passes, patiently, ready_again
from schemas.connection import Database
from schemas.settings import ProjectError

SENTENCES = (ProjectError, ValueError)
"""Errors whose text is a sentence for a person."""

KILOBYTE = 1024


class Stopped(SystemExit):
    """The process is to end; its job goes back to pending."""


class Computation:
    """The ``make`` of a table for one key.

    What was computed is remembered: when the server goes away before or while it is inserted, the
    insertion alone is done again. It happens in one transaction with the end of the job, which
    fails when the job is not ours any more.
    """

    def __init__(
        self, database: Database, attempt: Attempt, measure: Callable[[], Usage] = Usage
    ) -> None:
        self.is_inserting = False
        self._database = database
        self._attempt = attempt
        self._measure = measure
        self._table = copy.copy(database.jobs(attempt.step).target)  # it knows its parents
        self._result: tuple[str, Any] | None = None
        self._failure: tuple[str, BaseException] | None = None
        self._make, self._compute, self._insert = self._parts()

    def run(self) -> None:
        """Compute and insert.

        Raises
        ------
        Lost
            If the job was given to another, or aborted.
        Exception
            Whatever the computation raises.
        """
        patience_s = self._database.settings.workers.patience_s
        for _ in range(MOST_TRIES):
            try:
                self._populate()
            except Lost:
                raise
            except Exception as error:
                if self._is_final(error):
                    raise
                ready_again(self._database, error, patience_s=patience_s)
                if self._has_ended():
                    return
            else:
                return
            finally:
                self.is_inserting = False
        raise ProjectError("the result could not be inserted: the server went away time and again.")

    def _parts(self) -> tuple[Any, Any, Any]:
        """Put ourselves around the parts of ``make``, and return them as they were."""
        table = self._table
        if not inspect.isgeneratorfunction(table.make):
            make, table.make = table.make, self._held_make
            return make, None, None
        parts = None, table.make_compute, table.make_insert
        table.make_compute, table.make_insert = self._remembered_compute, self._held_insert
        return parts

    def _populate(self) -> None:
        """Let DataJoint do it; where there is nothing to do any more, take the job off."""
        done = self._table.populate(self._attempt.key, display_progress=False)
        if done["success_count"] == 0 and not self._has_ended():
            with self._database.connection.transaction:
                complete(self._database, self._attempt, self._measure())

    def _has_ended(self) -> bool:
        """Return whether the result is there already, or raise that it is not wanted."""
        said = outcome(self._database, self._attempt)
        if said not in ("running", "done"):
            raise Lost(f"the job of {self._attempt.step} was given to another worker or aborted.")
        return said == "done"

    def _remembered_compute(self, key: dict[str, Any], *fetched: Any) -> Any:
        identity = DeepHash(fetched, ignore_iterable_order=False)[fetched]
        if self._failure is not None and self._failure[0] == identity:
            raise self._failure[1]  # the server was away when it was to be written down
        if self._result is None or self._result[0] != identity:
            try:
                self._result = identity, self._compute(key, *fetched)
            except BaseException as error:
                self._failure = identity, error
                raise
        return self._result[1]

    def _is_final(self, error: BaseException) -> bool:
        """Return whether doing the same again would not help."""
        if self._failure is not None and error is self._failure[1]:
            return True
        return not (_was_outrun(error) or passes(self._database, error))

    def _held_insert(self, key: dict[str, Any], *result: Any) -> None:
        hold(self._database, self._attempt)
        self.is_inserting = True
        self._insert(key, *result)
        complete(self._database, self._attempt, self._measure())

    def _held_make(self, key: dict[str, Any]) -> None:
        hold(self._database, self._attempt)
        self._make(key)
        self.is_inserting = True
        complete(self._database, self._attempt, self._measure())


def compute(
    database: Database, attempt: Attempt, measure: Callable[[], Usage] = Usage
) -> Ending | None:
    """Compute a reserved job to its end, whatever that is, and write it down.

    Parameters
    ----------
    database : Database
        The connected tables.
    attempt : Attempt
        The reserved job.
    measure : callable
        Returns what it took so far.

    Returns
    -------
    Ending or None
        How it ended; None: it is done.
    """
    computation = Computation(database, attempt, measure)
    before = signal.getsignal(signal.SIGTERM)
    if _is_main_thread():
        signal.signal(signal.SIGTERM, lambda *_: _stop_unless_inserting(computation))
    try:
        computation.run()
    except Lost as error:
        return Ending(outcome="lost", reason=str(error))
    except (Stopped, KeyboardInterrupt) as error:
        patiently(database, lambda: end(database, attempt, WORKER_STOPPED, measure()))
        raise error from None
    except Exception as error:  # noqa: BLE001 a job may fail in any way; the others go on
        ending = failed(error, database)
        patiently(database, lambda: end(database, attempt, ending, measure()))
        return ending
    else:
        return None
    finally:
        if _is_main_thread():
            signal.signal(signal.SIGTERM, before)


def failed(error: BaseException, database: Database) -> Ending:
    """Return how an attempt ended that raised an error."""
    return Ending(
        outcome="error",
        reason=_reason(error, database),
        traceback="".join(traceback.format_exception(error)),
    )


def _reason(error: BaseException, database: Database) -> str:
    """Return why a job failed: our own sentences as they are, others with the error's name."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full ({error.strerror}); make room for the store "
            f"{database.settings.store}, then retry the job."
        )
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return f"{error.filename or database.settings.store} cannot be written: {error.strerror}."
    if isinstance(error, SENTENCES) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def used_by_this_process() -> Usage:
    """Return what this process and those that it started have taken; memory of the largest."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(who) for who in whose]
    unit = 1 if sys.platform == "darwin" else KILOBYTE
    return Usage(
        peak_memory_bytes=max(each.ru_maxrss for each in used) * unit,
        cpu_s=sum(each.ru_utime + each.ru_stime for each in used),
    )


def _stop_unless_inserting(computation: Computation) -> None:
    """End the process's work, unless it is all but done."""
    if not computation.is_inserting:
        raise Stopped


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _was_outrun(error: BaseException) -> bool:
    """Return whether another worker stored the same array at the same moment.

    DataJoint 2.3 writes equal content through one temporary file: of two writers, one finds it
    gone.
    """
    return isinstance(error, FileNotFoundError) and str(error.filename).endswith(".saving")
