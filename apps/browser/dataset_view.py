"""Datasets: chosen to look at, made of what a filter finds, and how they came to be."""

import pandas as pd
import streamlit as st

from apps.browser.session import why_not, with_database
from pipeline.filters import FilterError
from schemas.connection import Database
from schemas.datasets import describe_dataset, make_dataset
from schemas.roi_table import Count
from schemas.settings import ProjectError

MAKING = "analyst"
"""The role that it takes to make a dataset."""

ALL = ""
CHOSEN, NAME = "dataset", "name of a new dataset"


def choose_dataset(known: pd.DataFrame) -> str | None:
    """Let somebody choose where to look; None: among all ROIs of samples.

    Parameters
    ----------
    known : DataFrame
        From `schemas.datasets.datasets`.
    """
    paths = {ALL: "All samples"}
    for row in known.itertuples():
        above = f"{paths[row.parent]} ▸ " if row.parent else ""
        paths[row.name] = f"{above}{row.name}"
    sizes = dict(zip(known["name"], known["n_rois"], strict=True))
    if st.session_state.get(CHOSEN, ALL) not in paths:  # it was renamed or deleted
        st.session_state[CHOSEN] = ALL
    chosen = st.pills(
        "Dataset",
        sorted(paths, key=paths.get) if len(paths) > 1 else list(paths),
        format_func=lambda name: f"{paths[name]} · {sizes[name]:,}" if name else paths[ALL],
        default=ALL if CHOSEN not in st.session_state else None,
        required=True,
        key=CHOSEN,
        persist_state="session",
    )
    return chosen or None


def keep_dataset(database: Database, text: str, parent: str | None, count: Count) -> None:
    """Let what was found be kept under a name.

    Parameters
    ----------
    database : Database
        The connected tables.
    text : str
        The filter.
    parent : str or None
        The dataset that it chooses from.
    count : Count
        What it finds now.
    """
    reason = why_not(database, MAKING)
    with st.popover(
        "Keep as dataset",
        icon=":material/bookmark_add:",
        disabled=reason is not None or not count.rois,
        help=reason,
    ):
        st.caption(
            f"The {count.rois:,} ROIs that fulfil the filter now. Which they are never changes; "
            "analyses and plots are made of datasets."
        )
        st.text_input("Name", key=NAME, max_chars=64)
        st.button("Keep", type="primary", on_click=_keep, args=(text, parent))


@with_database
def _keep(database: Database, text: str, parent: str | None) -> None:
    try:
        made = make_dataset(database, st.session_state[NAME], text, parent=parent)
    except FilterError as error:
        raise ProjectError(error.sentence) from error
    st.session_state[CHOSEN], st.session_state[NAME] = made.name, ""
    st.toast(f"The dataset {made.name!r} holds {made.n_rois:,} ROIs.", icon=":material/check:")


def show_history(database: Database, name: str) -> None:
    """Show how a dataset was chosen, as text, as SQL and as a pandas expression.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        The dataset.
    """
    found = describe_dataset(database, name)
    with st.expander(f"How {name} was chosen"):
        st.caption(f"Made by {found.account}, {found.made:%Y-%m-%d %H:%M}; {found.checksum[:12]}")
        with_sql = st.toggle("with SQL, as it ran", key="with SQL")
        for step in found.history:
            st.markdown(f"**{step.n_rois:,} ROIs**")
            st.code(step.filter_text or "all ROIs of samples", language=None)
            st.code(step.pandas, language="python", wrap_lines=True)
            if with_sql:
                st.code(step.sql, language="sql", wrap_lines=True)
