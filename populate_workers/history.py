"""What the history keeps of the beginning of an attempt, and what it tells of its end."""

import os
import subprocess
from pathlib import Path
from typing import Any

import populate_workers
from pipeline.versions import software_versions
from populate_workers import machine
from populate_workers.attempt import Attempt
from populate_workers.liveness import account
from schemas.connection import Database

LOGS = "logs"
LOG_TAIL_CHARACTERS = 20_000


def facts() -> dict[str, Any]:
    """Return the columns of `RunLog` that are the same for all attempts of this process."""
    return {
        "host": machine.host(),
        "account": account(),
        "pid": os.getpid(),
        "versions": software_versions(),
        "commit_hash": _commit(Path(populate_workers.__file__).parents[1]),
    }


def log_path(step: str, attempt_id: str) -> str:
    """Return where the log of an attempt is, relative to the project folder."""
    return f"{LOGS}/{step}/{attempt_id}.log"


def log_tail(database: Database, attempt: Attempt) -> str:
    """Return the end of an attempt's log: what was said in a crash is there; "": there is none."""
    path = database.settings.folder / log_path(attempt.step, attempt.attempt_id)
    try:
        return path.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
    except OSError:
        return ""


def reason(database: Database, attempt: Attempt) -> str:
    """Return why an attempt is not done, as the history says."""
    found = database.worker.RunLog() & {"attempt_id": attempt.attempt_id}
    return str(found.fetch1("reason"))


def _commit(checkout: Path) -> str:
    """Return the commit that this software runs from, + where it was changed; "": no checkout."""
    if not (checkout / ".git").exists():
        return ""
    said = []
    for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no")):
        try:
            done = subprocess.run(
                ["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False
            )
        except OSError:  # no git here
            return ""
        if done.returncode != 0:
            return ""
        said.append(done.stdout.strip())
    return said[0] + ("+" if said[1] else "")
