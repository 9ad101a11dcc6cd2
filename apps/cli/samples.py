"""Samples: recordings with the segmentation that was chosen, comments and custom values."""

from typing import Annotated

import typer

from apps.cli.asking import may_delete, print_going
from apps.tables import as_json
from schemas.connection import connect
from schemas.ingest import Trial
from schemas.sample_removal import going_with_sample, remove_sample, restore_sample
from schemas.sample_replacement import find_segmentation, replace_segmentation
from schemas.sample_table import sample_table
from schemas.sample_versions import sample_history
from schemas.samples import (
    SampleChange,
    add_sample,
    find_sample,
    modify_samples,
    undo_sample,
)
from schemas.settings import ProjectError

cli = typer.Typer(
    help="Recordings with the ROIs that were chosen, comments and custom values.",
    no_args_is_help=True,
)

SampleId = Annotated[str, typer.Argument(metavar="SAMPLE", help="A SampleID, as m1-_-t1.")]
Animal = Annotated[str, typer.Option(help="The animal.")]
Session = Annotated[str, typer.Option(help="The session.")]
Trial_ = Annotated[str, typer.Option("--trial", help="The trial.")]
Name = Annotated[
    str | None,
    typer.Option(help="The segmentation: name of its parameter set, where several are done."),
]
TrialId = Annotated[
    str | None, typer.Option(help="Second part of the SampleID, where it is not the trial.")
]
Comments = Annotated[str | None, typer.Option(help="Free text.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="COLUMN=VALUE",
        help="A value of a custom column; may be given several times. Without a value: unknown.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@cli.command("add")
def add(
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Name = None,
    trial_id: TrialId = None,
    comments: Comments = None,
    values: Set = None,
) -> None:
    """Make a recording a sample, with the ROIs that were found in it.

    Example: `mesmerize samples add --animal m1 --session 2026-11-22 --trial t1 --set dose=0.5`
    """
    database = connect()
    key = dict(Trial(animal=animal, session=session, trial=trial).key)
    segmentation_id = find_segmentation(database, key, params)
    sample_id = add_sample(
        database,
        key,
        segmentation_id=segmentation_id,
        trial_id=trial_id,
        comments=comments or "",
        values=_values(values),
    )
    print(f"Made the sample {sample_id}.")
    if segmentation_id is None:
        print("It has no ROIs yet; choose them, when they are found, by: mesmerize samples replace")


@cli.command("modify")
def modify(
    sample_id: SampleId,
    trial_id: TrialId = None,
    comments: Comments = None,
    values: Set = None,
    after: Annotated[
        int | None,
        typer.Option(help="Refuse if the sample has another version than this; see history."),
    ] = None,
) -> None:
    """Change comments, custom values or the name of a sample; older versions stay.

    Example: `mesmerize samples modify m1-_-t1 --comments "bleached after 300 s" --set dose=0.5`
    """
    if trial_id is None and comments is None and not values:
        raise ProjectError("nothing is to be changed; give --comments, --set or --trial-id.")
    change = SampleChange(
        sample_id=sample_id,
        after=after,
        comments=comments,
        trial_id=trial_id,
        values=_values(values),
    )
    modify_samples(connect(), [change])
    print(f"Changed the sample {sample_id}.")


@cli.command("replace")
def replace(sample_id: SampleId, params: Name = None) -> None:
    """Choose another segmentation for a sample; ROIs that match keep who they are.

    Example: `mesmerize samples replace m1-_-t1 --params large`
    """
    database = connect()
    row = find_sample(database, sample_id)
    key = {name: row[name] for name in database.session.Recording.primary_key}
    chosen = find_segmentation(database, key, params)
    found = replace_segmentation(database, sample_id, chosen, after=row["version"])
    print(
        f"Replaced the segmentation of {sample_id}: {len(found.pairs)} ROIs are the same cells, "
        f"{len(found.lost)} are gone, {len(found.new)} are new."
    )


@cli.command("remove")
def remove(sample_id: SampleId, yes: Yes = False) -> None:
    """Remove a sample; its recording, its ROIs and its history stay.

    What goes is shown first. `mesmerize samples restore` brings it back.

    Example: `mesmerize samples remove m1-_-t1`
    """
    database = connect()
    version = find_sample(database, sample_id)["version"]
    shown = going_with_sample(database, sample_id)
    print_going(database, shown)
    if may_delete(yes=yes):
        remove_sample(database, sample_id, shown=shown, after=version)
        print(f"Removed; it comes back by: mesmerize samples restore {sample_id!r}")


@cli.command("restore")
def restore(sample_id: SampleId) -> None:
    """Bring a removed sample back as it was.

    Example: `mesmerize samples restore m1-_-t1`
    """
    restore_sample(connect(), sample_id)
    print(f"The sample {sample_id} is back.")


@cli.command("undo")
def undo(sample_id: SampleId) -> None:
    """Go back to what a sample was before its last change.

    Example: `mesmerize samples undo m1-_-t1`
    """
    undo_sample(connect(), sample_id)
    print(f"The sample {sample_id} is again what it was before its last change.")


@cli.command("history")
def history(sample_id: SampleId, json: Json = False) -> None:
    """List all changes of a sample, also of a removed one, the newest first.

    Example: `mesmerize samples history m1-_-t1`
    """
    table = sample_history(connect(), sample_id)
    print(as_json(table.to_dict("records")) if json else table.to_string(index=False))


@cli.command("list")
def list_samples(json: Json = False) -> None:
    """List the samples with their custom values.

    Example: `mesmerize samples list`
    """
    table = sample_table(connect())
    if json:
        print(as_json(table.astype(object).where(table.notna(), None).to_dict("records")))
    else:
        print(table.to_string(index=False, na_rep="") if len(table) else "There are no samples.")


def _values(texts: list[str] | None) -> dict[str, str]:
    """Return what `--set` gives, by column."""
    found = {}
    for text in texts or ():
        label, equals, value = text.partition("=")
        if not equals:
            raise ProjectError(f"--set is written as COLUMN=VALUE; got {text!r}.")
        found[label.strip()] = value
    return found
