"""Submitting tasks, computing them, and seeing how far they are."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from apps.cli.job_log import name_of
from apps.cli.progress import running_jobs
from pipeline.rois.masks import KINDS
from populate_workers import cluster, queue
from populate_workers.populate import Outcome
from populate_workers.running import running
from populate_workers.supervisor import Duty, Supervisor
from schemas.connection import Database, connect
from schemas.motion import submit_motion
from schemas.params import DEFAULT
from schemas.roi import submit_segmentation
from schemas.settings import ProjectError, load_settings

submit = typer.Typer(help="Ask for a step of recordings.", no_args_is_help=True)

Animal = Annotated[str | None, typer.Option(help="Of this animal; without: of all.")]
Session = Annotated[str | None, typer.Option(help="Of this session.")]
Trial = Annotated[str | None, typer.Option(help="This trial.")]
Params = Annotated[str, typer.Option(help="Name of the parameter set.")]


@submit.command()
def motion(
    animal: Animal = None, session: Session = None, trial: Trial = None, params: Params = DEFAULT
) -> None:
    """Ask for the motion correction of recordings.

    Example: `mesmerize submit motion --animal m1 --params default`
    """
    database = connect()
    new = submit_motion(chosen_recordings(database, animal, session, trial), params)
    print(f"{new} new tasks of motion correction; compute them with: mesmerize work")


@submit.command()
def segmentation(
    animal: Animal = None,
    session: Session = None,
    trial: Trial = None,
    params: Params = DEFAULT,
    motion: Annotated[
        str | None,
        typer.Option(help="Motion parameters whose corrected movie is used, where several are."),
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Use the movie without motion correction.")
    ] = False,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Begin with the masks of a file, or with the accepted ROIs of an earlier "
            "segmentation of the same movie: the name of its parameter set.",
        ),
    ] = None,
) -> None:
    """Ask for the ROIs of recordings, motion-corrected where that was submitted.

    Example: `mesmerize submit segmentation --animal m1 --params default --seeds masks.tif`
    """
    database = connect()
    recordings = chosen_recordings(database, animal, session, trial)
    is_file = seeds is not None and (Path(seeds).exists() or Path(seeds).suffix.lower() in KINDS)
    begin = Path(seeds) if seeds is not None and is_file else seeds
    new = submit_segmentation(recordings, params, motion, as_recorded=as_recorded, seeds=begin)
    print(f"{new} new tasks of segmentation; compute them with: mesmerize work")


def chosen_recordings(
    database: Database, animal: str | None, session: str | None, trial: str | None
) -> Any:
    """Return the recordings that the options choose; None: whatever it is.

    Raises
    ------
    ProjectError
        If there are none.
    """
    given = {"animal_id": animal, "session": session, "trial": trial}
    chosen = {name: value for name, value in given.items() if value is not None}
    recordings = database.session.Recording & chosen
    if not recordings:
        words = ", ".join(f"{name} {value!r}" for name, value in chosen.items()) or "any name"
        raise ProjectError(f"there is no recording of {words}; see: mesmerize show recording")
    return recordings


def work(
    processes: Annotated[
        int, typer.Option(min=1, help="Jobs at once on this machine, each in its own process.")
    ] = 1,
    until_done: Annotated[
        bool,
        typer.Option("--until-done", help="End when nothing is left, also for other workers."),
    ] = False,
    hours: Annotated[
        float, typer.Option(help="End after so long, and begin no job that would not be done.")
    ] = math.inf,
    slurm: Annotated[
        int, typer.Option(metavar="N", help="Submit N such workers to Slurm instead.")
    ] = 0,
    partition: Annotated[str, typer.Option(help="Partition of Slurm.")] = "",
) -> None:
    """Compute what was asked for, until Ctrl-C.

    A failed job keeps its reason, and the others go on. As many of these as you like may run, on
    as many machines as you like. Ctrl-C, and SIGTERM, put the running jobs back.

    Example: `mesmerize work --processes 2 --until-done`
    """
    if slurm:
        _submit_workers(slurm, processes, hours, partition)
        return
    database = connect()
    failed = []

    def watch(outcome: Outcome) -> None:
        end = "done" if outcome.error is None else f"ERROR: {outcome.error}"
        end = f"pending again: {outcome.error}" if outcome.will_run_again else end
        name = name_of(outcome.key)
        print(f"{outcome.step:<18}{name:<40}{outcome.duration_s:7.1f} s  {end}", flush=True)
        failed.extend([outcome] if outcome.error and not outcome.will_run_again else [])

    with running_jobs() as show:
        duty = Duty(processes=processes, until_done=until_done, limit_s=hours * cluster.HOUR_S)
        Supervisor(database, duty, watch=watch, show=show).run()
    if failed:
        raise ProjectError(
            f"{len(failed)} jobs failed; see: mesmerize errors, then: mesmerize jobs retry"
        )


def _submit_workers(workers: int, processes: int, hours: float, partition: str) -> None:
    """Submit an array of workers."""
    array = cluster.new_array(workers, processes, hours, partition)
    jobs = cluster.submit(load_settings(), array)
    print(f"{len(jobs)} workers were submitted, the first as job {jobs[0].job_id}.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how far every step is.

    Example: `mesmerize status --json`
    """
    database = connect()
    steps = queue.progress(database)
    if as_json:
        print(json.dumps({"steps": steps}))
        return
    table = Table("step", *queue.STATES)
    for step, counts in steps.items():
        table.add_row(step, *(str(counts[state]) for state in queue.STATES))
    Console().print(table)
    for job in running(database):
        print(f"{job.step}  {name_of(job.key)}  on {job.host}: {job.words() or 'beginning'}")


def errors(
    traceback: Annotated[bool, typer.Option("--traceback", help="With the whole story.")] = False,
) -> None:
    """Show why jobs failed, the newest first.

    Example: `mesmerize errors`
    """
    found = queue.failures(connect())
    if not found:
        print("No job has failed.")
    for failure in found:
        name = name_of(failure.key)
        print(f"{failure.when:%Y-%m-%d %H:%M:%S}  {failure.step}  {name}  on {failure.host}")
        print(f"    {failure.traceback if traceback else failure.message}")
