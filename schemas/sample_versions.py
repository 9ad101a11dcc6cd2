"""The history of samples: what each was after every change, and who made it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.custom_columns import KINDS, custom_columns, default_of, value_of
from schemas.labels import Key
from schemas.settings import ProjectError

STATE = ("sample_id", "segmentation_id", "comments")
"""What a version says of a sample, beside its custom values."""


def write_version(
    database: Database,
    new: Mapping[str, Any],
    change_made: str,
    given: Mapping[int, Key],
    *,
    before: Mapping[str, Any] | None = None,
    after: int | None = None,
) -> int:
    """Write the next version of a sample, inside a transaction; of two people, one can.

    Parameters
    ----------
    database : Database
        The connected tables.
    new : mapping
        The sample after the change: its key and `STATE`.
    change_made : str
        What is done to it, in a word.
    given : mapping
        New values by the number of the custom column, from `typed_values`.
    before : mapping or None
        The sample before the change; None: it was none.
    after : int or None
        The version that the person saw who changes it; None: the newest.

    Returns
    -------
    int
        The number of the version.

    Raises
    ------
    ProjectError
        If somebody else has changed the sample since that version.
    """
    key = {name: new[name] for name in database.sample.Sample.primary_key}
    newest = newest_version(database, key)
    number = int(newest["version"]) if newest else 0
    if before is not None:
        if after is not None and after != before["version"]:
            raise _changed(new, newest)
        known = newest
        if known and known["change_made"] == "removed" and database.sample.Sample() & key:
            known = None  # its row was entered anew in SQL
        if known is not None and known["version"] != before["version"]:
            raise _changed(new, newest)  # between two of our questions
        if known is None or any(known[name] != before[name] for name in STATE):
            number += 1  # somebody changed the row of the sample in SQL or in a notebook
            _insert(database, before, number, "found", newest)
    _insert(database, new, number + 1, change_made, newest)
    values = ({**key, "version": number + 1, "custom_column_id": i, **v} for i, v in given.items())
    database.sample.SampleValueVersion().insert(values)
    return number + 1


def newest_version(database: Database, key: Key) -> Key | None:
    """Return the newest version of a sample; None: there is none."""
    table = database.sample.SampleVersion() & key
    found = table.to_dicts(order_by="version DESC", limit=1)
    return dict(found[0]) if found else None


def state_before(database: Database, row: Key) -> Key:
    """Return what a sample was before its last change.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        Of the sample.

    Raises
    ------
    ProjectError
        If it was not changed since it was made.
    """
    table = database.sample.SampleVersion()
    key = {name: row[name] for name in database.sample.Sample.primary_key}
    of_last = (table & {**key, "version": row["version"]}).to_arrays("change_made")
    if not len(of_last) or of_last[0] in ("added", "restored"):
        raise ProjectError(
            f"nothing was changed of the sample {row['sample_id']!r} since it was made."
        )
    found = (table & {**key, "version": row["version"] - 1}).proj(*STATE).fetch1()
    return {name: found[name] for name in STATE}


def values_before(
    database: Database, row: Key, version: int, *, changed_in: int | None = None
) -> dict[int, Key]:
    """Return the custom values that a sample had before a version.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        Holds the key of the sample.
    version : int
        The version.
    changed_in : int or None
        Only columns that this version changed; None: all.

    Returns
    -------
    dict
        As `schemas.custom_columns.typed_values` returns them.
    """
    key = {name: row[name] for name in database.sample.Sample.primary_key}
    names = [f"{kind}_value" for kind in KINDS]
    found: dict[int, Key] = {}
    for column in custom_columns(database).values():
        value = {name: None for name in names}
        value[f"{column['kind']}_value"] = default_of(column)
        found[int(column["custom_column_id"])] = value
    table = database.sample.SampleValueVersion() & key
    rows = table.to_dicts(order_by="version")
    for entry in rows:
        if entry["version"] < version:
            found[entry["custom_column_id"]] = {name: entry[name] for name in names}
    if changed_in is None:
        return found
    changed = {entry["custom_column_id"] for entry in rows if entry["version"] == changed_in}
    return {number: value for number, value in found.items() if number in changed}


def sample_history(database: Database, sample_id: str) -> pd.DataFrame:
    """List the versions of a sample, also of a removed one, the newest first.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        A SampleID that it has or had.

    Returns
    -------
    DataFrame
        ``version``, ``change_made``, ``entered``, ``account``, ``sample_id``, ``comments``,
        ``segmentation_id``, and ``values``: what was entered in custom columns, as text.

    Raises
    ------
    ProjectError
        If there was never such a sample.
    """
    table = database.sample.SampleVersion()
    keys = [dict(key) for key in (table & {"sample_id": sample_id}).proj().to_dicts()]
    if not keys:
        raise ProjectError(f"there is no history of a sample {sample_id!r}.")
    recordings = [{name: key[name] for name in key if name != "version"} for key in keys]
    columns = {int(c["custom_column_id"]): c for c in custom_columns(database).values()}
    entered: dict[Any, list[str]] = {}
    for row in (database.sample.SampleValueVersion() & recordings).to_dicts():
        column = columns[row["custom_column_id"]]
        words = f"{column['label']} = {value_of(row, column['kind'])}"
        entered.setdefault((row["session"], row["version"]), []).append(words)
    rows = (table & recordings).to_dicts(order_by="entered DESC, version DESC")
    names = ["version", "change_made", "entered", "account", *STATE]
    found = pd.DataFrame(rows, columns=[*names, "session"])
    of_version = zip(found.pop("session"), found["version"], strict=True)
    return found.assign(values=[", ".join(entered.get(pair, [])) for pair in of_version])


def _insert(
    database: Database,
    state: Mapping[str, Any],
    number: int,
    change_made: str,
    newest: Mapping[str, Any] | None,
) -> None:
    """Insert one version; somebody else may have been faster."""
    key = {name: state[name] for name in database.sample.Sample.primary_key}
    row = {
        **key,
        "version": number,
        "change_made": change_made,
        **{name: state[name] for name in STATE},
        "account": database.account,
    }
    try:
        database.sample.SampleVersion().insert1(row)
    except DuplicateError:
        raise _changed(state, newest) from None


def _changed(state: Mapping[str, Any], newest: Mapping[str, Any] | None) -> ProjectError:
    """Say that somebody else was faster, and who, where that is known."""
    who = f"{newest['account']!r}" if newest else "somebody else"
    return ProjectError(
        f"{who} has changed the sample {state['sample_id']!r} meanwhile; nothing of yours was "
        "stored: look at it, then try again."
    )
