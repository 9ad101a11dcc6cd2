"""ROIs: listed, drawn, judged, tagged, merged and split; every change can be undone."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from apps import queries
from apps.cli.roi_choice import Animal, Chosen, Params, Session, Trial_, chosen_segmentation
from apps.counting import counted
from apps.tables import as_json
from pipeline.rois import rois_of_shapes
from pipeline.rois.shape_files import NamedShapes, read_shapes
from schemas import roi_edits
from schemas.action_history import history
from schemas.actions import judge_rois
from schemas.connection import connect
from schemas.ingest import Trial
from schemas.roi_sets import enter_rois, frame_shape
from schemas.roi_tags import known_tags, tag_rois, tags_of
from schemas.settings import ProjectError
from schemas.undoing import undo_action

cli = typer.Typer(
    help="ROIs: what they are now, and what people decide about them.", no_args_is_help=True
)

Rois = Annotated[list[int], typer.Argument(metavar="ROI…", help="Numbers of ROIs.")]
Shapes = Annotated[
    Path, typer.Argument(help="Shapes: .json, or .csv with name, row_px, col_px of each corner.")
]
Because = Annotated[str, typer.Option(help="Why, in words.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@cli.command("list")
def list_rois(
    animal: Animal, session: Session, trial: Trial_, params: Params = None, json: Json = False
) -> None:
    """List the ROIs of a recording as they are now, with their tags.

    Example: `mesmerize rois list --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    table = queries.rois(chosen.database, chosen.key).drop(columns=["contour_px", "accepted"])
    for label, tags in tags_of(chosen.database, chosen.key).items():
        table[label] = [tags.get(roi_id, "") for roi_id in table["roi_id"]]
    if json:
        print(_json(table))
        return
    shown = table.dropna(axis=1, how="all")
    print(shown.to_string(index=False, float_format="{:.4g}".format) if len(shown) else "No ROIs.")


@cli.command()
def draw(
    shapes: Shapes,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Annotated[
        str | None, typer.Option(help="Parameter set of the method manual; else standard values.")
    ] = None,
    motion: Annotated[
        str | None, typer.Option(help="Motion parameters whose corrected movie is measured.")
    ] = None,
) -> None:
    """Make a segmentation of shapes in a file; a changed file makes a new one.

    Example: `mesmerize rois draw cells.json --animal m1 --session 2026-11-22 --trial t1`
    """
    database = connect()
    key = dict(Trial(animal=animal, session=session, trial=trial).key)
    found = read_shapes(shapes)
    size = frame_shape(database, key)
    rois = rois_of_shapes(found.shapes, size, names=found.names, file=shapes.name)
    enter_rois(database, key, rois, params=params, motion=motion)
    print(
        f"Entered {counted(len(found.shapes), 'ROI')}; their traces are measured by: mesmerize work"
    )


@cli.command()
def add(
    shapes: Shapes, animal: Animal, session: Session, trial: Trial_, params: Params = None
) -> None:
    """Add shapes in a file to the ROIs of a segmentation.

    Example: `mesmerize rois add more.json --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    found = read_shapes(shapes)
    new = roi_edits.add_rois(chosen.database, chosen.key, found.shapes, names=found.names)
    _print_new(new)


@cli.command()
def accept(
    rois: Rois,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
    because: Because = "",
) -> None:
    """Accept ROIs as cells.

    Example: `mesmerize rois accept 3 17 --animal m1 --session 2026-11-22 --trial t1`
    """
    _judge(chosen_segmentation(animal, session, trial, params), rois, "accepted", because)


@cli.command()
def reject(
    rois: Rois,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
    because: Because = "",
) -> None:
    """Reject ROIs: they are no cells.

    Example: `mesmerize rois reject 5 --because vessel --animal m1 --session 2026-11-22 --trial t1`
    """
    _judge(chosen_segmentation(animal, session, trial, params), rois, "rejected", because)


@cli.command()
def exclude(
    rois: Rois,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
    because: Because = "",
) -> None:
    """Leave ROIs out of analysis, though they are cells; `accept` takes them in again.

    Example: `mesmerize rois exclude 5 --animal m1 --session 2026-11-22 --trial t1`
    """
    _judge(chosen_segmentation(animal, session, trial, params), rois, "excluded", because)


