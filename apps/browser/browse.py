"""ROIs of all samples: filtered, looked through, annotated, and kept as datasets."""

import pandas as pd
import streamlit as st

from apps.browser.dataset_view import choose_dataset, keep_dataset, show_history
from apps.browser.filter_view import ask_filter
from apps.browser.roi_list_view import show_roi_list
from apps.browser.sample_list_view import show_sample_list
from apps.browser.session import with_database
from apps.browser.table_download import offer_table
from apps.counting import counted
from schemas.connection import Database
from schemas.datasets import chosen_rois, datasets
from schemas.roi_table import Count, count_rois, fetch_rois, roi_table

VIEWS = {"ROIs": show_roi_list, "Samples": show_sample_list}


@with_database
def show(database: Database) -> None:
    """Show the page."""
    st.title("Browser")
    table = roi_table(database)
    if not count_rois(table, table.query).rois:
        st.info(
            "There are no ROIs of samples yet: choose a segmentation of a recording for its "
            "sample, with `mesmerize samples add`."
        )
        return
    known = datasets(database)
    parent = choose_dataset(known)
    text = ask_filter(table, key=f"filter {parent or ''}")
    if text is None:
        return
    query = chosen_rois(table, text, parent)
    count = count_rois(table, query)
    _say(count, known, parent, text)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Show", list(VIEWS), default="ROIs", required=True, key="show", width=220
        )
        keep_dataset(database, text, parent, count)
        offer_table("ROIs", lambda: fetch_rois(table, query), disabled=not count.rois)
    if parent:
        show_history(database, parent)
    if count.rois:
        VIEWS[view](table, query, f"{parent or ''} {text}", count)


def _say(count: Count, known: pd.DataFrame, parent: str | None, text: str) -> None:
    """Say how much was found, and what a dataset holds that no sample shows any more."""
    st.markdown(
        f"**{counted(count.rois, 'ROI')}** of {counted(count.samples, 'sample')} of "
        f"{counted(count.animals, 'animal')}"
    )
    if parent and not text:
        held = int(known.set_index("name").loc[parent, "n_rois"])
        if held > count.rois:
            st.warning(
                f"The dataset holds {held - count.rois:,} more ROIs, of segmentations that are no "
                "longer those of their samples: this table does not show them, analyses use them."
            )


if __name__ == "__main__":
    show()
