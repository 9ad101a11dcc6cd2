"""What people have added to ROIs and samples, beside the rows that were fetched of them."""

from typing import Any

import pandas as pd

from schemas.connection import Database
from schemas.custom_columns import default_of, value_of
from schemas.filter_sql import sql_literal
from schemas.labels import CUSTOM_COLUMN, ROI_TAG_TYPE, STIMULUS_TYPE, labelled_rows
from schemas.numbered_rows import appended, newest_periods
from schemas.roi_columns import CUSTOM, STIMULUS, TAG
from schemas.roi_states import RECORDING, ROI

TYPES = {"str": "str", "int": "Int64", "float": "float64", "bool": "boolean"}
"""Types of columns in which a value may be missing."""

MANY = 2000
"""Of so many ROIs, rows are asked for by name; of more, the rows of all are fetched."""


def with_custom(database: Database, found: pd.DataFrame) -> pd.DataFrame:
    """Add the values of the custom columns.

    Parameters
    ----------
    database : Database
        The connected tables.
    found : DataFrame
        With the key of a recording in each row.
    """
    by_number = {row["custom_column_id"]: row for row in labelled_rows(database, CUSTOM_COLUMN)}
    entered = {
        (*(row[name] for name in RECORDING), row["custom_column_id"]): row
        for row in (database.sample.SampleValue().to_dicts() if by_number else ())
    }
    keys = _keys(found, RECORDING)
    for number, column in by_number.items():
        cells = [entered.get((*key, number)) for key in keys]
        held = [
            default_of(column) if cell is None else value_of(cell, column["kind"]) for cell in cells
        ]
        name, dtype = f"{CUSTOM}{column['label']}", TYPES[column["kind"]]
        found[name] = pd.Series(held, found.index, dtype=dtype)
    return found


def with_stimuli(database: Database, found: pd.DataFrame) -> pd.DataFrame:
    """Add the names of the stimuli of each type, each name once.

    Parameters
    ----------
    database : Database
        The connected tables.
    found : DataFrame
        With the key of a recording in each row.
    """
    types = labelled_rows(database, STIMULUS_TYPE)
    names: dict[Any, set[str]] = {}
    for row in newest_periods(database).to_dicts() if types else ():
        key = (*(row[name] for name in RECORDING), row["stimulus_type_id"])
        names.setdefault(key, set()).add(row["name"])
    keys = _keys(found, RECORDING)
    for kind in types:
        number = kind["stimulus_type_id"]
        held = [sorted(names.get((*key, number), ())) for key in keys]
        found[f"{STIMULUS}{kind['label']}"] = pd.Series(held, found.index, dtype=object)
    return found


def with_tags(database: Database, found: pd.DataFrame) -> pd.DataFrame:
    """Add the tags of the ROIs.

    Parameters
    ----------
    database : Database
        The connected tables.
    found : DataFrame
        With the key of a ROI in each row.
    """
    types = labelled_rows(database, ROI_TAG_TYPE)
    rows = _in_turn(database.curation.RoiTag(), found) if types else []
    tags = {(*(row[name] for name in ROI), row["roi_tag_type_id"]): row["tag"] for row in rows}
    keys = _keys(found, ROI)
    for kind in types:
        held = [tags.get((*key, kind["roi_tag_type_id"])) or None for key in keys]
        found[f"{TAG}{kind['label']}"] = pd.Series(held, found.index, dtype="str")
    return found


def with_verdicts(database: Database, found: pd.DataFrame) -> pd.DataFrame:
    """Let ``state``, ``accepted`` and ``reason`` be what people decided, where they did.

    Parameters
    ----------
    database : Database
        The connected tables.
    found : DataFrame
        With the key of a ROI in each row, and ``accepted`` and ``reason`` as they were computed.
    """
    rows = _in_turn(database.curation.Action.Verdict(), found)
    newest = {tuple(row[name] for name in ROI): row for row in rows}
    verdicts = {key: row for key, row in newest.items() if row["state"]}
    as_found = {True: "accepted", False: "rejected"}
    decided = [verdicts.get(key) for key in _keys(found, ROI)]
    states = [
        row["state"] if row else as_found[accepted]
        for row, accepted in zip(decided, found["accepted"], strict=True)
    ]
    found["reason"] = [
        row["reason"] if row else reason
        for row, reason in zip(decided, found["reason"], strict=True)
    ]
    found["accepted"] = [state == "accepted" for state in states]
    found.insert(found.columns.get_loc("accepted"), "state", states)
    return found


def _in_turn(table: Any, found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what people did to the ROIs that were found, and perhaps to more, the last last."""
    if len(found) > MANY:
        return list(table.to_dicts(order_by="action"))
    if found.empty:
        return []
    adapter = table.connection.adapter
    # MySQL may compare every row with the list: the number of the ROI first, which tells most apart
    names = ROI[::-1]
    keys = (
        ", ".join(sql_literal(value, adapter.backend) for value in key)
        for key in _keys(found, names)
    )
    columns = ", ".join(map(adapter.quote_identifier, names))
    chosen = appended(table, f"({columns}) IN ({', '.join(f'({key})' for key in keys)})")
    return list(chosen.to_dicts(order_by="action"))


def _keys(found: pd.DataFrame, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return the key in each row."""
    return list(found[list(names)].itertuples(index=False, name=None))
