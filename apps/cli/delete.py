"""Deleting results that nobody wants any more."""

from typing import Annotated, Any

import typer

from apps.cli.asking import may_delete, print_going
from apps.cli.work import chosen_recordings
from schemas.connection import Database, connect
from schemas.deletion import Doomed, delete_tasks, doomed_by
from schemas.params import find_params
from schemas.settings import MEGABYTE, ProjectError

cli = typer.Typer(
    help="Delete results, and free their disk space; recorded movies always stay.",
    no_args_is_help=True,
)

Animal = Annotated[str, typer.Option(help="Of this animal.")]
Session = Annotated[str | None, typer.Option(help="Of this session; without: of all.")]
Trial = Annotated[str | None, typer.Option(help="This trial; without: all.")]
Params = Annotated[str, typer.Option(help="Name of the parameter set.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@cli.command()
def motion(
    animal: Animal,
    params: Params,
    session: Session = None,
    trial: Trial = None,
    yes: Yes = False,
) -> None:
    """Delete motion corrections: the corrected movies, and all ROIs that were found in them.

    What goes is shown first. The movies as they were recorded stay.

    Example: `mesmerize delete motion --animal m1 --params rigid`
    """
    database = connect()
    recordings = chosen_recordings(database, animal, session, trial)
    key = find_params(database.motion.MotionParams, params)
    _delete(database, database.motion.MotionTask & recordings.proj() & key, yes)


@cli.command()
def segmentation(
    animal: Animal,
    params: Params,
    session: Session = None,
    trial: Trial = None,
    yes: Yes = False,
) -> None:
    """Delete segmentations: their ROIs, their traces, and the samples that use them.

    What goes is shown first. Recorded and corrected movies stay.

    Example: `mesmerize delete segmentation --animal m1 --trial t1 --params large`
    """
    database = connect()
    recordings = chosen_recordings(database, animal, session, trial)
    key = find_params(database.roi.SegmentationParams, params)
    _delete(database, database.roi.SegmentationTask & recordings.proj() & key, yes)


def _delete(database: Database, tasks: Any, yes: bool) -> None:
    """Show what goes, ask, and delete it."""
    if not tasks:
        raise ProjectError("nothing was asked for with these parameters; nothing is deleted.")
    _print_doomed(database, doomed_by(database, tasks))
    if not may_delete(yes=yes):
        return
    freed_bytes = delete_tasks(database, tasks)
    print(f"Deleted; {freed_bytes / MEGABYTE:,.1f} MB are free again.")


def _print_doomed(database: Database, doomed: Doomed) -> None:
    """Print how many rows of which tables go, and what they take in the store."""
    print_going(database, doomed.rows)
    print(f"{'in the store':<28}{doomed.stored_bytes / MEGABYTE:>8,.1f} MB")
