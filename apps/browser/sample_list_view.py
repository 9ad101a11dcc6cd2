"""The samples of the ROIs that a filter finds, with what can be edited of them."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from apps.browser.session import session_database
from apps.browser.table_editor import Editor, short_config, show_editor
from schemas.connection import Database
from schemas.roi_columns import CUSTOM, STIMULUS, shown_columns
from schemas.roi_table import COMMENTS, Count, RoiTable, fetch_samples
from schemas.table_edits import save_samples, undo_samples

CONFIG = {
    "sample_id": st.column_config.TextColumn("Sample", pinned=True),
    "session_date": st.column_config.DateColumn("Date", format="YYYY-MM-DD"),
    "n_rois": st.column_config.NumberColumn("ROIs", help="that are found"),
    "comments": st.column_config.TextColumn("Comments", width="large"),
}


def show_sample_list(table: RoiTable, query: Any, identity: str, _: Count) -> None:
    """Show the samples of the ROIs that a filter finds.

    Parameters
    ----------
    table : RoiTable
        The table of all ROIs.
    query : query
        What is found.
    identity : str
        What tells it from other queries.
    _ : Count
        How much is found.
    """
    names = shown_columns(table.database, table.columns)
    custom = [name for name in names if name.startswith(CUSTOM)]
    stimuli = [name for name in names if name.startswith(STIMULUS)]
    columns = ["sample_id", "session_date", "n_rois", *custom, *stimuli, COMMENTS]
    editor = Editor("samples", partial(_load, table, query), _save, undo_samples)
    config = short_config(columns, **CONFIG)
    show_editor(session_database(), editor, identity, [COMMENTS, *custom], config)


def _load(table: RoiTable, query: Any, _: Database) -> tuple[pd.DataFrame, None]:
    """Return the samples; each row tells its own version."""
    return fetch_samples(table, query), None


def _save(database: Database, shown: pd.DataFrame, edits: dict[int, Any], _: None) -> Any:
    """Store edits."""
    return save_samples(database, shown, edits)
