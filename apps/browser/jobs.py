"""Jobs: what runs, what waits, what failed and why."""

import streamlit as st

from apps import queries
from apps.browser.session import watching_database, why_not
from apps.browser.steps import RETRYING, STEPS, failure_card, progress_bars, try_again
from populate_workers.queue import failures, progress
from schemas.connection import Database

COLUMNS = {
    "step": "Step",
    "state": "State",
    "animal_id": "Animal",
    "session": "Session",
    "trial": "Trial",
    "parameters": "Parameters",
    "since": st.column_config.DatetimeColumn("Since", format="YYYY-MM-DD HH:mm:ss"),
    "host": "Machine",
    "pid": "Process",
}


def show() -> None:
    """Show the page."""
    st.title("Jobs")
    st.caption(
        "Jobs are computed by `mesmerize populate`, in as many terminals and on as many machines "
        "as you like. This page follows them."
    )
    _show_live()


@st.fragment(run_every="2s")
@watching_database
def _show_live(database: Database) -> None:
    """Show the states as they are now."""
    progress_bars(progress(database))
    _show_queue(database)
    _show_failures(database)


def _show_queue(database: Database) -> None:
    """Show the jobs that run or wait."""
    st.subheader("Running and pending")
    table = queries.queued(database)
    if table.empty:
        st.caption("No job runs or waits.")
        return
    table["step"] = table["step"].replace(STEPS)
    st.dataframe(table, hide_index=True, column_config=COLUMNS, key="queue", placeholder="")


def _show_failures(database: Database) -> None:
    """Show the jobs that ended in error, with their reasons."""
    found = failures(database)
    title, action = st.columns([6, 1], vertical_alignment="bottom")
    title.subheader("Failed")
    if not found:
        st.caption("No job has failed.")
        return
    reason = why_not(database, RETRYING)
    action.button(
        "Try all again",
        type="primary",
        icon=":material/refresh:",
        on_click=try_again,
        disabled=reason is not None,
        help=reason,
    )
    for failure in found:
        failure_card(failure)


if __name__ == "__main__":
    show()
