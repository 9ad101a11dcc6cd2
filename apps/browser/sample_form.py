"""The fields of a sample: its name, its comments, its custom values."""

from typing import Any

import streamlit as st

from schemas.connection import Database
from schemas.custom_columns import LONGEST_TEXT, custom_columns, default_of, typed, value_of
from schemas.ingest import SEPARATOR
from schemas.samples import LONGEST_COMMENT

TRUTH_WORDS = {None: "unknown", True: "true", False: "false"}


def with_values(database: Database, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a sample, or of a recording that is none yet, with its ``values``.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        With the key of the recording.
    """
    table = database.sample.SampleValue()
    key = {name: row[name] for name in database.sample.Sample.primary_key}
    there = {each["custom_column_id"]: each for each in (table & key).to_dicts()}
    values = {}
    for label, column in custom_columns(database).items():
        found = there.get(column["custom_column_id"])
        values[label] = default_of(column) if found is None else value_of(found, column["kind"])
    return {**row, "values": values}


def field_key(row: dict[str, Any], name: str) -> str:
    """Return the key of a field: a sample that was changed has new ones."""
    return f"{name} of {row['animal_id']} {row['session']} {row['trial']} {row['version']}"


def show_fields(database: Database, row: dict[str, Any], *, disabled: bool) -> None:
    """Show the fields of a sample.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        From `with_values`.
    disabled : bool
        Whether this account may not change them.
    """
    st.text_input(
        "TrialID",
        value=trial_id_of(row),
        key=field_key(row, "TrialID"),
        max_chars=64,
        disabled=disabled,
        width=340,
        help=f"The SampleID is AnimalID{SEPARATOR}TrialID, once in a project.",
    )
    st.text_area(
        "Comments",
        value=row["comments"],
        key=field_key(row, "comments"),
        max_chars=LONGEST_COMMENT,
        disabled=disabled,
    )
    columns = [each for each in custom_columns(database).items() if each[0] in row["values"]]
    with st.container(horizontal=True):
        for label, column in columns:
            _show_value(row, label, column["kind"], disabled=disabled)


def _show_value(row: dict[str, Any], label: str, kind: str, *, disabled: bool) -> None:
    """Show the field of a custom column; an empty one is unknown."""
    value, key = row["values"][label], field_key(row, f"value {label}")
    if kind == "bool":
        words = list(TRUTH_WORDS)
        st.selectbox(
            label,
            words,
            index=words.index(value),
            format_func=TRUTH_WORDS.get,
            key=key,
            disabled=disabled,
            width=220,
        )
        return
    st.text_input(
        label,
        value="" if value is None else str(value).removesuffix(".0" if kind == "float" else ""),
        key=key,
        max_chars=LONGEST_TEXT,
        placeholder="unknown",
        disabled=disabled,
        width=220,
    )


def trial_id_of(row: dict[str, Any]) -> str:
    """Return the second part of a SampleID; of a recording that is no sample, its trial."""
    sample_id = row.get("sample_id")
    return str(sample_id).partition(SEPARATOR)[2] if sample_id else str(row["trial"])


def entered(database: Database, row: dict[str, Any]) -> dict[str, Any]:
    """Return what was entered in the fields, of values and names only those that changed.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        That the fields were shown with.

    Returns
    -------
    dict
        ``trial_id``, ``comments`` and ``values``, as `schemas.samples` takes them.

    Raises
    ------
    ProjectError
        If a value is not of its kind.
    """
    state = st.session_state
    trial_id, comments = (state[field_key(row, name)] for name in ("TrialID", "comments"))
    values = {}
    for label, column in custom_columns(database).items():
        key = field_key(row, f"value {label}")
        if key in state:
            value = typed(label, column["kind"], state[key])
            if value != row["values"].get(label):
                values[label] = value
    return {
        "trial_id": None if trial_id == trial_id_of(row) else trial_id,
        "comments": None if comments == row["comments"] else comments,
        "values": values,
    }
