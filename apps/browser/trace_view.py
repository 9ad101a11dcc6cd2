"""The traces of selected ROIs."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from apps import queries
from apps.browser.steps import say_state
from apps.browser.stimulus_view import choose_stimuli
from pipeline.plots import shade_periods, traces_figure
from pipeline.plots.envelope import SCREEN_POINTS
from schemas.connection import Database

MOST = 30
"""Traces that are drawn at once."""

KINDS = {
    "dF/F": ("dff", None, "dF/F"),
    "raw and denoised": ("denoised", "raw", "grey levels"),
    "spikes": ("spikes", None, "grey levels"),
}
"""What is drawn, what behind it, and in which unit."""


def show_traces(database: Database, segmentation: queries.Key, selected: Sequence[int]) -> None:
    """Show the traces of the selected ROIs, one above the other.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        From `apps.queries.segmentations`.
    selected : sequence of int
        The ROIs.
    """
    if segmentation["trace_state"] != "done":
        say_state("trace", segmentation["trace_state"])
        return
    what, scale = st.columns([3, 2], vertical_alignment="bottom")
    kind = what.segmented_control("Traces", list(KINDS), default="dF/F", required=True, key="kind")
    common = scale.toggle("one scale for all", value=kind == "dF/F", key=f"scale {kind}")
    if not selected:
        st.info("Select ROIs to see their traces.")
        return
    front, behind, unit = KINDS[kind]
    drawn = list(selected[:MOST])
    names = [name for name in (front, behind) if name]
    found = queries.traces(database, segmentation["key"], drawn, names)
    times_s = np.arange(found[front].shape[1]) / segmentation["rate_hz"]
    frames = _choose_frames(times_s)
    figure = traces_figure(
        times_s[frames],
        found[front][:, frames],
        roi_ids=drawn,
        unit=unit,
        behind=found[behind][:, frames] if behind else None,
        common_scale=common,
    )
    shown = choose_stimuli(database, segmentation["key"])
    if shown is not None:
        drawn_s = times_s[frames]
        is_seen = (shown["end_s"] > drawn_s[0]) & (shown["start_s"] < drawn_s[-1])
        shade_periods(figure, shown[is_seen])
    st.plotly_chart(figure, config={"displaylogo": False}, alt=f"{kind} traces of the ROIs {drawn}")
    if len(selected) > MOST:
        st.caption(f"The first {MOST} of {len(selected)} selected ROIs are drawn.")


def _choose_frames(times_s: np.ndarray) -> slice:
    """Ask which part of a long recording is drawn, where the whole is too much for a screen."""
    if len(times_s) <= SCREEN_POINTS:
        return slice(None)
    end = float(times_s[-1])
    first, last = st.slider("Time (s)", 0.0, end, (0.0, end), key=f"period {end}")
    start, stop = np.searchsorted(times_s, [first, last])
    return slice(int(start), int(stop) + 1)
