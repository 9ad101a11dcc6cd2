"""Parameter sets: listed, shown, added, deleted."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from pipeline.extraction.methods import DEFAULT_METHOD, find_method
from pipeline.motion import MotionParams
from pipeline.params import params_from_dict
from schemas.connection import Database, connect
from schemas.deletion import delete_params
from schemas.params import add_params, find_params

cli = typer.Typer(help="Parameter sets: list, show, add, delete.", no_args_is_help=True)


class Step(StrEnum):
    """The steps that take parameters."""

    MOTION = "motion"
    SEGMENTATION = "segmentation"


def kind_of(step: Step, method: str | None) -> type:
    """Return the settings of a step; only a segmentation has a choice of methods.

    Raises
    ------
    ValueError
        If there is no such method, or the step has none to choose.
    """
    if step is Step.SEGMENTATION:
        return find_method(method or DEFAULT_METHOD).params
    if method is not None:
        raise ValueError(f"{step} has no choice of methods; got --method {method}: leave it out.")
    return MotionParams


def table_of(database: Database, step: Step) -> Any:
    """Return the table of a step's parameter sets."""
    if step is Step.MOTION:
        return database.motion.MotionParams
    return database.roi.SegmentationParams


def tasks_of(database: Database, step: Step) -> Any:
    """Return the table of what was asked for with the parameter sets of a step."""
    if step is Step.MOTION:
        return database.motion.MotionTask
    return database.roi.SegmentationTask


@cli.command("list")
def list_params() -> None:
    """List the parameter sets of every step.

    Example: `mesmerize params list`
    """
    database = connect()
    for step in Step:
        for name in sorted(table_of(database, step).to_arrays("name")):
            print(f"{step:<14}{name}")


@cli.command()
def show(
    step: Annotated[Step, typer.Argument(help="The step.")],
    name: Annotated[str, typer.Argument(help="Name of the parameter set.")],
) -> None:
    """Print the values of a parameter set as JSON.

    Example: `mesmerize params show motion default`
    """
    table = table_of(connect(), step)
    print(json.dumps((table & find_params(table, name)).fetch1("params"), indent=2))


@cli.command()
def add(
    step: Annotated[Step, typer.Argument(help="The step.")],
    name: Annotated[str, typer.Argument(help="Name of the new parameter set.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE", help="Values as JSON; the others are defaults."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="How a segmentation finds ROIs.", show_default=DEFAULT_METHOD)
    ] = None,
) -> None:
    """Store a parameter set; it is checked first and never changes afterwards.

    Example: `mesmerize params add segmentation large 'gsig_px=[8, 8]' min_snr=3`
    """
    params = params_from_dict(kind_of(step, method), dict(map(parse_value, values or [])))
    add_params(table_of(connect(), step), name, params)
    print(f"Stored {step} parameters {name!r}.")


@cli.command()
def delete(
    step: Annotated[Step, typer.Argument(help="The step.")],
    name: Annotated[str, typer.Argument(help="Name of the parameter set.")],
) -> None:
    """Delete a parameter set that was never used; one with tasks stays.

    Example: `mesmerize params delete motion rigid`
    """
    database = connect()
    delete_params(table_of(database, step), tasks_of(database, step), name)
    print(f"Deleted {step} parameters {name!r}.")


def parse_value(text: str) -> tuple[str, Any]:
    """Split ``field=value``; the value is JSON, or a plain word.

    Raises
    ------
    ValueError
        If there is no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"a value must be given as FIELD=VALUE; got {text!r}.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
