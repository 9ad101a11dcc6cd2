"""The stimuli of a recording: behind its traces, and as tables that can be changed."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.auxiliary_view import show_auxiliary
from apps.browser.session import why_not, with_database
from pipeline.stimuli import SUFFIXES, UNITS, choose_columns, read_stimulus_table
from schemas import stimuli
from schemas.connection import Database
from schemas.settings import ProjectError

ENTERING = "analyst"
"""The role that it takes to enter stimuli."""

UNIT_WORDS = {"s": "seconds", "frames": "frames"}
ENDS = {"s": ("start_s", "end_s"), "frames": ("start_frame", "stop_frame")}
COLUMNS = {
    "name": st.column_config.TextColumn("Stimulus", required=True, max_chars=64),
    "start": st.column_config.NumberColumn("Begin", required=True),
    "end": st.column_config.NumberColumn("End", required=True),
    "color": st.column_config.TextColumn("Colour", help="As #1f77b4; empty: chosen for you."),
}
NONE = "none"


def choose_stimuli(database: Database, recording: queries.Key) -> pd.DataFrame | None:
    """Let somebody choose which stimuli are shaded behind traces; None: none, or there are none.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        A key that holds that of the recording.
    """
    key = {name: recording[name] for name in queries.RECORDING}
    found = {p.label: p.table for p in stimuli.stimulus_periods(database, key) if len(p.table)}
    if not found:
        return None
    label = st.segmented_control(
        "Stimuli", [*found, NONE], default=next(iter(found)), required=True, key="shaded stimuli"
    )
    return found.get(label)


@st.fragment
@with_database
def show_stimuli(database: Database, key: queries.Key) -> None:
    """Show the stimulus periods of a recording, and let them be entered, changed and imported."""
    reason = why_not(database, ENTERING)
    types = stimuli.stimulus_types(database)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("New stimulus type", key="new stimulus type", max_chars=64, width=260)
        st.button("Add", on_click=_add_type, disabled=reason is not None, help=reason)
    if not types:
        st.info("There are no stimulus types yet, such as odour or orientation.")
        return
    if not queries.movie_facts(database, key):
        st.info("Stimuli can be entered when the movie was read: compute it with `mesmerize work`.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Stimulus type", types, key="stimulus type", width=260)
        unit = st.segmented_control(
            "Unit", UNITS, default=UNITS[0], required=True, format_func=UNIT_WORDS.get, key="unit"
        )
    _edit(database, key, label, unit, reason)
    _import(key, types, reason)
    show_auxiliary(database, key, types, reason, _take_over)


def _edit(database: Database, key: queries.Key, label: str, unit: str, reason: str | None) -> None:
    """Show the periods of a type as a table that can be changed."""
    found = {p.label: p for p in stimuli.stimulus_periods(database, key)}.get(label)
    version = found.version if found else 0
    table = found.table if found else pd.DataFrame(columns=list(stimuli.PERIOD))
    start, end = ENDS[unit]
    names = {"name": "name", start: "start", end: "end", "color": "color"}
    editable = table[list(names)].rename(columns=names)
    editable = editable.astype({"start": float, "end": float, "name": str, "color": str})
    changed = st.data_editor(
        editable,
        num_rows="dynamic",
        hide_index=True,
        column_config=COLUMNS,
        disabled=reason is not None,
        key=f"periods {label} {unit} {version}",
    )
    rights: dict[str, Any] = {"disabled": reason is not None, "help": reason}
    with st.container(horizontal=True):
        args = (key, label, changed, unit, version)
        st.button("Save", type="primary", on_click=_save, args=args, **rights)
        st.button("Undo the last change", on_click=_undo, args=(key, label), **rights)
        text = table.assign(type=label)[["type", *stimuli.PERIOD]].to_csv(index=False)
        st.download_button("Download", text, f"{key['trial']} {label}.csv", on_click="ignore")


def _import(key: queries.Key, types: list[str], reason: str | None) -> None:
    """Let periods of several types be taken from a file."""
    with st.expander("From a file"):
        file = st.file_uploader("Table", type=[suffix[1:] for suffix in SUFFIXES], key="stimuli")
        if file is None:
            return
        try:
            table = _read(file)
        except (ValueError, OSError) as error:
            st.error(str(error))
            return
        st.dataframe(table.head(20), hide_index=True)
        columns = list(table.columns)
        with st.container(horizontal=True):
            start = st.selectbox("Begin", columns, index=_place(columns, "start"), key="begin in")
            end = st.selectbox("End", columns, index=_place(columns, "end"), key="end in")
            unit = st.selectbox("In", UNITS, format_func=UNIT_WORDS.get, key="unit of the file")
        chosen = {
            label: st.selectbox(
                f"Names of {label}",
                columns,
                index=None,
                placeholder="not in it",
                key=f"for {label}",
            )
            for label in types
        }
        mapping = {label: column for label, column in chosen.items() if column}
        st.button(
            "Import",
            type="primary",
            on_click=_import_all,
            args=(key, table, mapping, (start, end), (unit, file.name)),
            disabled=reason is not None or not mapping,
            help=reason,
        )


def _place(columns: list[str], name: str) -> int | None:
    """Return where a column of a name is, if anywhere."""
    return columns.index(name) if name in columns else None


def _read(file: Any) -> pd.DataFrame:
    """Return the table of an uploaded file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"table{Path(file.name).suffix}"
        path.write_bytes(file.getvalue())
        return read_stimulus_table(path)


@with_database
def _add_type(database: Database) -> None:
    stimuli.add_stimulus_type(database, st.session_state["new stimulus type"])
    st.session_state["new stimulus type"] = ""


@with_database
def _save(
    database: Database,
    key: queries.Key,
    label: str,
    table: pd.DataFrame,
    unit: str,
    version: int,
) -> None:
    placed = {label: _placed(database, key, table, unit)}
    stimuli.enter_periods(database, key, placed, after=version)
    _toast(placed)


@with_database
def _undo(database: Database, key: queries.Key, label: str) -> None:
    stimuli.undo_periods(database, key, label)
    st.toast("The periods are again those of before the last change.")


@with_database
def _import_all(
    database: Database,
    key: queries.Key,
    table: pd.DataFrame,
    mapping: dict[str, str],
    ends: tuple[str, str],
    file: tuple[str, str],
) -> None:
    unit, name = file
    placed = {
        label: _placed(
            database, key, choose_columns(table, column, start=ends[0], end=ends[1]), unit
        )
        for label, column in mapping.items()
    }
    stimuli.enter_periods(database, key, placed, source=name)
    _toast(placed)


@with_database
def _take_over(
    database: Database, key: queries.Key, tables: dict[str, pd.DataFrame], source: str
) -> None:
    placed = {label: _placed(database, key, table, "s") for label, table in tables.items()}
    stimuli.enter_periods(database, key, placed, source=source[-stimuli.LONGEST_SOURCE :])
    _toast(placed)


def _placed(database: Database, key: queries.Key, table: pd.DataFrame, unit: str) -> stimuli.Placed:
    """Return where periods lie, or refuse them in a sentence."""
    try:
        return stimuli.place(database, key, table, unit=unit)
    except ValueError as error:
        raise ProjectError(str(error)) from error


def _toast(placed: dict[str, stimuli.Placed]) -> None:
    """Say what was stored."""
    for label, found in placed.items():
        st.toast(f"{label}: {stimuli.said(found)}.", icon=":material/check:", duration="long")
