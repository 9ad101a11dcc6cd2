"""The box in which a filter is written, with help to write it."""

from typing import Any

import pandas as pd
import streamlit as st

from pipeline.filters import Column, FilterError, short_name
from pipeline.filters.columns import KINDS
from schemas.roi_table import RoiTable, values_of

EXAMPLES = {
    "accepted and snr > 5": "good cells",
    "animal_id = m1|m2 and not comments: bad focus": "two animals, without some samples",
    "region: palp|pr": "tags that contain one of the texts",
    "area_px = 50..200 or solidity > 0.9": "a range, or another condition",
    "session_date >= 2026-11-01": "since a day",
    "region is missing": "not tagged yet; also: is not missing",
    "region ~ ^p(alp|r)$": "a regular expression",
}
MOST_VALUES = 200
COMPARED = {"=": "is", ">": "above", "<": "below", ">=": "at least", "<=": "at most"}


def ask_filter(table: RoiTable, *, key: str) -> str | None:
    """Ask for a filter, and show what is wrong with it under it; None: it means nothing.

    Parameters
    ----------
    table : RoiTable
        The table of all ROIs.
    key : str
        Name of the box in the session.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Filter",
            key=key,
            placeholder="accepted and snr > 5          (empty: all; Enter filters)",
            persist_state="session",
        )
        with st.popover("Add", icon=":material/add:", key=f"add {key}"):
            _build(table, key)
        with st.popover("Help", icon=":material/help:"):
            _explain(table)
    try:
        table.parse(text or "")
    except FilterError as error:
        sentence, *place = str(error).split("\n")
        st.error(sentence)
        st.code("\n".join(place), language=None)
        return None
    return text or ""


def _build(table: RoiTable, key: str) -> None:
    """Let a condition be put together of a column and values."""
    columns = table.columns.by_name
    name = st.selectbox("Column", list(columns), format_func=short_name, key=f"column {key}")
    column = columns[name]
    st.caption(f"{KINDS[column.kind]}; {column.help}")
    condition = _ask_number(column, key) if column.kind == "number" else _ask_values(table, column)
    st.button(
        "Add to the filter",
        type="primary",
        disabled=condition is None,
        on_click=_add,
        args=(key, condition),
    )


def _ask_number(column: Column, key: str) -> str | None:
    """Ask what a number is compared with."""
    left, right = st.columns(2)
    sign = left.selectbox("is", list(COMPARED), format_func=COMPARED.get, key=f"sign {key}")
    value = right.number_input("Number", value=None, key=f"number {key}", format="%g")
    return None if value is None else f"{_quoted(column.name)} {sign} {value:g}"


def _ask_values(table: RoiTable, column: Column) -> str | None:
    """Ask for some of the values that are there."""
    if column.kind == "date":
        days = st.date_input("From – to", value=(), format="YYYY-MM-DD", key=f"days {column.name}")
        return f"{column.name} = {days[0]}..{days[-1]}" if days else None
    if column.kind == "flag":
        yes = st.segmented_control("is", ["true", "false"], key=f"flag {column.name}")
        return f"{_quoted(column.name)} = {yes}" if yes else None
    there = values_of(table, column.name, MOST_VALUES)
    chosen = st.multiselect(
        "One of",
        there,
        key=f"values {column.name}",
        placeholder="Choose values" if there else "There are none yet",
    )
    return f"{_quoted(column.name)} = {'|'.join(map(_quoted, chosen))}" if chosen else None


def _quoted(text: str) -> str:
    """Return a name or a value as it stands in a filter."""
    is_plain = text.replace("_", "").replace(".", "").isalnum()
    return text if is_plain else '"' + text.replace('"', '""') + '"'


def _add(key: str, condition: str) -> None:
    """Add a condition to what is in the box."""
    before = (st.session_state.get(key) or "").strip()
    is_either = " or " in before.lower()
    first = f"({before})" if is_either else before
    st.session_state[key] = f"{first} and {condition}" if before else condition


def _explain(table: RoiTable) -> None:
    """Show examples and the columns."""
    st.markdown(
        "What you write is searched as it stands, in upper and lower case: dots and stars are "
        'not special. Texts with `and`, `or` or brackets stand in `"quotes"`.'
    )
    written = [f"`{example}`" for example in EXAMPLES]
    examples: Any = {"filter": written, "finds": list(EXAMPLES.values())}
    st.table(pd.DataFrame(examples).set_index("filter"))
    st.caption(
        "After a colon also: `$NOT:` `$STR=:` `$STR!=:` `$>:` `$<:` `$>=:` `$<=:` `$RE:` "
        "`$NOTRE:` `$ANYCASE:` `$ANYCASE=:` · `and` binds closer than `or`"
    )
    rows = [
        {"column": short_name(column.name), "holds": KINDS[column.kind], "meaning": column.help}
        for column in table.columns.by_name.values()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=260)
