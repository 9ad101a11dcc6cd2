"""Controlling the jobs: what runs, what waits, and what is to become of it."""

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apps.cli import job_log
from apps.cli.job_log import Animal, Session, Trial, key_of, name_of
from populate_workers import cluster, limits, queue, urgency
from populate_workers.liveness import reap_now
from populate_workers.running import running
from populate_workers.wishes import Wish, as_keys, open_keys, wished
from schemas.connection import Database, connect
from schemas.settings import ProjectError, load_settings

cli = typer.Typer(help="See and control the jobs.", no_args_is_help=True)

Step = Annotated[
    str | None, typer.Argument(help="A step, as `status` names it; without: every step.")
]


@cli.command("list")
def list_jobs(step: Step = None) -> None:
    """List the jobs that run with their progress, those that wait, and those that failed.

    Example: `mesmerize jobs list motion_correction`
    """
    database = connect()
    for name in queue.paused(database):
        print(f"Paused: {name}; go on with: mesmerize jobs resume")
    for name, most in limits.limits(database).items():
        print(f"Limited: {name}, {most} at once; lift that with: mesmerize jobs limit {name}")
    table = Table("step", "job", "state", "machine", "since", "progress")
    for row in _running_rows(database, step):
        table.add_row(*map(escape, row))
    for row in _queued_rows(database, step):
        table.add_row(*map(escape, row))
    if not table.rows:
        print("No job runs, waits or has failed.")
        return
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def _running_rows(database: Database, step: str | None) -> Iterable[list[str]]:
    for job in running(database):
        if step in (None, job.step):
            since = f"{job.since:%Y-%m-%d %H:%M:%S}"
            yield [job.step, name_of(job.key), "running", job.host, since, job.words()]


def _queued_rows(database: Database, step: str | None) -> Iterable[list[str]]:
    """Yield the jobs of the queue that do not run."""
    (now,) = database.connection.query("SELECT CURRENT_TIMESTAMP(3)").fetchone()
    for name, _ in database.steps():
        if step not in (None, name):
            continue
        jobs = database.jobs(name) & "status IN ('pending', 'error', 'ignore')"
        for row in jobs.to_dicts(order_by="status, priority, scheduled_time"):
            key = {column: row[column] for column in jobs.primary_key}
            words = f"priority {row['priority']}"
            if row["status"] == "pending" and row["scheduled_time"] > now.replace(tzinfo=None):
                words += f", not before {row['scheduled_time']:%Y-%m-%d %H:%M}"
            if row["status"] == "error":
                words = row["error_message"]
            yield [name, name_of(key), row["status"], "", "", words]
        yield from _rows_without_a_job(database, name)


def _rows_without_a_job(database: Database, step: str) -> Iterable[list[str]]:
    """Yield what is asked for and is not in the queue: it waits for an earlier step, mostly."""
    there = as_keys(database.jobs(step).proj().to_dicts())
    wishes = wished(database)
    for key in sorted(map(dict, open_keys(database, step) - there), key=str):
        wish = wishes.get((step, frozenset(key.items())), Wish())
        words = "waits for an earlier step, or for a worker"
        words += f", priority {wish.priority}" if wish.priority is not None else ""
        words += f", not before {wish.not_before:%Y-%m-%d %H:%M}" if wish.not_before else ""
        yield [step, name_of(key), "pending", "", "", words]


@cli.command()
def pause(step: Step = None) -> None:
    """Begin no more jobs; what runs goes on to its end.

    Example: `mesmerize jobs pause segmentation`
    """
    queue.pause(connect(), step)
    print(f"Paused: {step or 'all'}; go on with: mesmerize jobs resume")


@cli.command()
def resume(step: Step = None) -> None:
    """Begin jobs again that were paused.

    Example: `mesmerize jobs resume`
    """
    print(f"{queue.resume(connect(), step)} pauses have ended.")


@cli.command()
def abort(
    step: Step = None, animal: Animal = None, session: Session = None, trial: Trial = None
) -> None:
    """End running jobs; they count as failed, and `retry` puts them back.

    Example: `mesmerize jobs abort segmentation --animal m1 --trial t1`
    """
    count = queue.abort(connect(), step, key_of(animal, session, trial))
    print(f"{count} jobs were aborted; put them back with: mesmerize jobs retry")