def _judge(chosen: Chosen, rois: list[int], state: str, because: str) -> None:
    action = judge_rois(chosen.database, chosen.key, rois, state, reason=because)
    print(f"{len(set(rois))} ROIs are {state} (action {action}).")


@cli.command()
def merge(
    rois: Rois, animal: Animal, session: Session, trial: Trial_, params: Params = None
) -> None:
    """Make one ROI of several, which are rejected then.

    Example: `mesmerize rois merge 3 17 --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    _print_new([roi_edits.merge_rois(chosen.database, chosen.key, rois)])


@cli.command()
def split(
    roi: Annotated[int, typer.Argument(help="Number of the ROI.")],
    shapes: Shapes,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
) -> None:
    """Make several ROIs of one: what of it lies in each shape of a file.

    Example: `mesmerize rois split 3 halves.json --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    found = read_shapes(shapes)
    _print_new(roi_edits.split_roi(chosen.database, chosen.key, roi, found.shapes))


@cli.command()
def redraw(
    roi: Annotated[int, typer.Argument(help="Number of the ROI.")],
    shapes: Shapes,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
) -> None:
    """Give a ROI the shape in a file: a new ROI takes its place.

    Example: `mesmerize rois redraw 3 shape.json --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    shape = _only(read_shapes(shapes), shapes)
    _print_new([roi_edits.redraw_roi(chosen.database, chosen.key, roi, shape)])


@cli.command()
def tag(
    tags: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="TYPE=TAG",
            help="A tag type and the tag; may be given several times. Without a tag: none.",
        ),
    ],
    rois: Rois,
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
) -> None:
    """Tag ROIs.

    Example: `mesmerize rois tag 3 17 --set region=CA1 --animal m1 --session 2026-11-22 --trial t1`
    """
    pairs = [text.partition("=") for text in tags]
    if not all(equals for _, equals, _ in pairs):
        raise ProjectError(f"--set is written as TYPE=TAG; got {' '.join(tags)!r}.")
    chosen = chosen_segmentation(animal, session, trial, params)
    wanted = {label: value for label, _, value in pairs}
    action = tag_rois(chosen.database, chosen.key, rois, wanted)
    print(f"Tagged {counted(len(set(rois)), 'ROI')} (action {action}).")


@cli.command()
def tags(
    label: Annotated[str, typer.Argument(metavar="TYPE", help="A ROI tag type.")],
) -> None:
    """List the tags of a type that are in use, the most frequent first.

    Example: `mesmerize rois tags region`
    """
    print("\n".join(known_tags(connect(), label)) or "No ROI has a tag of this type.")


@cli.command()
def undo(
    animal: Animal,
    session: Session,
    trial: Trial_,
    params: Params = None,
    action: Annotated[
        int | None, typer.Option(help="Number of the action, also of an undo; else the last one.")
    ] = None,
) -> None:
    """Undo what was done to the ROIs of a segmentation, by `rois history`.

    Example: `mesmerize rois undo --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    undone = undo_action(chosen.database, chosen.key, action)
    print(f"Action {undone} is undone.")


@cli.command("history")
def show_history(
    animal: Animal, session: Session, trial: Trial_, params: Params = None, json: Json = False
) -> None:
    """List what was done to the ROIs of a segmentation, by whom and when, the newest first.

    Example: `mesmerize rois history --animal m1 --session 2026-11-22 --trial t1`
    """
    chosen = chosen_segmentation(animal, session, trial, params)
    table = history(chosen.database, chosen.key)
    if json:
        print(_json(table))
        return
    shown = table.assign(made=table["made"].astype(str).str[:19]).drop(columns="undoes")
    print(shown.to_string(index=False) if len(shown) else "Nothing was done to these ROIs yet.")


def _json(table: pd.DataFrame) -> str:
    """Return the rows of a table as JSON; what is not known is null."""
    return as_json(table.astype(object).where(table.notna(), None).to_dict("records"))


def _only(found: NamedShapes, path: Path) -> roi_edits.Shape:
    """Return the only shape of a file."""
    if len(found.shapes) != 1:
        raise ProjectError(f"{path.name} must hold one shape; it holds {len(found.shapes)}.")
    return found.shapes[0]


def _print_new(numbers: list[int]) -> None:
    """Say which ROIs are new."""
    said = ", ".join(map(str, numbers))
    print(f"New: ROI {said}; traces are measured by: mesmerize work")
