"""Jobs: what runs, what waits, what failed and why."""

from typing import Any

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.job_controls import choose_steps, choose_time
from apps.browser.session import watching_database, why_not, with_database
from apps.browser.steps import RETRYING, STEPS, failure_card, progress_bars, try_again
from populate_workers import queue, urgency
from populate_workers.queue import failures, progress
from populate_workers.running import Running, running
from schemas.connection import Database

WAITING = {
    "step": "Step",
    "state": "State",
    "animal_id": "Animal",
    "session": "Session",
    "trial": "Trial",
    "parameters": "Parameters",
    "priority": st.column_config.NumberColumn("Priority", help="The lower, the sooner."),
    "not_before": st.column_config.DatetimeColumn("Not before", format="YYYY-MM-DD HH:mm"),
    "since": st.column_config.DatetimeColumn("Since", format="YYYY-MM-DD HH:mm:ss"),
    "host": "Machine",
    "pid": "Process",
}
HISTORY = {
    "step": "Step",
    "animal_id": "Animal",
    "session": "Session",
    "trial": "Trial",
    "outcome": "Outcome",
    "started": st.column_config.DatetimeColumn("Began", format="YYYY-MM-DD HH:mm:ss"),
    "duration_s": st.column_config.NumberColumn("Took (s)", format="%.1f"),
    "peak_memory_mb": st.column_config.NumberColumn("Memory (MB)", format="%.0f"),
    "cpu_s": st.column_config.NumberColumn("CPU (s)", format="%.1f"),
    "host": "Machine",
    "reason": "Reason",
}
URGENCY = {"Do first": 0, "As usual": 5, "Do last": 100}


def show() -> None:
    """Show the page."""
    st.title("Jobs")
    st.caption(
        "Jobs are computed by `mesmerize work`, in as many terminals and on as many machines "
        "as you like. This page follows them."
    )
    _show_live()


@st.fragment(run_every="2s")
@watching_database
def _show_live(database: Database) -> None:
    """Show the states as they are now."""
    _show_workers(database)
    progress_bars(progress(database))
    _show_running(database)
    _show_waiting(database)
    _show_ignored(database)
    _show_failures(database)
    _show_history(database)


def _rights(database: Database) -> dict[str, Any]:
    """Return how a button looks that changes jobs: disabled, with the reason, for some accounts."""
    reason = why_not(database, RETRYING)
    return {"disabled": reason is not None, "help": reason}


def _show_workers(database: Database) -> None:
    """Show who works, and whether jobs are taken at all."""
    found = queries.workers(database)
    paused = [STEPS.get(step, step) for step in queue.paused(database)]
    rights = _rights(database)
    with st.container(horizontal=True, vertical_alignment="center"):
        choose_steps(database, **rights)  # first: what moves on the page closes when it is open
        if paused:
            st.button("Go on", icon=":material/play_arrow:", on_click=_resume, **rights)
            st.badge(f"paused: {', '.join(paused)}", color="orange")
        else:
            st.button("Pause", icon=":material/pause:", on_click=_pause, **rights)
        if found.empty:
            st.badge("no worker", icon=":material/power_off:", color="gray")
        for host, theirs in found.groupby("host"):
            slots = int(theirs["slots"].sum())
            st.badge(f"{host}: {slots} at once", icon=":material/memory:", color="green")
    for says in sorted(set(found["says"]) - {""}):
        st.caption(f":material/hourglass_empty: {says}")


@with_database
def _pause(database: Database) -> None:
    queue.pause(database)
    st.toast("No more jobs are begun; what runs goes on to its end.")


@with_database
def _resume(database: Database) -> None:
    queue.resume(database)
    st.toast("Jobs are begun again.")


def _show_running(database: Database) -> None:
    """Show the jobs that run, each with its progress."""
    jobs = running(database)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Running")
        if len(jobs) > 1:
            st.button(
                "Abort all", icon=":material/stop_circle:", on_click=_abort, **_rights(database)
            )
    if not jobs:
        st.caption("No job runs.")
    for job in jobs:
        _running_card(database, job)


