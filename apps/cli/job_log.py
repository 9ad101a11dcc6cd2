"""The log of a job, also while it runs; and those that are old."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.asking import may_delete
from populate_workers.old_logs import DAY_S, find_old_logs
from populate_workers.old_logs import prune as remove_logs
from schemas.connection import Database, connect
from schemas.roi_states import RECORDING
from schemas.settings import MEGABYTE, ProjectError

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
    if row["log_pruned"] is not None:
        raise ProjectError(
            f"the log was removed on {row['log_pruned']:%Y-%m-%d}, because it was old; what the "
            "history says of the job stays: mesmerize show run_log"
        )
    if not path.exists():
        raise ProjectError(f"{path} is not on this machine; the job ran on {row['host']}.")
    _print_log(database, path, row["attempt_id"], follow)


def prune(
    older_than: Annotated[
        float, typer.Option(metavar="DAYS", help="Logs that were written to since then stay.")
    ] = 90.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the logs of jobs that ended long ago, after showing what goes; the history stays.

    Each machine removes those in its own project folder.

    Example: `mesmerize jobs prune --older-than 90 --dry-run`
    """
    database = connect()
    logs = find_old_logs(database, older_than_s=older_than * DAY_S)
    for step, count in sorted(Counter(log.step for log in logs).items()):
        size = sum(log.size_bytes for log in logs if log.step == step) / MEGABYTE
        print(f"{step:<18}{count:>8,} logs {size:>10,.1f} MB")
    print(f"{len(logs):,} logs are older than {older_than:g} days.")
    if dry_run or not logs:
        return
    if may_delete(yes=yes, question="Remove them?", done="removed", what="they are"):
        print(f"Removed; {remove_logs(database, logs) / MEGABYTE:,.1f} MB are free again.")


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
