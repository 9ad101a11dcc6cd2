"""A worker: it keeps job processes on this machine and answers for what becomes of them."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from populate_workers import child
from populate_workers.attempt import WORKER_STOPPED, Ending, Usage, end, outcome
from populate_workers.budget import Budget, Refusal
from populate_workers.children import Children
from populate_workers.deaths import Ends, death
from populate_workers.heart import Heart
from populate_workers.history import facts, log_path, log_tail, reason
from populate_workers.liveness import (
    Watch,
    clear_left_aside,
    free_left_over,
    leave,
    register,
    running_attempts,
)
from populate_workers.patience import patiently
from populate_workers.populate import Outcome, Watcher
from populate_workers.running import Running, running
from populate_workers.slot import Duty, Slot
from populate_workers.stopping import signals_as_reads
from populate_workers.taking import Chooser
from populate_workers.time_limit import TimeLimit
from schemas.connection import Database
from schemas.settings import ProjectError
from schemas.store import clear_aside

IDLE_S = 3.0
"""Between two questions for jobs when there are none."""

CONTROL_S = 1.0
"""Between two looks whether running jobs are still ours."""

GRACE_S = 10.0
"""From the request to stop until the process is ended."""

MOST_BARREN = 3
"""Nurseries that may end before their first child."""

NEVER_BEGAN = Ending(outcome="stopped", reason="it never began.", job_status="pending")


class Supervisor:
    """Computes jobs in processes of their own until it is told to stop, or all is done."""

    def __init__(
        self,
        database: Database,
        duty: Duty,
        *,
        watch: Watcher,
        show: Callable[[list[Running]], None] | None = None,
    ) -> None:
        self._database = database
        self._duty = duty
        self._limit = TimeLimit(database, duty.limit_s)
        self._is_late = False
        self._watch = watch
        self._show = show
        self._slots: list[Slot] = []
        self._stopping = False
        self._budget = Budget(database)
        self._said, self._barren = "", 0
        self._next_look = self._next_control = self._next_reap = 0.0
        self._dead = Watch(database)
        self._ends = Ends()

    def run(self) -> None:
        """Work until SIGTERM or Ctrl-C, or until all is done.

        Raises
        ------
        ProjectError
            If the database server stays away.
        """
        with signals_as_reads(lambda: setattr(self, "_stopping", True)) as woken:
            self._children = Children(self._database.settings.folder, self._duty.nursery)
            self._enter()
            try:
                while not self._is_finished():
                    self._step(woken)
            finally:
                self._close()

    def _enter(self) -> None:
        """Become a worker of the project."""
        memory_bytes = self._budget.memory_bytes
        worker_id = register(self._database, slots=self._duty.processes, memory_bytes=memory_bytes)
        table = self._database.worker.Worker().full_table_name
        self._heart = Heart(self._database.settings, table, worker_id)
        self._chooser = Chooser(self._database, worker_id, facts())

    def _is_finished(self) -> bool:
        if self._slots:
            return False
        if self._stopping or self._is_late:
            return True
        return self._duty.until_done and self._next_look > 0 and self._chooser.is_all_done

    def _step(self, woken: int) -> None:
        """Do what is due, then wait for what comes next."""
        now = time.monotonic()
        if self._heart.is_declared_dead:
            self._begin_anew()
        if now >= self._next_reap:
            self._next_reap = now + self._database.settings.workers.beat_s
            self._patiently(self._free_dead)
        if self._slots and now >= self._next_control:
            self._next_control = now + CONTROL_S
            self._patiently(self._control)
        self._end_overdue()
        self._stopping |= self._limit.left_s() <= 0
        if self._stopping:
            self._ask_all_to_stop()
        elif len(self._slots) < self._duty.processes and now >= self._next_look:
            self._fill()
        self._hear(woken)

    def _hear(self, woken: int) -> None:
        """Wait for children or signals, and settle what has ended."""
        now = time.monotonic()
        has_room = len(self._slots) < self._duty.processes and not self._stopping
        due = [self._next_reap, *([self._next_look] if has_room else [])]
        due += [self._next_control] if self._slots else []
        due += [slot.kill_at for slot in self._slots if slot.kill_at is not None]
        news, is_there = self._children.events(min(due) - now, woken)
        for told in news:
            if "started" in told:
                for slot in self._slots:
                    if slot.attempt.attempt_id == told["started"]:
                        slot.pid, self._barren = told["pid"], 0
            else:
                usage = Usage(peak_memory_bytes=told["memory"], cpu_s=told["cpu_s"])
                for slot in [slot for slot in self._slots if slot.pid == told["ended"]]:
                    self._settle(slot, told["status"], usage)
        if not is_there:
            self._replace_nursery()

    def _fill(self) -> None:
        """Take jobs until every slot has one, or there is none."""
        while len(self._slots) < self._duty.processes:
            self._is_late = False
            attempt = self._patiently(lambda: self._chooser.next(self._fits))
            if attempt is None:
                self._next_look = time.monotonic() + IDLE_S
                self._say(self._chooser.says)
                return
            self._is_late = False
            slot = Slot(attempt=attempt, need=self._budget.need(attempt.step, attempt.key))
            self._slots.append(slot)
            log = self._database.settings.folder / log_path(attempt.step, attempt.attempt_id)
            if not self._children.begin(attempt, log):
                self._replace_nursery()

    def _fits(self, step: str, key: dict[str, Any]) -> Refusal | None:
        """Return why a job cannot be begun beside those that run, or None: it can."""
        late = self._limit.why_not(step)
        self._is_late |= late is not None
        return late or self._budget.why_not(step, key, [slot.need for slot in self._slots])

    def _say(self, why: str) -> None:
        """Show why this worker waits."""
        if why != self._said:
            self._said = why
            row = {"worker_id": self._chooser.worker_id, "says": why[:1000]}
            with contextlib.suppress(Exception):
                self._database.worker.Worker().update1(row)

    def _settle(self, slot: Slot, status: int, usage: Usage) -> None:
        """Write down how a child ended, where it could not do so itself."""
        self._slots.remove(slot)
        self._next_look = 0.0  # something may have become possible
        self._chooser.forget()
        code = os.waitstatus_to_exitcode(status)
        if code not in (child.DONE, child.ERROR, child.LOST, child.STOPPED):
            self._patiently(lambda: self._write_end(slot, code, usage))
        clear_aside(self._database.settings, slot.attempt.attempt_id)
        said = "done"
        if code != child.DONE:
            said = self._patiently(lambda: outcome(self._database, slot.attempt))
        why = None
        if said != "done":
            why = self._patiently(lambda: reason(self._database, slot.attempt)) or said
        seconds = time.monotonic() - slot.began
        again = said in ("stopped", "killed", "lost")
        self._watch(Outcome(slot.attempt.step, slot.attempt.key, seconds, why, again))

    def _write_end(self, slot: Slot, code: int, usage: Usage) -> None:
        """Write down the end of a child that was killed, crashed, or lost the server."""
        ending = slot.ending
        if ending is None and code == child.AWAY:
            ending = Ending(outcome="stopped", reason="the server was away.", job_status="pending")
        if ending is None:
            ending = death(
                self._database,
                slot.attempt,
                "killed",
                self._ends.how(code, usage),
                ended_by_signal=-code if code < 0 else None,
                traceback=log_tail(self._database, slot.attempt),
            )
        end(self._database, slot.attempt, ending, usage)

    def _control(self) -> None:
        """End children whose job was aborted or given away, and free what we do not run."""
        restriction = {"worker_id": self._chooser.worker_id}
        ours = {found.attempt_id: found for found in running_attempts(self._database, restriction)}
        for slot in self._slots:
            if slot.attempt.attempt_id not in ours:
                self._ask_to_stop(slot, None)
        known = {slot.attempt.attempt_id for slot in self._slots}
        for attempt_id, attempt in ours.items():
            if attempt_id not in known:  # the server went away just as we reserved it
                end(self._database, attempt, NEVER_BEGAN)
        if self._show is not None:
            self._show(running(self._database, self._chooser.worker_id))

    def _free_dead(self) -> None:
        self._dead.reap()
        free_left_over(self._database)

    def _end_overdue(self) -> None:
        """End children that take too long, or did not stop when they were asked to."""
        now = time.monotonic()
        limit_s = self._database.settings.workers.time_limit_s
        for slot in self._slots:
            if slot.pid is None:
                continue
            if slot.kill_at is None and now - slot.began > limit_s:
                why = (
                    f"it took longer than the limit of {limit_s:g} s; raise time_limit_s in "
                    "mesmerize.toml, or give the job less to do."
                )
                slot.ending = Ending(outcome="killed", reason=why)
                slot.kill_at = now
            if slot.kill_at is not None and now >= slot.kill_at:
                self._children.signal(slot.pid, signal.SIGKILL)
                slot.kill_at = now + GRACE_S

    def _ask_all_to_stop(self) -> None:
        for slot in self._slots:
            self._ask_to_stop(slot, WORKER_STOPPED)

    def _ask_to_stop(self, slot: Slot, ending: Ending | None) -> None:
        """Ask a child to stop; where it does not, it is ended a little later."""
        if slot.kill_at is None and slot.pid is not None:
            slot.kill_at = time.monotonic() + GRACE_S
            slot.ending = ending or Ending(outcome="stopped", reason="it was given away.")
            self._children.signal(slot.pid, signal.SIGTERM)

    def _begin_anew(self) -> None:
        """After this machine slept or was cut off: our jobs were given away, so end them."""
        self._heart.stop()
        self._replace_nursery()
        self._enter()

    def _replace_nursery(self) -> None:
        """End the nursery, if it has not ended, with its children, and start another."""
        self._children.close()
        self._barren += all(slot.pid is None for slot in self._slots)
        for slot in list(self._slots):
            slot.ending = slot.ending or (NEVER_BEGAN if slot.pid is None else None)
            self._settle(slot, signal.SIGKILL, Usage())
        if self._barren > MOST_BARREN:
            raise ProjectError(
                "no process can be started for the jobs; look at what this prints: "
                f"{' '.join(self._children.command)}"
            )
        self._children = Children(self._database.settings.folder, self._duty.nursery)

    def _close(self) -> None:
        """Leave nothing that runs."""
        database = self._database
        self._heart.stop()
        self._children.close()
        with contextlib.suppress(ProjectError):
            for slot in self._slots:
                ending = slot.ending or WORKER_STOPPED
                self._at_once(lambda slot=slot, ending=ending: end(database, slot.attempt, ending))
            self._at_once(lambda: clear_left_aside(database))
            self._at_once(lambda: leave(database, self._chooser.worker_id))

    def _at_once(self, action: Callable[[], object]) -> None:
        """Do something with the database where it is there; nobody waits for it at the end."""
        patiently(self._database, action, patience_s=0)

    def _patiently(self, action: Callable[[], Any]) -> Any:
        """Do something with the database; after it was away, nobody is dead for being silent."""
        if not self._heart.is_beating:
            self._dead.forget()
        return patiently(self._database, action)