def _running_card(database: Database, job: Running) -> None:
    """Show one running job, with its log folded, and a way to end it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{STEPS.get(job.step, job.step)}**", width="content")
            st.text(_name(job.key), width="content")
            st.caption(f"on {job.host} since {job.since:%Y-%m-%d %H:%M:%S}")
            st.button(
                "Abort",
                key=f"abort {job.log}",
                icon=":material/stop_circle:",
                on_click=_abort,
                args=(job.step, job.key),
                **_rights(database),
            )
        st.progress(min(1.0, job.fraction or 0.0), text=job.words() or "beginning")
        with st.expander("Log", key=f"log {job.log}"):
            st.code(queries.log_tail(database, job.log) or "It is on that machine.", language=None)


@with_database
def _abort(database: Database, step: str | None = None, key: dict[str, Any] | None = None) -> None:
    if queue.abort(database, step, key):
        st.toast("Aborted; it is among the failed ones, from where it can be tried again.")


def _show_waiting(database: Database) -> None:
    """Show the jobs that wait, and ways to change that."""
    st.subheader("Waiting")
    table = queries.queued(database)
    if table.empty:
        st.caption("No job waits.")
        return
    shown = table.assign(step=table["step"].replace(STEPS)).drop(columns="key")
    st.dataframe(shown, hide_index=True, column_config=WAITING, key="queue", placeholder="")
    names = {_label(row): row for row in table.to_dict("records")}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect("Jobs to change", list(names), key="chosen jobs")
        rows = [names[name] for name in chosen]
        rights = _rights(database)
        rights["disabled"] |= not rows
        for word, priority in URGENCY.items():
            st.button(word, on_click=_prioritise, args=(priority, rows), **rights)
        choose_time(rows, **rights)
        st.button("Ignore", on_click=_ignore, args=(rows,), **rights)


@with_database
def _prioritise(database: Database, priority: int, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        urgency.prioritise(database, priority, row["step"], row["key"])


@with_database
def _ignore(database: Database, rows: list[dict[str, Any]]) -> None:
    count = sum(queue.ignore(database, row["step"], row["key"]) for row in rows)
    st.toast(f"{count} jobs are ignored.")


def _show_ignored(database: Database) -> None:
    """Say how many jobs nobody will compute, and let them be taken back."""
    count = queue.ignored(database)
    if count:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{count} jobs are ignored: nobody computes them.", width="content")
            st.button("Take them back", icon=":material/undo:", on_click=_heed, **_rights(database))


@with_database
def _heed(database: Database) -> None:
    st.toast(f"{queue.heed(database)} jobs wait again.")


def _label(row: dict[str, Any]) -> str:
    """Return the name of a job that waits."""
    parameters = f" · {row['parameters']}" if row["parameters"] else ""
    return f"{STEPS.get(row['step'], row['step'])}: {_name(row)}{parameters}"


def _name(key: dict[str, Any]) -> str:
    return " · ".join(str(key[part]) for part in queries.RECORDING if not pd.isna(key.get(part)))


def _show_failures(database: Database) -> None:
    """Show the jobs that ended in error, with their reasons."""
    found = failures(database)
    st.subheader("Failed")
    if not found:
        st.caption("No job has failed.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        containing = st.text_input("Whose reason contains", key="containing", width=320)
        found = [failure for failure in found if containing in failure.message]
        st.button(
            f"Try these {len(found)} again" if containing else "Try all again",
            type="primary",
            icon=":material/refresh:",
            on_click=try_again,
            args=(None, None, containing),
            **_rights(database),
        )
    for failure in found:
        failure_card(failure)


def _show_history(database: Database) -> None:
    """Show the newest attempts."""
    with st.expander("History", key="history"):
        table = queries.history(database)
        table["step"] = table["step"].replace(STEPS)
        shown = table.drop(columns=["log", "log_pruned"])
        st.dataframe(shown, hide_index=True, column_config=HISTORY, key="attempts")
        attempts = {_attempt_label(row): row for row in table.to_dict("records")}
        chosen = st.selectbox(
            "Log of", list(attempts), index=None, key="log of", placeholder="Choose an attempt"
        )
        if chosen is not None:
            st.code(queries.log_words(database, attempts[chosen]), language=None)


def _attempt_label(attempt: dict[str, Any]) -> str:
    """Return the name of an attempt: no two of a job begin in the same millisecond."""
    name = f"{attempt['step']}: {_name(attempt)}"
    return f"{name}, {attempt['started']:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f", {attempt['outcome']}"


if __name__ == "__main__":
    show()
