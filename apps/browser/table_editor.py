"""A table that is edited in place: what somebody sees stays as it was until it is saved."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from apps.browser.session import why_not, with_database
from pipeline.filters import short_name
from schemas.connection import Database

HEIGHT_PX, ROW_PX = 560, 35
EDITING = "analyst"
"""The role that it takes to edit."""


class Editor(NamedTuple):
    """A kind of table, and how it is stored."""

    name: str
    """What it is called in the session."""

    load: Callable[[Database], Any]
    """Returns the table that is shown, and what `save` needs to know of it."""

    save: Callable[[Database, pd.DataFrame, dict[int, Any], Any], Any]
    """Stores edits of it, and returns what `undo` takes back."""

    undo: Callable[[Database, Any], None]
    """Takes back what was stored."""


def show_editor(
    database: Database, editor: Editor, identity: str, editable: list[str], config: dict[str, Any]
) -> None:
    """Show a table that can be edited.

    Parameters
    ----------
    database : Database
        The connected tables.
    editor : Editor
        What is shown, and how it is stored.
    identity : str
        What is shown of it; when this changes, the table is loaded anew.
    editable : list of str
        The columns that can be edited, in full.
    config : dict
        Streamlit's settings of the columns that are shown, in their order.
    """
    reason = why_not(database, EDITING)
    shown, known = _snapshot(database, editor, identity)
    table = _words(editor, "table")
    st.data_editor(
        shown,
        hide_index=True,
        disabled=[name for name in shown if name not in editable] if not reason else True,
        column_order=list(config),
        column_config=config,
        key=table,
        height=min(HEIGHT_PX, ROW_PX * (len(shown) + 1) + 3),
        placeholder="",
    )
    if reason:
        st.caption(reason)
    edits = st.session_state[table]["edited_rows"]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Save {len(edits)} changed rows" if edits else "Save",
            type="primary",
            key=_words(editor, "save"),
            disabled=not edits or reason is not None,
            help=reason,
            on_click=_save,
            args=(editor, shown, edits, known),
        )
        st.button(
            "Undo the last save",
            key=_words(editor, "undo"),
            disabled=f"{editor.name} saved" not in st.session_state or reason is not None,
            help=reason,
            on_click=_undo,
            args=(editor,),
        )
        st.button(
            "Reload",
            key=_words(editor, "reload"),
            help="Show what others have changed; what you have not saved is lost.",
            on_click=_forget,
            args=(editor,),
        )


def short_config(columns: list[str], **own: Any) -> dict[str, Any]:
    """Return the settings of columns: their short names, and those that are given.

    Parameters
    ----------
    columns : list of str
        Full names.
    **own
        Settings of some of them.
    """
    return {name: own.get(name, st.column_config.Column(short_name(name))) for name in columns}


def _words(editor: Editor, what: str) -> str:
    """Return what a widget is called in the session: after each loading, it is a new one."""
    return f"{editor.name} {what} {st.session_state.get(f'{editor.name} times', 0)}"


def _snapshot(database: Database, editor: Editor, identity: str) -> Any:
    """Return what is shown, loaded when it was asked for: edits are of rows by their place."""
    name = f"{editor.name} shown"
    if st.session_state.get(name, (None,))[0] != identity:
        if name in st.session_state:
            _forget(editor)
        st.session_state[name] = (identity, *editor.load(database))
    return st.session_state[name][1:]


def _forget(editor: Editor) -> None:
    """Let the table be loaded anew, without edits."""
    st.session_state.pop(f"{editor.name} shown", None)
    times = f"{editor.name} times"
    st.session_state[times] = st.session_state.get(times, 0) + 1


@with_database
def _save(
    database: Database, editor: Editor, shown: pd.DataFrame, edits: dict[int, Any], known: Any
) -> None:
    saved = editor.save(database, shown, edits, known)
    st.session_state[f"{editor.name} saved"] = saved
    _forget(editor)
    st.toast(f"{len(edits)} rows are saved.", icon=":material/check:")


@with_database
def _undo(database: Database, editor: Editor) -> None:
    editor.undo(database, st.session_state[f"{editor.name} saved"])
    del st.session_state[f"{editor.name} saved"]
    _forget(editor)
    st.toast("The rows are again as before the last save.")
