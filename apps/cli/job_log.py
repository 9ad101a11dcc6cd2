"""The log of a job, also while it runs."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.connection import Database, connect
from schemas.roi_states import RECORDING
from schemas.settings import ProjectError

FOLLOW_EVERY_S = 0.5

Animal = Annotated[str | None, typer.Option(help="Of this animal; without: of all.")]
Session = Annotated[str | None, typer.Option(help="Of this session.")]
Trial = Annotated[str | None, typer.Option(help="Of this trial.")]


def log(
    step: Annotated[str, typer.Argument(help="A step, as `status` names it.")],
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the job has ended.")
    ] = False,
) -> None:
    """Print the log of the newest attempt at a job.

    Example: `mesmerize jobs log segmentation --animal m1 --trial t1 --follow`
    """
    database = connect()
    row = _newest_attempt(database, step, key_of(animal, session, trial))
    path = database.settings.folder / row["log"]
    print(f"# {step}, {name_of(row['job_key'])}, on {row['host']}: {path}", flush=True)
    if not path.exists():
        raise ProjectError(f"{path} is not on this machine; the job ran on {row['host']}.")
    _print_log(database, path, row["attempt_id"], follow)


def _newest_attempt(database: Database, step: str, key: dict[str, str]) -> dict[str, Any]:
    """Return the newest line of the history of a job."""
    found = (database.worker.RunLog() & {"step": step}).to_dicts(order_by="started DESC")
    rows = [row for row in found if key.items() <= row["job_key"].items()]
    if not rows:
        raise ProjectError(f"nothing was computed yet of {step} {' '.join(key.values())}".rstrip())
    return dict(rows[0])


def _print_log(database: Database, path: Path, attempt_id: str, follow: bool) -> None:
    """Print a log file, and what is added to it while the job runs."""
    with path.open(errors="replace") as file:
        while True:
            found = database.worker.RunLog() & {"attempt_id": attempt_id}
            is_running = follow and found.fetch1("outcome") == "running"
            print(file.read(), end="", flush=True)
            if not is_running:
                return
            time.sleep(FOLLOW_EVERY_S)


def key_of(animal: str | None, session: str | None, trial: str | None) -> dict[str, str]:
    """Return what of a key was given."""
    given = {"animal_id": animal, "session": session, "trial": trial}
    return {name: value for name, value in given.items() if value is not None}


def name_of(key: dict[str, Any]) -> str:
    """Return what a person calls a job: its recording, or its key."""
    parts = [str(key[part]) for part in RECORDING if part in key]
    return " / ".join(parts or map(str, key.values()))
