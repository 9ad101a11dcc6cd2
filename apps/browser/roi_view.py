"""The ROIs of a recording on its image, and the traces of those that are selected."""

from functools import partial

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.comparison_view import describe, show_comparison
from apps.browser.curation_view import show_curation
from apps.browser.image_choice import PLANE, Choice, choose_image
from apps.browser.planes import rois_in_plane, turn_to_plane
from apps.browser.session import with_database
from apps.browser.steps import say_state
from apps.browser.trace_view import show_traces
from apps.browser.viewer import Outlines, image_viewer, picked_rois
from schemas.connection import Database
from schemas.roi_tags import tags_of

AT_FIRST = 6
"""ROIs that are selected when the page is opened: those with the best signal."""

COLUMNS = {
    "roi_id": st.column_config.NumberColumn("ROI"),
    "centroid_plane_px": st.column_config.NumberColumn(
        "Plane", format="%.1f", help="of the centre, from 0"
    ),
    "name": st.column_config.TextColumn("Name"),
    "state": st.column_config.TextColumn(
        "State", help="accepted, rejected, or excluded: a cell that is left out of analysis"
    ),
    "snr": st.column_config.NumberColumn("SNR", format="%.1f", help="highest transient over noise"),
    "rval": st.column_config.NumberColumn(
        "Spatial corr.", format="%.2f", help="of the footprint and its active frames"
    ),
    "area_px": st.column_config.NumberColumn("Area (px)"),
    "decay_time_s": st.column_config.NumberColumn("Decay (s)", format="%.2f"),
    "rise_time_s": st.column_config.NumberColumn("Rise (s)", format="%.3f"),
    "noise": st.column_config.NumberColumn("Noise", format="%.3g", help="in grey levels"),
    "reason": st.column_config.TextColumn("Because", help="why it is rejected or excluded"),
}


@st.fragment
@with_database
def show_rois(database: Database, key: queries.Key) -> None:
    """Show the ROIs of a recording, as far as they are computed."""
    segmentation = _choose_segmentation(database, key)
    rois = pd.DataFrame()
    state = segmentation["state"] if segmentation else None
    if state != "done":
        say_state("segmentation", state)
    else:
        rois = queries.rois(database, segmentation["key"])
        if rois.empty:
            st.info("The segmentation is done and found no ROI; its parameters may be too strict.")
    identity = segmentation["segmentation_id"] if segmentation else "none"
    if not rois.empty:
        _begin(identity, rois)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        choice = _show_image(database, key, segmentation, rois)
    if rois.empty:
        return
    with right:
        selected = _list_selected(identity, rois)
        show_traces(database, segmentation, selected)
    show_curation(database, segmentation, selected)
    _show_numbers(database, segmentation, rois)
    show_comparison(database, key, segmentation, choice)


def _choose_segmentation(database: Database, key: queries.Key) -> queries.Key | None:
    """Return the segmentation to show; where there are several, the one that is chosen."""
    found = queries.segmentations(database, key)
    if len(found) <= 1:
        return found[0] if found else None
    motions = queries.motion_names(database)
    by_id = {row["segmentation_id"]: row for row in found}
    chosen = st.selectbox(
        "Segmentation",
        list(by_id),
        format_func=lambda name: describe(by_id[name], motions.get(by_id[name]["motion_hash"])),
        key="segmentation",
    )
    return by_id[chosen]


# One selection, three ways to change it: the image, the list, the table.


def _names(identity: str) -> tuple[str, str, str]:
    """Return the names of the image, the list and the table in the session."""
    return f"image {identity}", f"chosen {identity}", f"numbers {identity}"


def _begin(identity: str, rois: pd.DataFrame) -> None:
    """Select the ROIs with the best signal, when there is no selection yet."""
    _, chosen, table = _names(identity)
    st.session_state[f"rows {identity}"] = rois["roi_id"].tolist()
    if chosen not in st.session_state:
        best = rois[rois["accepted"]].sort_values("snr", ascending=False)
        st.session_state[chosen] = sorted(best["roi_id"].head(AT_FIRST).tolist())
    if table not in st.session_state:
        _tell_table(identity)


def _from_image(identity: str) -> None:
    image, chosen, _ = _names(identity)
    st.session_state[chosen] = picked_rois(image)
    _tell_table(identity)


