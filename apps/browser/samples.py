"""Samples: all of a project, and a way to each."""

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.session import with_database
from apps.counting import counted
from schemas.connection import Database
from schemas.custom_columns import custom_columns
from schemas.sample_table import FACTS, sample_table

OPENED = "opened samples"
COLUMNS = {
    "sample_id": "Sample",
    "session_date": st.column_config.DateColumn("Date", format="YYYY-MM-DD"),
    "segmentation": "Segmentation",
    "n_accepted": st.column_config.NumberColumn("ROIs", help="accepted"),
    "n_rois": st.column_config.NumberColumn("of", help="with the rejected ones"),
    "comments": "Comments",
}


@with_database
def show(database: Database) -> None:
    """Show the page."""
    st.query_params.clear()
    st.title("Samples")
    table = sample_table(database)
    if table.empty:
        st.info(
            "There are no samples yet: open a recording, and make it a sample in its tab “Sample”."
        )
        return
    shown = [label for label, row in custom_columns(database).items() if row["visible"]]
    st.caption(f"{counted(len(table), 'sample')}; click one to open it.")
    picked = st.dataframe(
        table,
        hide_index=True,
        column_config=COLUMNS,
        column_order=[*COLUMNS, *shown],
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        placeholder="",
        key=f"samples {st.session_state.get(OPENED, 0)}",  # as in the list of recordings
    )
    readable = table.drop(columns=[name for name in table if name not in (*FACTS, *shown)])
    st.download_button(
        "Download", readable.to_csv(index=False), "samples.csv", "text/csv", on_click="ignore"
    )
    _open(table, picked["selection"])


def _open(table: pd.DataFrame, selection: dict) -> None:
    """Go to the page of the sample that was clicked."""
    rows = selection["rows"] or [row for row, _ in selection["cells"]]
    if rows:
        key = table.iloc[rows[0]][list(queries.RECORDING)].to_dict()
        st.session_state[OPENED] = st.session_state.get(OPENED, 0) + 1
        st.session_state["view"] = "Sample"
        st.switch_page("recording.py", query_params=key)


if __name__ == "__main__":
    show()