@cli.command()
def retry(
    step: Step = None,
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
    containing: Annotated[
        str, typer.Option(metavar="TEXT", help="Only those whose reason contains this.")
    ] = "",
) -> None:
    """Put failed jobs back to pending.

    Example: `mesmerize jobs retry segmentation --containing "disk is full"`
    """
    key = key_of(animal, session, trial)
    count = queue.retry(connect(), step, key, containing=containing)
    print(f"{count} jobs are pending again; compute them with: mesmerize work")


@cli.command()
def ignore(
    step: Step = None,
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take them back to pending.")] = False,
) -> None:
    """Leave jobs that wait or failed alone for good.

    Example: `mesmerize jobs ignore segmentation --animal m1 --trial t1`
    """
    verb = queue.heed if undo else queue.ignore
    count = verb(connect(), step, key_of(animal, session, trial))
    print(f"{count} jobs are {'pending again' if undo else 'ignored'}.")


@cli.command()
def priority(
    number: Annotated[
        int, typer.Argument(metavar="PRIORITY", help="The lower, the sooner; new jobs have 5.")
    ],
    step: Step = None,
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
) -> None:
    """Change how urgent jobs that wait are.

    Example: `mesmerize jobs priority 1 motion_correction --animal m1`
    """
    count = urgency.prioritise(connect(), number, step, key_of(animal, session, trial))
    print(f"{count} jobs have priority {number} now, and what they wait for is as urgent.")


@cli.command()
def schedule(
    step: Step = None,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="As 23:00, 2026-11-22T23:00 or now.")
    ] = "now",
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
) -> None:
    """Let jobs that wait begin no earlier than at a time.

    Example: `mesmerize jobs schedule segmentation --at 23:00`
    """
    when = next_time(at, datetime.now())
    count = urgency.schedule(connect(), when, step, key_of(animal, session, trial))
    print(f"{count} jobs begin no earlier than {when:%Y-%m-%d %H:%M}.")


@cli.command()
def limit(
    step: Annotated[str, typer.Argument(help="A step, as `status` names it.")],
    most: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="Without: as many as there is room for.")
    ] = None,
) -> None:
    """Let no more jobs of a step run at once, on all machines together.

    Example: `mesmerize jobs limit segmentation 2`
    """
    if most is None:
        limits.unlimit(connect(), step)
        print(f"As many jobs of {step} run as there is room for.")
    else:
        limits.limit(connect(), step, most)
        print(f"No more than {most} jobs of {step} run at once; those that run go on.")


cli.command("log")(job_log.log)
cli.command("prune")(job_log.prune)


@cli.command()
def export(
    slurm: Annotated[Path, typer.Option(metavar="FILE", help="Write a script for sbatch here.")],
    workers: Annotated[int, typer.Option(help="Number of workers.")] = 1,
    processes: Annotated[int, typer.Option(help="Jobs at once of each.")] = 1,
    hours: Annotated[float, typer.Option(help="Time limit of each.")] = 8.0,
    partition: Annotated[str, typer.Option(help="Partition of the cluster.")] = "",
) -> None:
    """Write a script that starts workers as an array job of Slurm.

    Example: `mesmerize jobs export --slurm workers.sh --workers 10 --hours 4`
    """
    array = cluster.new_array(workers, processes, hours, partition)
    slurm.write_text(cluster.script(load_settings(), array))
    print(f"Submit it with: sbatch {slurm}")


def next_time(text: str, now: datetime) -> datetime:
    """Return the moment that somebody means: a time of day is the next one.

    Raises
    ------
    ProjectError
        If it is no time.
    """
    if text == "now":
        return now
    try:
        if "T" in text or "-" in text:
            return datetime.fromisoformat(text)
        clock = datetime.strptime(text, "%H:%M").time()
    except ValueError:
        raise ProjectError(
            f"a time is written as 23:00 or 2026-11-22T23:00; got {text!r}."
        ) from None
    today = datetime.combine(now.date(), clock)
    return today if today > now else today + timedelta(days=1)


def reap() -> None:
    """Free the jobs of workers that died.

    A running `mesmerize work` does that by itself.

    Example: `mesmerize reap`
    """
    print(f"{reap_now(connect())} jobs are pending again.")
