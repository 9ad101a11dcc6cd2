"""Datasets: ROIs chosen by a filter, and the filters themselves."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from apps import tables
from apps.counting import counted
from apps.table_files import check_table_file, save_table
from pipeline.filters import short_name
from pipeline.filters.columns import KINDS
from schemas import dataset_keeping, datasets
from schemas.connection import connect
from schemas.roi_table import Page, count_rois, fetch_rois, roi_table
from schemas.settings import ProjectError

cli = typer.Typer(
    help="ROIs chosen by a filter, kept under a name; which they are never changes.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset.")]
FilterText = Annotated[
    str, typer.Argument(metavar="FILTER", help="As `accepted and snr > 5`; empty: all.")
]
Parent = Annotated[
    str | None, typer.Option("--from", metavar="NAME", help="Choose from this dataset alone.")
]
SHOWN = ("sample_id", "roi_id", "accepted", "snr", "area_px", "comments")
"""Columns that are printed where nobody says which."""


@cli.command("columns")
def list_columns() -> None:
    """List what a filter may ask for.

    Example: `mesmerize datasets columns`
    """
    for column in roi_table(connect()).columns.by_name.values():
        print(f"{column.name:<24}{KINDS[column.kind]:<18}{column.help}")


@cli.command("filter")
def filter_rois(
    filter_text: FilterText,
    parent: Parent = None,
    columns: Annotated[
        str, typer.Option(help="Columns to print, with commas between them.")
    ] = ",".join(SHOWN),
    limit: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option(help="A new file for all rows and columns: .csv, .tsv, .xlsx or .parquet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Print the ROIs of samples that fulfil a filter, and how many there are.

    Example: `mesmerize datasets filter 'accepted and snr > 5 and not comments: bad focus'`
    """
    if out is not None:
        check_table_file(out)
    table = roi_table(connect())
    query = datasets.chosen_rois(table, filter_text, parent)
    if out is not None:
        found = fetch_rois(table, query)
        save_table(found, out)
        print(f"Wrote {len(found)} ROIs into {out}.")
        return
    names = [table.columns.find(name.strip()).name for name in columns.split(",")]
    found = fetch_rois(table, query, Page(limit))[names].rename(columns=short_name)
    if as_json:
        print(tables.as_json(found.to_dict("records")))
        return
    if len(found):
        print(_printed(found))
    count = count_rois(table, query)
    of = counted(count.samples, "sample"), counted(count.animals, "animal")
    print(" of ".join((counted(count.rois, "ROI"), *of)))


@cli.command("new")
def new(name: Name, filter_text: FilterText = "", parent: Parent = None) -> None:
    """Keep the ROIs that fulfil a filter now.

    Example: `mesmerize datasets new bright 'accepted and snr > 5'`
    """
    made = datasets.make_dataset(connect(), name, filter_text, parent=parent)
    print(f"The dataset {made.name!r} holds {counted(made.n_rois, 'ROI')}.")


@cli.command("list")
def list_datasets() -> None:
    """List the datasets.

    Example: `mesmerize datasets list`
    """
    found = datasets.datasets(connect())
    if found.empty:
        print("There are no datasets yet.")
        return
    print(_printed(found[["name", "parent", "n_rois", "filter_text", "account", "made"]]))


@cli.command("show")
def show(
    name: Name, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show how a dataset was chosen, as text, as SQL and as a pandas expression.

    Example: `mesmerize datasets show bright`
    """
    database = connect()
    dataset_keeping.check_dataset(database, name)
    found = datasets.describe_dataset(database, name)
    if as_json:
        history = [step._asdict() for step in found.history]
        print(tables.as_json({**found._asdict(), "history": history}))
        return
    print(f"{found.name}: {found.n_rois:,} ROIs, made by {found.account}, {found.made}")
    print(f"checksum {found.checksum}")
    for step in found.history:
        print(f"\n{step.name}: {step.filter_text or 'all ROIs'}  →  {step.n_rois:,} ROIs")
        print(f"  SQL     {step.sql}\n  pandas  {step.pandas}")


@cli.command("rename")
def rename(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]
) -> None:
    """Call a dataset by another name.

    Example: `mesmerize datasets rename bright cells`
    """
    dataset_keeping.rename_dataset(connect(), name, new_name)
    print(f"{name!r} is called {new_name!r} now.")


@cli.command("delete")
def delete(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Delete a dataset; its ROIs stay.

    Example: `mesmerize datasets delete bright`
    """
    database = connect()
    found = datasets.describe_dataset(database, name)
    question = f"Delete the dataset {name!r} of {found.n_rois:,} ROIs? The ROIs stay."
    if not yes and not typer.confirm(question):
        raise ProjectError("nothing was deleted.")
    dataset_keeping.delete_dataset(database, name)
    print(f"The dataset {name!r} is deleted.")


def _printed(found: pd.DataFrame) -> str:
    """Return a table for a terminal."""
    return str(found.to_string(index=False, na_rep=""))
