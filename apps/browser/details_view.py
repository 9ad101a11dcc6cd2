"""How a recording was computed: its files, the parameters, the versions of the software."""

import json
from typing import Any

import streamlit as st

from apps import queries
from apps.browser.download_view import offer_rois
from apps.browser.session import with_database
from schemas.connection import Database

FILE_COLUMNS = {
    "kind": "Kind",
    "root": "Data root",
    "path": "Path",
    "size_bytes": st.column_config.NumberColumn("Size (bytes)", format="localized"),
    "checksum": "SHA-256",
}


@st.fragment
@with_database
def show_details(database: Database, key: queries.Key) -> None:
    """Show the files of a recording and every task with its parameters and versions."""
    st.subheader("Files")
    st.dataframe(queries.files(database, key), hide_index=True, column_config=FILE_COLUMNS)
    for row in queries.corrections(database, key):
        done = row["state"] == "done"
        versions = queries.correction(database, row["key"])["versions"] if done else None
        _show_task(f"Motion correction '{row['name']}'", row, versions)
    for row in queries.segmentations(database, key):
        _show_task(f"Segmentation {row['method']} '{row['name']}'", row, row.get("versions"))
        source = queries.where_from(database, row)
        if source:
            st.text(source)
        if row["state"] == "done":
            offer_rois(row["key"], "-".join([*key.values(), row["name"]]))
    facts = queries.movie_facts(database, key)
    if facts:
        st.subheader("Metadata of the movie")
        st.json(facts["metadata"], expanded=1)


def _show_task(title: str, task: queries.Key, versions: dict[str, str] | None) -> None:
    """Show the parameters of a task, and beside them what computed it."""
    st.subheader(title)
    st.caption(f"asked for {task['submitted']:%Y-%m-%d %H:%M} · {task['state']}")
    left, right = st.columns(2)
    left.markdown("**Parameters**")
    left.code(_as_lines(task["params"]), language="json")
    used = task.get("settings_used") or task["params"]
    changed = {name: value for name, value in used.items() if value != task["params"].get(name)}
    if changed:
        left.markdown("**What followed from the movie**")
        left.code(_as_lines(changed), language="json")
    if versions:
        right.markdown("**Computed with**")
        right.code(_as_lines(versions), language="json")


def _as_lines(values: dict[str, Any]) -> str:
    """Return values as JSON, a line each."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
