"""What other programs found, into the project."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.connection import connect
from schemas.ingest import Trial
from schemas.roi_imports import import_batch, import_file

cli = typer.Typer(help="Take in what other programs found.", no_args_is_help=True)


@cli.callback()
def group() -> None:
    """Take in what other programs found."""


@cli.command("rois")
def rois(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder of suite2p, results of CaImAn (.hdf5), ROIs of ImageJ (.zip, .roi), "
            "NWB, an item of a batch of mesmerize-core (batch.pickle::ITEM)."
        ),
    ],
    animal: Annotated[str, typer.Option(help="The animal.")],
    session: Annotated[str, typer.Option(help="The session.")],
    trial: Annotated[str, typer.Option(help="The trial.")],
    motion: Annotated[
        str | None,
        typer.Option(help="The motion parameters whose corrected movie belongs to the ROIs."),
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option(help="The movie as it was recorded belongs to the ROIs.")
    ] = False,
    tags: Annotated[bool, typer.Option(help="Take in the tags of the ROIs too.")] = True,
) -> None:
    """Take in ROIs with their traces; ROIs without traces are measured in the movie.

    Nothing in the file is run, and nothing of a damaged one is taken in.

    Example: `mesmerize import rois scan/suite2p --animal m1 --session 2026-11-22 --trial t1`
    """
    key = Trial(animal=animal, session=session, trial=trial).key
    found = import_file(
        connect(), key, path, motion=motion, as_recorded=as_recorded, with_tags=tags
    )
    given = found.file.rois
    traces = ", ".join(given.traces) or "none, they are measured in the movie"
    print(
        f"Took in {found.file.n_rois} ROIs of {given.source}, {found.file.accepted.sum()} accepted."
    )
    print(f"Traces: {traces}.")
    if tags and found.file.tags:
        print(f"Tags: {', '.join(found.file.tags)}.")
    for note in found.notes:
        print(f"Note: {note}")
    print("Make the segmentation with: mesmerize work")


@cli.command("batch")
def batch(
    path: Annotated[Path, typer.Argument(help="A batch of mesmerize-core (batch.pickle).")],
    dry_run: Annotated[bool, typer.Option(help="Only tell what would be taken in.")] = False,
) -> None:
    """Take in what CaImAn found in all items of a batch of mesmerize-core.

    Each goes to the recording whose movie file has the name that the batch tells. The table of the
    batch is read as data; nothing in it is run.

    Example: `mesmerize import batch mesmerize-batch/batch.pickle --dry-run`
    """
    n_taken = 0
    for done in import_batch(connect(), path, pretend=dry_run):
        item, key = done.item, done.recording
        n_taken += key is not None
        where = " / ".join(key.values()) if key else "left out"
        print(f"{item.uuid[:8]}  {item.algorithm} {item.name!r} of {item.movie}")
        print(f"          {where}: {done.what}")
        for note in done.notes:
            print(f"          Note: {note}")
    if n_taken and not dry_run:
        print("Make the segmentations with: mesmerize work")
