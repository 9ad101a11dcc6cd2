"""How the steps of the pipeline and their states are called and shown."""

from typing import Any

import streamlit as st

from apps.browser.session import session_database, why_not, with_database
from apps.queries import RECORDING
from populate_workers.queue import Failure, retry
from schemas.connection import Database

RETRYING = "operator"
"""The role that putting jobs back takes."""

STEPS = {
    "recording_info": "Recording info",
    "motion_correction": "Motion correction",
    "motion_preview": "Motion preview",
    "seed_inspection": "Seed inspection",
    "segmentation": "Segmentation",
    "trace": "Trace extraction",
    "edited_rois": "Added ROIs",
    "node_result": "Analysis",
}
STATES = {
    "done": ("done", "#2e9e6b"),
    "reserved": ("running", "#4c8bf5"),
    "pending": ("pending", "#c9ccd1"),
    "error": ("error", "#d64545"),
}
"""Word and colour of each state of the queue."""

SYMBOLS = {"done": "✓ done", "running": "▸ running", "pending": "… pending", "error": "✕ error"}


def progress_bars(counts: dict[str, dict[str, int]]) -> None:
    """Draw the progress of every step."""
    for step, by_state in counts.items():
        name, bar, words = st.columns([2, 6, 4], vertical_alignment="center")
        name.markdown(f"**{STEPS.get(step, step)}**")
        bar.html(_bar(by_state))
        words.caption(_words(by_state))


def _bar(counts: dict[str, int]) -> str:
    """Draw how many jobs are in which state."""
    total = sum(counts.values()) or 1
    parts = "".join(
        f'<div style="width:{100 * counts[state] / total:.2f}%;background:{color}"></div>'
        for state, (_, color) in STATES.items()
    )
    return (
        '<div style="display:flex;height:10px;border-radius:5px;overflow:hidden;'
        f'background:rgba(128,128,128,0.15)">{parts}</div>'
    )


def _words(counts: dict[str, int]) -> str:
    """Say how many jobs are in which state."""
    words = [f"{counts[state]} {word}" for state, (word, _) in STATES.items() if counts[state]]
    return " · ".join(words) or "nothing to do yet"


@with_database
def try_again(
    database: Database,
    step: str | None = None,
    key: dict[str, Any] | None = None,
    containing: str = "",
) -> None:
    """Put failed jobs back to pending: one, some, or all; and say so."""
    count = retry(database, step, key, containing=containing)
    jobs = "The job is" if count == 1 else f"{count} jobs are"
    st.toast(f"{jobs} pending again; compute with `mesmerize work`.")


def failure_card(failure: Failure) -> None:
    """Show why a job failed, in full, with the whole story folded, and a way to try again."""
    reason = why_not(session_database(), RETRYING)
    identity = f"{failure.step} {sorted(failure.key.items())}"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{STEPS.get(failure.step, failure.step)}**", width="content")
            st.text(" · ".join(str(failure.key[part]) for part in RECORDING), width="content")
            st.caption(f"failed {failure.when:%Y-%m-%d %H:%M:%S} on {failure.host}")
            st.button(
                "Try again",
                key=f"retry {identity}",
                icon=":material/refresh:",
                on_click=try_again,
                args=(failure.step, failure.key),
                disabled=reason is not None,
                help=reason,
            )
        st.code(failure.message, language=None, wrap_lines=True)
        with st.expander("The whole story, for a bug report", key=f"story {identity}"):
            st.code(failure.traceback, language="pytb")


def say_state(step: str, state: str | None) -> None:
    """Say that a step is not done, and what to do; None: it was not asked for."""
    what = STEPS[step].lower()
    sentences = {
        None: f"No {what} was asked for: `mesmerize submit {what.split()[0]}`, then "
        "`mesmerize work`.",
        "pending": f"{STEPS[step]} is pending: compute it with `mesmerize work`.",
        "running": f"{STEPS[step]} is running: reload this page when it is done.",
        "error": f"{STEPS[step]} failed; the reason is at the top of this page.",
    }
    st.info(sentences[state])
