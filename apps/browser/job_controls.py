"""Which steps are computed, how many jobs of each at once, and when those that wait begin."""

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from apps.browser.session import with_database
from apps.browser.steps import STEPS
from populate_workers import limits, queue
from schemas.connection import Database


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
            _show_as(f"begin {step}", step not in paused)
            _show_as(f"at once {step}", most.get(step))
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.toggle(
                    STEPS.get(step, step),
                    key=f"begin {step}",
                    on_change=_begin,
                    args=(step,),
                    disabled=disabled,
                    help=help or "Off: no more jobs of this step are begun.",
                    width=260,
                )
                st.number_input(
                    "Most at once",
                    key=f"at once {step}",
                    min_value=1,
                    value=None,
                    placeholder="any number",
                    on_change=_limit,
                    args=(step,),
                    disabled=disabled,
                    help=help or "On all machines together.",
                    width=160,
                )


def _show_as(key: str, value: object) -> None:
    """Let a widget show what the database says; one that does is not disturbed in being edited."""
    if st.session_state.get(key, key) != value:
        st.session_state[key] = value


@with_database
def _begin(database: Database, step: str) -> None:
    """Take jobs of a step again, or no more, as its switch says."""
    if st.session_state[f"begin {step}"]:
        queue.resume(database, step)
    else:
        queue.pause(database, step)


@with_database
def _limit(database: Database, step: str) -> None:
    """Keep to the number that was entered; none: there is no limit."""
    most = st.session_state[f"at once {step}"]
    if most is None:
        limits.unlimit(database, step)
    else:
        limits.limit(database, step, int(most))


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
    count = sum(queue.schedule(database, when, row["step"], row["key"]) for row in rows)
    jobs = "The job begins" if count == 1 else f"{count} jobs begin"
    st.toast(f"{jobs} no earlier than {when:%Y-%m-%d %H:%M}.")
