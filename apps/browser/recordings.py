"""Recordings: a table to filter, and to open one from."""

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.session import with_database
from apps.browser.steps import STEPS, SYMBOLS
from schemas.connection import Database

OPENED = "opened recordings"
COLUMNS = {
    "animal_id": "Animal",
    "session": "Session",
    "trial": "Trial",
    "session_date": st.column_config.DateColumn("Date", format="YYYY-MM-DD"),
    "n_frames": st.column_config.NumberColumn("Frames", format="localized"),
    "rate_hz": st.column_config.NumberColumn("Rate (Hz)", format="%.4g"),
    "duration_s": st.column_config.NumberColumn("Duration (s)", format="%.1f"),
    "size": "Size (px)",
    "n_planes": "Planes",
    "n_accepted": st.column_config.NumberColumn("ROIs", help="accepted"),
    "n_rois": st.column_config.NumberColumn("of", help="with the rejected ones"),
    "recording_info": "Info",
    "motion_correction": "Motion",
    "seed_inspection": "Seeds",
    "segmentation": "Segmentation",
    "trace": "Traces",
}


@with_database
def show(database: Database) -> None:
    """Show the page."""
    st.query_params.clear()  # the way back leads here with those of the recording
    st.title("Recordings")
    table = queries.recordings(database)
    if table.empty:
        st.info("There is no recording yet. The Home page tells how to begin.")
        return
    found = _filtered(table)
    st.caption(f"{len(found)} of {len(table)} recordings; click one to open it.")
    picked = st.dataframe(
        _readable(found),
        hide_index=True,
        column_config=COLUMNS,
        column_order=list(COLUMNS),
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        placeholder="",
        # a new table after each opening: what was clicked before is not clicked again
        key=f"recordings {st.session_state.get(OPENED, 0)}",
    )
    _open(found, picked["selection"])


def _filtered(table: pd.DataFrame) -> pd.DataFrame:
    """Ask for the filters, and return the recordings that pass them."""
    words, days, states = st.columns([3, 2, 2])
    text = words.text_input(
        "Find", placeholder="part of an animal, session or trial", live=True, type="search"
    )
    period = days.date_input("Session from – to", value=(), format="YYYY-MM-DD")
    wanted = states.multiselect("With a step that is", list(SYMBOLS))
    return queries.filter_recordings(table, text=text or "", period=period, states=wanted)


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Put the size in a column, and the states in words with a mark."""
    sizes = [
        "" if pd.isna(rows) else f"{rows:.0f} × {cols:.0f}"
        for rows, cols in zip(table["n_rows"], table["n_cols"], strict=True)
    ]
    whole = {name: "Int64" for name in ("n_frames", "n_planes", "n_accepted", "n_rois")}
    shown = table.astype(whole).assign(size=sizes)
    steps = [step for step in STEPS if step in shown]
    return shown.assign(**{step: shown[step].replace(SYMBOLS) for step in steps})


def _open(table: pd.DataFrame, selection: dict) -> None:
    """Go to the page of the recording that was clicked."""
    rows = selection["rows"] or [row for row, _ in selection["cells"]]
    if rows:
        key = table.iloc[rows[0]][list(queries.RECORDING)].to_dict()
        st.session_state[OPENED] = st.session_state.get(OPENED, 0) + 1
        st.switch_page("recording.py", query_params=key)


if __name__ == "__main__":
    show()
