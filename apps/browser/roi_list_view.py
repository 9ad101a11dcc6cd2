"""The ROIs that a filter finds, a page at a time, with tags that can be edited."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from apps.browser.session import session_database
from apps.browser.table_editor import Editor, short_config, show_editor
from schemas.connection import Database
from schemas.roi_columns import CUSTOM, OWN, STIMULUS, TAG, shown_columns
from schemas.roi_table import Count, Page, RoiTable, fetch_rois
from schemas.table_edits import newest_actions, save_tags, undo_tags

ROWS = 200
SORTED_BY = ("snr", "area_px", "rval", "solidity", "noise", "decay_time_s", "session_date")
FIRST = ("sample_id", "session_date", "roi_id", "state")
NUMBERS = ("snr", "rval", "area_px", "solidity", "decay_time_s", "reason")
CONFIG = {
    "sample_id": st.column_config.TextColumn("Sample", pinned=True),
    "session_date": st.column_config.DateColumn("Date", format="YYYY-MM-DD"),
    "roi_id": st.column_config.NumberColumn("ROI", pinned=True),
    "state": st.column_config.TextColumn("State", help=OWN["state"][1]),
    "reason": st.column_config.TextColumn("Because"),
    "snr": st.column_config.NumberColumn("SNR", format="%.1f", help=OWN["snr"][1]),
    "rval": st.column_config.NumberColumn("Spatial corr.", format="%.2f", help=OWN["rval"][1]),
    "area_px": st.column_config.NumberColumn("Area (px)"),
    "solidity": st.column_config.NumberColumn("Solidity", format="%.2f", help=OWN["solidity"][1]),
    "decay_time_s": st.column_config.NumberColumn("Decay (s)", format="%.2f"),
    "comments": st.column_config.TextColumn("Comments", help=OWN["comments"][1]),
    "genotype": st.column_config.TextColumn("Genotype"),
}


def show_roi_list(table: RoiTable, query: Any, identity: str, count: Count) -> None:
    """Show the ROIs that a filter finds.

    Parameters
    ----------
    table : RoiTable
        The table of all ROIs.
    query : query
        What is found.
    identity : str
        What tells it from other queries.
    count : Count
        How much is found.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sort = st.selectbox(
            "Sort by", ["sample", *SORTED_BY], key="sort ROIs", width=180, persist_state="session"
        )
        falling = st.toggle("largest first", value=True, key="falling", disabled=sort == "sample")
        number = st.pagination(max(1, -(-count.rois // ROWS)), key=f"page of {identity}")
    page = Page(ROWS, (number - 1) * ROWS, "" if sort == "sample" else sort, falling)
    names = shown_columns(table.database, table.columns)
    tags = [name for name in names if name.startswith(TAG)]
    others = [name for name in names if name.startswith((CUSTOM, STIMULUS))]
    columns = [*FIRST, *tags, *NUMBERS, "genotype", *others, "comments"]
    editor = Editor("ROIs", partial(_load, table, query, page), save_tags, undo_tags)
    show_editor(
        session_database(), editor, f"{identity} {page}", tags, short_config(columns, **CONFIG)
    )
    if not any(name.startswith(TAG) for name in table.columns.by_name):
        st.caption("ROIs can be tagged here as soon as there is a tag type: `mesmerize config`.")


def _load(table: RoiTable, query: Any, page: Page, database: Database) -> tuple[pd.DataFrame, Any]:
    """Return a page, and what was done last to the ROIs of each segmentation."""
    seen = newest_actions(database)
    return fetch_rois(table, query, page), seen
