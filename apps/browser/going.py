"""What would go with a deletion, and whether it may."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from apps.tables import all_tables
from schemas.connection import Database

WORDS = {
    "given.GivenTag": "tags that ROIs came with",
    "project.CustomColumn": "custom column",
    "project.RoiTagType": "ROI tag type",
    "project.StimulusType": "stimulus type",
    "sample.Sample": "sample, with its choice of ROIs and its comments",
    "sample.SampleValue": "values of samples",
    "sample.SampleValueVersion": "values in the history of samples",
    "stimulus.StimulusMap": "lists of stimuli, with their older versions",
    "stimulus.StimulusMap.Period": "stimulus periods",
}
"""What the rows of a table are to those who do not know tables."""


def show_going(
    database: Database,
    rows: Mapping[str, int],
    delete: tuple[Callable[..., None], *tuple[Any, ...]],
    keep: Callable[[], None],
    *,
    warning: str = "This goes for good:",
) -> None:
    """Show which rows go, and let somebody decide.

    Parameters
    ----------
    database : Database
        The connected tables.
    rows : mapping
        Number of rows by the table's name in SQL.
    delete : tuple
        What is called when they may go, and with what.
    keep : callable
        What is called when they stay.
    warning : str
        Said above them.
    """
    names = {table.full_table_name: name for name, table in all_tables(database)}
    shown = {names.get(sql_name, sql_name): count for sql_name, count in rows.items()}
    lines = [f"* {count:,} {WORDS.get(name, f'in {name}')}" for name, count in shown.items()]
    with st.container(border=True):
        st.warning(warning)
        st.markdown("\n".join(lines))
        with st.container(horizontal=True):
            st.button("Delete all this", type="primary", on_click=delete[0], args=delete[1:])
            st.button("Keep it", on_click=keep)
