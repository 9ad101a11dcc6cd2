"""What would go with a deletion, and whether it may."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from apps.tables import all_tables
from schemas.connection import Database


def show_going(
    database: Database,
    rows: Mapping[str, int],
    delete: tuple[Callable[..., None], *tuple[Any, ...]],
    keep: Callable[[], None],
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
    """
    names = {table.full_table_name: name for name, table in all_tables(database)}
    lines = [f"* {count:,} in {names.get(name, name)}" for name, count in rows.items()]
    with st.container(border=True):
        st.warning("This goes for good:")
        st.markdown("\n".join(lines))
        with st.container(horizontal=True):
            st.button("Delete all this", type="primary", on_click=delete[0], args=delete[1:])
            st.button("Keep it", on_click=keep)
