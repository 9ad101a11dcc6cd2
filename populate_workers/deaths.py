"""Attempts that took their process with them: what ended it, and what becomes of the job."""

import signal

from populate_workers import machine
from populate_workers.attempt import Attempt, Ending, Usage, deaths, end
from schemas.connection import Database


class Ends:
    """Tells what ended a process of this machine."""

    def __init__(self) -> None:
        self._oom_kills = machine.oom_kills()

    def how(self, code: int, usage: Usage) -> str:
        """Say what ended a process.

        Parameters
        ----------
        code : int
            Its exit code; negative: the signal that ended it.
        usage : Usage
            What it had taken.
        """
        if code >= 0:
            return f"its process ended by itself with exit code {code}."
        names = {number.value: f" ({number.name})" for number in signal.Signals}
        why = f"its process was ended by signal {-code}{names.get(-code, '')}."
        kills, self._oom_kills = self._oom_kills, machine.oom_kills()
        if -code == signal.SIGKILL and self._oom_kills > kills:
            peak_gb = (usage.peak_memory_bytes or 0) / 1e9
            why += (
                f" The kernel ended it for memory: it had taken {peak_gb:.1f} GB; give the job less"
                " (memory_mb in mesmerize.toml), or run fewer jobs at once on this machine."
            )
        return why


def give_up(database: Database, attempt: Attempt, reason: str) -> bool:
    """Free a job whose process is gone; after several such, it is an error.

    Parameters
    ----------
    database : Database
        The connected tables.
    attempt : Attempt
        The reserved job.
    reason : str
        How the process ended.

    Returns
    -------
    bool
        Whether the job was still reserved for this attempt.
    """
    return end(database, attempt, death(database, attempt, "lost", reason))


def death(
    database: Database,
    attempt: Attempt,
    outcome: str,
    reason: str,
    *,
    ended_by_signal: int | None = None,
    traceback: str | None = None,
) -> Ending:
    """Return how an attempt ended that took its process with it.

    Parameters
    ----------
    database : Database
        The connected tables.
    attempt : Attempt
        The reserved job.
    outcome : str
        ``killed`` or ``lost``.
    reason : str
        How the process ended.
    ended_by_signal : int or None
        The signal, where one is known.
    traceback : str or None
        What the process said last.
    """
    count = deaths(database, attempt) + 1
    most = database.settings.workers.kills
    if count >= most:
        times = "once" if count == 1 else f"{count} times in a row"
        reason = f"{reason} This happened {times}; the job is not tried again by itself."
    return Ending(
        outcome=outcome,
        reason=reason,
        ended_by_signal=ended_by_signal,
        traceback=traceback,
        job_status="error" if count >= most else "pending",
    )
