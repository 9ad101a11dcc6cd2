"""What people decide about the selected ROIs: accepted or not, merged, tagged; and its history."""

from typing import Any

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.session import why_not, with_database
from schemas.action_history import history
from schemas.actions import judge_rois
from schemas.connection import Database
from schemas.labels import ROI_TAG_TYPE, labels
from schemas.roi_edits import merge_rois
from schemas.roi_tags import known_tags, tag_rois
from schemas.undoing import undo_action

DECIDING = "analyst"
"""The role that it takes to decide about ROIs."""

STATES = {"accepted": "Accept", "rejected": "Reject", "excluded": "Exclude from analysis"}
ICONS = {
    "accepted": ":material/check:",
    "rejected": ":material/close:",
    "excluded": ":material/visibility_off:",
}
COLUMNS = {
    "action": st.column_config.NumberColumn("No."),
    "kind": "What",
    "note": "In words",
    "n_rois": st.column_config.NumberColumn("ROIs"),
    "account": "Who",
    "made": st.column_config.DatetimeColumn("When", format="YYYY-MM-DD HH:mm:ss"),
    "undone": st.column_config.CheckboxColumn("Undone"),
}
BECAUSE, TYPE, TAG = "because", "tag type", "tag"


def show_curation(database: Database, segmentation: queries.Key, selected: list[int]) -> None:
    """Let somebody decide about the selected ROIs, and show what was decided.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        From `queries.segmentations`.
    selected : list of int
        The ROIs.
    """
    key = segmentation["key"]
    reason = why_not(database, DECIDING)
    done = history(database, key)
    seen = int(done["action"].max()) if len(done) else 0
    what = f"the {len(selected)} selected ROIs" if len(selected) != 1 else f"ROI {selected[0]}"
    none = reason or (None if selected else "Select ROIs first.")
    st.markdown(f"**Decide about {what}**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Because", key=BECAUSE, max_chars=200, width=220, placeholder="in words")
        for state, word in STATES.items():
            args = (key, selected, state, seen)
            _button(word, _judge, args, none, icon=ICONS[state])
        few = none or (None if len(selected) > 1 else "Select at least two ROIs.")
        _button("Merge", _merge, (key, selected, seen), few, icon=":material/join:")
        nothing = reason or (None if (~done["undone"].astype(bool)).any() else "Nothing was done.")
        _button("Undo", _undo, (key, seen), nothing, icon=":material/undo:")
    _show_tagging(database, key, selected, seen, none)
    if len(done):
        with st.expander(f"What was done to these ROIs ({len(done)})"):
            _show_history(done)


def _button(word: str, act: Any, args: tuple[Any, ...], why: str | None, *, icon: str) -> None:
    """Show a button, with the reason why it cannot be used, if it cannot."""
    st.button(word, on_click=act, args=args, disabled=why is not None, help=why, icon=icon)


def _show_tagging(
    database: Database, key: queries.Key, selected: list[int], seen: int, why: str | None
) -> None:
    """Let the selected ROIs be tagged, with the tags that are in use at hand."""
    types = labels(database, ROI_TAG_TYPE)
    if not types:
        st.caption("ROIs can be tagged when the project has tag types: see Configuration.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Tag type", types, key=TYPE, width=180)
        tag = st.selectbox(
            "Tag",
            known_tags(database, label),
            index=None,
            accept_new_options=True,
            placeholder="choose or type",
            key=f"{TAG} {label}",
            width=240,
        )
        _button(
            "Tag",
            _tag,
            (key, selected, {label: tag or ""}, seen),
            why or (None if tag else "Choose a tag or type one."),
            icon=":material/label:",
        )
        _button(
            "Take the tag away",
            _tag,
            (key, selected, {label: ""}, seen),
            why,
            icon=":material/label_off:",
        )


def _show_history(done: pd.DataFrame) -> None:
    """List the actions, the newest first."""
    st.dataframe(done[list(COLUMNS)], hide_index=True, column_config=COLUMNS, height=240)


@with_database
def _judge(
    database: Database, key: queries.Key, selected: list[int], state: str, seen: int
) -> None:
    because = st.session_state.get(BECAUSE, "").strip()
    judge_rois(database, key, selected, state, reason=because, seen=seen)
    st.session_state[BECAUSE] = ""
    st.toast(f"{len(selected)} ROIs are {state}.", icon=ICONS[state])


@with_database
def _merge(database: Database, key: queries.Key, selected: list[int], seen: int) -> None:
    new = merge_rois(database, key, selected, seen=seen)
    st.toast(f"Merged into ROI {new}; a worker measures its traces.", icon=":material/join:")


@with_database
def _tag(
    database: Database,
    key: queries.Key,
    selected: list[int],
    tags: dict[str, str],
    seen: int,
) -> None:
    tag_rois(database, key, selected, tags, seen=seen)
    st.toast(f"Tagged {len(selected)} ROIs.", icon=":material/label:")


@with_database
def _undo(database: Database, key: queries.Key, seen: int) -> None:
    action = undo_action(database, key, seen=seen)
    st.toast(f"Action {action} is undone.", icon=":material/undo:")
