"""Which steps are computed, how many jobs of each at once, and when those that wait begin."""

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from apps.browser.session import with_database
from apps.browser.steps import STEPS
from populate_workers import limits, queue, urgency
from schemas.connection import Database

ANY = 0
"""What stands for no limit."""


def choose_steps(database: Database, *, disabled: bool, help: str | None) -> None:  # noqa: A002
    """Let somebody pause single steps, and say how many jobs of each run at once.

    Parameters
    ----------
    database : Database
        The connected tables.
    disabled : bool
        Whether this account may not change it.
    help : str or None
        Why not.
    """
    paused, most = queue.paused(database), limits.limits(database)
    with st.popover("Steps", icon=":material/tune:"):
        for step, _ in database.steps():
            with st.container(horizontal=True, vertical_alignment="bottom"):
                _begin_switch(step, is_on=step not in paused, disabled=disabled, why=help)
                _limit_field(step, most.get(step, ANY), disabled=disabled, why=help)


def _begin_switch(step: str, *, is_on: bool, disabled: bool, why: str | None) -> None:
    """Show whether jobs of a step are begun, and let it be changed."""
    # a new widget for each state: one in a closed popover takes no value from the session's state
    key = f"begin {step}, now {is_on}"
    st.toggle(
        STEPS.get(step, step),
        value=is_on,
        key=key,
        on_change=_begin,
        args=(step, not is_on),
        disabled=disabled,
        help=why or "Off: no more jobs of this step are begun.",
        width=260,
    )


def _limit_field(step: str, most: int, *, disabled: bool, why: str | None) -> None:
    """Show how many jobs of a step run at once, and let it be changed."""
    key = f"at once {step}, now {most}"
    st.number_input(
        "Most at once",
        min_value=ANY,
        value=most,
        key=key,
        on_change=_limit,
        args=(step, key),
        disabled=disabled,
        help=why or "On all machines together; 0: as many as there is room for.",
        width=160,
    )


@with_database
def _begin(database: Database, step: str, is_wanted: bool) -> None:  # noqa: FBT001
    """Take jobs of a step again, or no more."""
    if is_wanted:
        queue.resume(database, step)
    else:
        queue.pause(database, step)


@with_database
def _limit(database: Database, step: str, key: str) -> None:
    """Keep to the number that was entered."""
    most = st.session_state[key]
    if most == ANY:
        limits.unlimit(database, step)
    else:
        limits.limit(database, step, most)


def choose_time(rows: list[dict[str, Any]], *, disabled: bool, help: str | None) -> None:  # noqa: A002
    """Let somebody say when jobs that wait begin.

    Parameters
    ----------
    rows : list of dict
        The jobs: step and key.
    disabled : bool
        Whether this account may not change it, or there are none.
    help : str or None
        Why this account may not.
    """
    with st.popover("At a time", icon=":material/schedule:", disabled=disabled, help=help):
        tonight = datetime.now().replace(hour=23, minute=0, second=0, microsecond=0)
        day = st.date_input("Day", value=tonight.date(), key="begin day")
        clock = st.time_input(
            "Not before", value=tonight.time(), step=timedelta(minutes=15), key="begin time"
        )
        st.caption(f"By the clock of the app: it is {datetime.now():%H:%M} there.")
        when = datetime.combine(day, clock)  # type: ignore[arg-type]
        st.button("Begin then", on_click=_schedule, args=(when, rows), type="primary")


@with_database
def _schedule(database: Database, when: datetime, rows: list[dict[str, Any]]) -> None:
    """Let jobs begin no earlier than at a time."""
    count = sum(urgency.schedule(database, when, row["step"], row["key"]) for row in rows)
    jobs = "The job begins" if count == 1 else f"{count} jobs begin"
    st.toast(f"{jobs} no earlier than {when:%Y-%m-%d %H:%M}.")
