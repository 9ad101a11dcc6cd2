"""Configuration: stimulus types, ROI tag types and custom columns, changed at any time."""

from typing import Any

import streamlit as st

from apps.browser.going import show_going
from apps.browser.session import why_not, with_database
from schemas.configuration import delete_label, going_with_label, move_label, show_label
from schemas.connection import Database
from schemas.custom_columns import KINDS, add_custom_column, default_of
from schemas.labels import (
    CUSTOM_COLUMN,
    LABELLED,
    LONGEST_LABEL,
    ROI_TAG_TYPE,
    STIMULUS_TYPE,
    Labelled,
    add_label,
    labelled_rows,
    rename_label,
)

CONFIGURING = "admin"
NAMING = {STIMULUS_TYPE.command: "analyst"}  # to add one and to rename it, of some kinds

TITLES = {
    ROI_TAG_TYPE.command: ("ROI tag types", "What ROIs are tagged by, such as cell type."),
    STIMULUS_TYPE.command: ("Stimulus types", "What was given, such as odour or orientation."),
    CUSTOM_COLUMN.command: (
        "Custom columns",
        "What is also said of each sample, such as dose or genotype; the kind of its values never "
        "changes.",
    ),
}
KIND_WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
GOING = "what would go with a label"


@with_database
def show(database: Database) -> None:
    """Show the page."""
    st.title("Configuration")
    reason = why_not(database, CONFIGURING)
    if reason:
        st.info(reason)
    for what in sorted(LABELLED, key=lambda what: list(TITLES).index(what.command)):
        _show_kind(database, what)


def _show_kind(database: Database, what: Labelled) -> None:
    """Show one kind of labelled things, and let them be changed."""
    title, explanation = TITLES[what.command]
    st.subheader(title)
    st.caption(explanation)
    rows = labelled_rows(database, what)
    for place, row in enumerate(rows, start=1):
        _show_row(database, what, row, (place, len(rows)))
    _show_new(database, what)


def _show_row(
    database: Database, what: Labelled, row: dict[str, Any], place: tuple[int, int]
) -> None:
    """Show one label: its name, whether tables show it, its place, and how it goes."""
    label, number = str(row["label"]), row[what.number]
    naming, configuring = _reasons(database, what)
    rights: dict[str, Any] = {"disabled": configuring is not None, "help": configuring}
    name = f"{what.command} {number} {label}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Label",
            value=label,
            key=name,
            max_chars=LONGEST_LABEL,
            label_visibility="collapsed",
            width=300,
            on_change=_rename,
            args=(what, label, name),
            disabled=naming is not None,
        )
        if what is CUSTOM_COLUMN:
            default = default_of(row)
            words = "" if default is None else f", {default} where nobody said"
            st.text(f"{KIND_WORDS[row['kind']]}{words}", width=320)
        is_shown = bool(row["visible"])
        state = f"shown {name} {is_shown}"
        args = (what, label, not is_shown)
        st.toggle("Shown", value=is_shown, key=state, on_change=_show, args=args, **rights)
        for icon, towards in ((":material/arrow_upward:", -1), (":material/arrow_downward:", 1)):
            is_end = not 1 <= place[0] + towards <= place[1]
            st.button(
                "",
                icon=icon,
                key=f"move {name} {towards}",
                on_click=_move,
                args=(what, label, place[0] + towards),
                disabled=configuring is not None or is_end,
                help="Its place in tables." if configuring is None else configuring,
            )
        args = (what, label)
        st.button("Delete", key=f"delete {name}", on_click=_ask, args=args, **rights)
    if st.session_state.get(GOING, {}).get("label") == (what.command, label):
        going = st.session_state[GOING]["rows"]
        show_going(database, going, (_delete, what, label, going), _keep)


def _reasons(database: Database, what: Labelled) -> tuple[str | None, str | None]:
    """Say why this account may not name one of a kind, and why it may not configure."""
    lowest = NAMING.get(what.command, CONFIGURING)
    return why_not(database, lowest), why_not(database, CONFIGURING)


def _show_new(database: Database, what: Labelled) -> None:
    """Let somebody make another one."""
    naming, _ = _reasons(database, what)
    name = f"new {what.command}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(f"New {what.words}", key=name, max_chars=LONGEST_LABEL, width=300)
        if what is CUSTOM_COLUMN:
            st.selectbox(
                "Type", list(KINDS), format_func=KIND_WORDS.get, key=f"kind of {name}", width=180
            )
            st.text_input(
                "Default value",
                key=f"default of {name}",
                placeholder="unknown",
                width=180,
                help="For samples without a value, also those that are there already.",
            )
        args = (what, name)
        st.button(
            "Add",
            key=f"add {name}",
            on_click=_add,
            args=args,
            disabled=naming is not None,
            help=naming,
        )


@with_database
def _add(database: Database, what: Labelled, name: str) -> None:
    state = st.session_state
    if what is CUSTOM_COLUMN:
        default = state[f"default of {name}"]
        add_custom_column(database, state[name], state[f"kind of {name}"], default)
        state[f"default of {name}"] = ""
    else:
        add_label(database, what, state[name])
    state[name] = ""


@with_database
def _rename(database: Database, what: Labelled, label: str, name: str) -> None:
    new_label = st.session_state.pop(name)  # after a refusal, the old label stands there again
    rename_label(database, what, label, new_label)


@with_database
def _show(database: Database, what: Labelled, label: str, is_wanted: bool) -> None:  # noqa: FBT001
    show_label(database, what, label, visible=is_wanted)


@with_database
def _move(database: Database, what: Labelled, label: str, place: int) -> None:
    move_label(database, what, label, place)


@with_database
def _ask(database: Database, what: Labelled, label: str) -> None:
    rows = going_with_label(database, what, label)
    st.session_state[GOING] = {"label": (what.command, label), "rows": rows}


@with_database
def _delete(database: Database, what: Labelled, label: str, shown: dict[str, int]) -> None:
    _keep()
    delete_label(database, what, label, shown=shown)
    st.toast(f"Deleted the {what.words} {label!r}.")


def _keep() -> None:
    """Ask no more."""
    st.session_state.pop(GOING, None)


if __name__ == "__main__":
    show()
