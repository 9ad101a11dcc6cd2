"""What the project calls its stimulus types, its ROI tag types and its custom columns."""

from typing import Annotated, Any

import typer

from apps.cli.asking import may_delete, print_going
from apps.tables import as_json
from schemas.configuration import delete_label, going_with_label, move_label, show_label
from schemas.connection import Database, connect
from schemas.custom_columns import add_custom_column, default_of
from schemas.labels import (
    CUSTOM_COLUMN,
    LABELLED,
    ROI_TAG_TYPE,
    STIMULUS_TYPE,
    Labelled,
    add_label,
    labelled_rows,
    rename_label,
)

cli = typer.Typer(
    help="Stimulus types, ROI tag types and custom columns; changed at any time.",
    no_args_is_help=True,
)

Label = Annotated[str, typer.Argument(metavar="LABEL", help="What it is called.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def label_commands(what: Labelled) -> typer.Typer:
    """Return the commands that all kinds of labelled things have.

    Parameters
    ----------
    what : Labelled
        The kind.
    """
    group = typer.Typer(help=f"The {what.words}s of the project.", no_args_is_help=True)
    called = f"mesmerize config {what.command}"

    @group.command("list", help=f"List the {what.words}s.\n\nExample: `{called} list`")
    def list_labels() -> None:
        words = [str(row["label"]) for row in labelled_rows(connect(), what)]
        print("\n".join(words) or f"There are no {what.words}s yet.")

    @group.command(
        "rename",
        help=f"Call a {what.words} by another name; all that was entered stays with it.\n\n"
        f"Example: `{called} rename old new`",
    )
    def rename(
        label: Label, new_label: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]
    ) -> None:
        rename_label(connect(), what, label, new_label)
        print(f"{label!r} is called {new_label!r} now.")

    @group.command("show", help=f"Let tables show a {what.words}.\n\nExample: `{called} show age`")
    def show(label: Label) -> None:
        show_label(connect(), what, label, visible=True)
        print(f"Tables show {label!r}.")

    @group.command(
        "hide", help=f"Let tables leave a {what.words} out.\n\nExample: `{called} hide age`"
    )
    def hide(label: Label) -> None:
        show_label(connect(), what, label, visible=False)
        print(f"Tables leave {label!r} out.")

    @group.command(
        "move",
        help=f"Give a {what.words} another place in tables.\n\nExample: `{called} move age 1`",
    )
    def move(
        label: Label,
        place: Annotated[int, typer.Argument(min=1, help="From 1, the leftmost.")],
    ) -> None:
        move_label(connect(), what, label, place)
        print(", ".join(str(row["label"]) for row in labelled_rows(connect(), what)))

    @group.command(
        "delete",
        help=f"Delete a {what.words} with all that was entered for it; shows what goes, and asks."
        f"\n\nExample: `{called} delete age`",
    )
    def delete(label: Label, yes: Yes = False) -> None:
        _delete(connect(), what, label, yes=yes)

    return group


def _delete(database: Database, what: Labelled, label: str, *, yes: bool) -> None:
    """Show what goes, ask, and delete it."""
    shown = going_with_label(database, what, label)
    print_going(database, shown)
    if may_delete(yes=yes):
        delete_label(database, what, label, shown=shown)
        print(f"Deleted the {what.words} {label!r}.")


stimuli = label_commands(STIMULUS_TYPE)
tags = label_commands(ROI_TAG_TYPE)
columns = label_commands(CUSTOM_COLUMN)
for _group, _name in ((stimuli, "stimuli"), (tags, "tags"), (columns, "columns")):
    cli.add_typer(_group, name=_name)


@stimuli.command("add")
def add_stimulus_type(label: Label) -> None:
    """Make a stimulus type.

    Example: `mesmerize config stimuli add orientation`
    """
    add_label(connect(), STIMULUS_TYPE, label)
    print(f"Made the stimulus type {label!r}.")


@tags.command("add")
def add_tag_type(label: Label) -> None:
    """Make a type of tags for ROIs.

    Example: `mesmerize config tags add "cell type"`
    """
    add_label(connect(), ROI_TAG_TYPE, label)
    print(f"Made the ROI tag type {label!r}.")


@columns.command("add")
def add_column(
    label: Label,
    kind: Annotated[
        str, typer.Option(help="Of its values: `str`, `int`, `float` or `bool`; it never changes.")
    ],
    default: Annotated[
        str, typer.Option(help="For samples without a value, also those that are there already.")
    ] = "",
) -> None:
    """Make a custom column for samples.

    Example: `mesmerize config columns add dose --kind float --default 0.5`
    """
    add_custom_column(connect(), label, kind, default)
    print(f"Made the custom column {label!r}.")


@cli.command("list")
def list_all(json: Json = False) -> None:
    """List everything that is configured.

    Example: `mesmerize config list`
    """
    database = connect()
    found = {what.command: labelled_rows(database, what) for what in LABELLED}
    if json:
        print(as_json(found))
        return
    for what in LABELLED:
        for row in found[what.command]:
            print(f"{what.words:<16}{row['label']:<24}{_facts(row)}".rstrip())
    if not any(found.values()):
        print("Nothing is configured yet.")


def _facts(row: dict[str, Any]) -> str:
    """Return what else is said of a row."""
    words = [] if row["visible"] else ["hidden"]
    if "kind" in row:
        default = default_of(row)
        words = [row["kind"], "" if default is None else f"default {default}", *words]
    return ", ".join(filter(None, words))