def _from_table(identity: str, rois: pd.DataFrame) -> None:
    _, chosen, table = _names(identity)
    before = st.session_state[chosen]
    rows = st.session_state[table]["selection"]["rows"]
    st.session_state[chosen] = rois["roi_id"].iloc[sorted(rows)].tolist()
    _turn_to(identity, rois, before)


def _from_list(identity: str, rois: pd.DataFrame) -> None:
    _, chosen, table = _names(identity)
    before = rois["roi_id"].iloc[st.session_state[table]["selection"]["rows"]].tolist()
    _tell_table(identity)
    _turn_to(identity, rois, before)


def _turn_to(identity: str, rois: pd.DataFrame, before: list[int]) -> None:
    """Show the plane of the ROI that was added to the selection of a volume."""
    added = set(st.session_state[_names(identity)[1]]) - set(before)
    planes = rois.loc[rois["roi_id"].isin(added), "centroid_plane_px"].dropna()
    if len(planes) == 1:
        turn_to_plane(PLANE, round(planes.iloc[0]))


def _tell_table(identity: str) -> None:
    """Select in the table what is selected."""
    _, chosen, table = _names(identity)
    listed = st.session_state[f"rows {identity}"]
    rows = [listed.index(roi_id) for roi_id in st.session_state[chosen] if roi_id in listed]
    st.session_state[table] = {"selection": {"rows": rows}}


def _show_image(
    database: Database, key: queries.Key, segmentation: queries.Key | None, rois: pd.DataFrame
) -> Choice | None:
    """Show the image with the outlines, and return it; None: there is none yet."""
    choice = choose_image(database, key, segmentation)
    if choice is None:
        return None
    outlines = None
    identity = segmentation["segmentation_id"] if segmentation else "none"
    image, chosen, _ = _names(identity)
    if not rois.empty:
        rejected = int((~rois["accepted"]).sum())
        with_rejected = st.toggle(
            f"also the {rejected} rejected or excluded", disabled=not rejected
        )
        selected = st.session_state[chosen]
        shown = rois[rois["accepted"] | with_rejected | rois["roi_id"].isin(selected)]
        if choice.plane is not None:
            n_there = len(shown)
            shown = rois_in_plane(database, segmentation["key"], shown, choice.plane)
            st.caption(f"{len(shown)} of {n_there} ROIs are seen in plane {choice.plane}.")
        outlines = Outlines(shown, selected, partial(_from_image, identity))
    image_viewer(
        choice.image,
        key=image,
        label=f"{choice.name} image of the recording with the outlines of its ROIs",
        limits=choice.limits,
        pixel_size_um=choice.pixel_size_um,
        outlines=outlines,
    )
    if outlines:
        st.caption(
            "Click a ROI to select it, with Shift or Ctrl to add it; Shift and drag selects a "
            "region. Drag to move; Ctrl and wheel to zoom; double click for the whole image."
        )
    return choice


def _list_selected(identity: str, rois: pd.DataFrame) -> list[int]:
    """Show the selection as a list that can be changed, and return it."""
    _, chosen, _ = _names(identity)
    others = rois[~rois["accepted"]]
    states = dict(zip(others["roi_id"], others["state"], strict=True))
    return st.multiselect(
        "Selected ROIs",
        rois["roi_id"].tolist(),
        key=chosen,
        format_func=lambda roi_id: (
            f"{roi_id} ({states[roi_id]})" if roi_id in states else f"{roi_id}"
        ),
        on_change=_from_list,
        args=(identity, rois),
        persist_state="session",
        placeholder="Click ROIs in the image or in the table, or choose them here",
    )


def _show_numbers(database: Database, segmentation: queries.Key, rois: pd.DataFrame) -> None:
    """Show the numbers and the tags of all ROIs in a table that selects."""
    identity = segmentation["segmentation_id"]
    st.markdown(f"**{int(rois['accepted'].sum())} accepted of {len(rois)} ROIs**")
    is_volume = rois["centroid_plane_px"].notna().any()
    has = {"centroid_plane_px": is_volume, "name": (rois["name"] != "").any()}
    columns = [name for name in COLUMNS if has.get(name, True)]
    shown = rois[columns]
    for label, tags in tags_of(database, segmentation["key"]).items():
        shown = shown.assign(**{label: [tags.get(each, "") for each in rois["roi_id"]]})
    st.dataframe(
        shown,
        hide_index=True,
        height=320,
        column_config=COLUMNS,
        on_select=partial(_from_table, identity, rois),
        selection_mode="multi-row",
        key=_names(identity)[2],
    )
