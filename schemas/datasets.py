"""Datasets: chosen by a filter, frozen, with the history of how they were chosen."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
from datajoint.errors import DuplicateError

from pipeline.filters import filter_to_dict, pandas_form
from schemas.connection import Database
from schemas.labels import LONGEST_LABEL
from schemas.numbered_rows import among_members
from schemas.roi_states import ROI
from schemas.roi_table import RoiTable, roi_table
from schemas.settings import ProjectError

Key = dict[str, Any]


class Step(NamedTuple):
    """How a dataset was chosen from the one before it, or from all ROIs of samples."""

    name: str
    """Of the dataset."""

    filter_text: str
    """What somebody wrote."""

    sql: str
    """What the server ran."""

    pandas: str
    """The same on the table of all ROIs as a pandas frame ``df``."""

    n_rois: int
    """How many ROIs that left."""


class Described(NamedTuple):
    """What is known of a dataset."""

    dataset_id: int
    """Its number, which never changes."""

    name: str
    """What it is called now."""

    n_rois: int
    """How many ROIs it holds."""

    checksum: str
    """SHA-256 of their keys; equal for equal ROIs."""

    account: str
    """Who made it."""

    made: datetime
    """When."""

    history: tuple[Step, ...]
    """How it was chosen, the first step first."""


def make_dataset(
    database: Database, name: str, filter_text: str, *, parent: str | None = None
) -> Described:
    """Freeze the ROIs that a filter chooses now, under a name.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What people call it.
    filter_text : str
        The filter; see `pipeline.filters.grammar`.
    parent : str or None
        The dataset that it chooses from; None: all ROIs of samples.

    Returns
    -------
    Described
        What was made.

    Raises
    ------
    ProjectError
        If the name cannot be or is there already, there is no such parent, or no ROI is chosen.
    FilterError
        If the filter cannot be read.
    """
    name = checked_name(database, name)
    table = roi_table(database)
    tree = table.parse(filter_text)
    above = None if parent is None else find_dataset(database, parent)
    query = chosen_rois(table, filter_text, parent)
    with database.connection.transaction:
        keys = query.proj().to_dicts()
        if not keys:
            raise ProjectError(f"no ROI fulfils the filter of {name!r}; a dataset holds some.")
        facts = {
            "name": name,
            "parent": above and above["dataset_id"],
            "filter_text": filter_text,
            "filter": filter_to_dict(tree),
            "forms": {
                "sql": query.make_sql(list(ROI)).replace("%%", "%"),
                "pandas": f"df[{pandas_form(tree, table.columns)}]",
            },
            "n_rois": len(keys),
            "checksum": checksum_of(keys),
            "account": database.account,
        }
        _insert(database, facts, query)
    return describe_dataset(database, name)


def chosen_rois(table: RoiTable, filter_text: str, parent: str | None = None) -> Any:
    """Return the query of the ROIs that a filter chooses now.

    Parameters
    ----------
    table : RoiTable
        The table of all ROIs.
    filter_text : str
        The filter.
    parent : str or None
        A dataset; then only ROIs of it.
    """
    query = table.chosen(table.parse(filter_text))
    if parent is None:
        return query
    members = table.database.analysis.Dataset.Roi() & find_dataset(table.database, parent)
    return among_members(table.database, query, members)


def _insert(database: Database, facts: Key, query: Any) -> None:
    """Insert a dataset; its ROIs go from table to table inside the server."""
    table = database.analysis.Dataset
    number = int(max(table().to_arrays("dataset_id"), default=0)) + 1
    try:
        table().insert1({"dataset_id": number, **facts})
    except DuplicateError:
        raise ProjectError("somebody else has made a dataset just now; try again.") from None
    table.Roi().insert(query.proj(dataset_id=str(number)))
    if checksum_of((table.Roi() & {"dataset_id": number}).to_dicts()) != facts["checksum"]:
        raise ProjectError("ROIs were changed while the dataset was made; try again.")


def find_dataset(database: Database, name: str) -> Key:
    """Return the key of a dataset.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.

    Raises
    ------
    ProjectError
        If there is none of that name.
    """
    numbers = _numbers(database)
    if name not in numbers:
        there = ", ".join(numbers) or "none yet"
        raise ProjectError(f"there is no dataset {name!r}; there are: {there}.")
    return {"dataset_id": numbers[name]}


def dataset_rois(database: Database, name: str) -> Any:
    """Return the query of the ROIs of a dataset, with their numbers and footprints.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.
    """
    members = database.analysis.Dataset.Roi() & find_dataset(database, name)
    return database.roi.Segmentation.Roi() & members


def dataset_traces(database: Database, name: str) -> Any:
    """Return the query of the traces of a dataset; a ROI whose traces are not there is left out.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.
    """
    members = database.analysis.Dataset.Roi() & find_dataset(database, name)
    return database.roi.Trace.Roi() & members


def datasets(database: Database) -> pd.DataFrame:
    """List the datasets, in the order in which they were made.

    Returns
    -------
    DataFrame
        ``name``, ``parent`` as a name, ``n_rois``, ``filter_text``, ``account``, ``made``,
        ``checksum``.
    """
    names = ["name", "parent", "n_rois", "filter_text", "account", "made", "checksum"]
    rows = database.analysis.Dataset.proj(*names).to_dicts(order_by="dataset_id")
    by_number = {row["dataset_id"]: row["name"] for row in rows}
    found = pd.DataFrame(rows, columns=names)
    return found.assign(parent=[by_number.get(row["parent"], "") for row in rows])


def describe_dataset(database: Database, name: str) -> Described:
    """Return what is known of a dataset.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.
    """
    table = database.analysis.Dataset()
    row = (table & find_dataset(database, name)).fetch1()
    steps, at = [], row
    while True:
        forms = at["forms"]
        words = (at["name"], at["filter_text"], forms["sql"], forms["pandas"], at["n_rois"])
        steps.append(Step(*words))
        if at["parent"] is None:
            break
        at = (table & {"dataset_id": at["parent"]}).fetch1()
    facts = {field: row[field] for field in Described._fields if field != "history"}
    return Described(**facts, history=tuple(reversed(steps)))


def checksum_of(keys: Iterable[Key]) -> str:
    """Return the SHA-256 of keys of ROIs, whatever their order."""
    lines = sorted(json.dumps([key[name] for name in ROI]) for key in keys)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _numbers(database: Database) -> dict[str, int]:
    """Return the number of each dataset by its name."""
    rows = database.analysis.Dataset.proj("name").to_dicts(order_by="dataset_id")
    return {str(row["name"]): int(row["dataset_id"]) for row in rows}


def checked_name(database: Database, name: str) -> str:
    """Return a name that a dataset may get, or refuse it."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_LABEL or not name.isprintable():
        raise ProjectError(f"the name of a dataset has 1 to {LONGEST_LABEL} letters; got {name!r}.")
    if name.lower() in map(str.lower, _numbers(database)):  # to MySQL, they are the same
        raise ProjectError(f"there is a dataset {name!r} already.")
    return name
