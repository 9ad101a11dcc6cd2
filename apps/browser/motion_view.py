"""How a recording moved, and what its motion correction achieved."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps import queries
from apps.browser.planes import choose_plane
from apps.browser.preview_view import show_images, show_patches, show_video
from apps.browser.quality_view import show_quality, show_unusable
from apps.browser.session import with_database
from apps.browser.steps import say_state
from pipeline.plots import correlation_figure, shifts_figure
from schemas.connection import Database

AT_ONCE = 2
"""Motion corrections that fit beside each other."""

SHIFTS = "**Shift of each frame**"
FRAMES_AND_AXES = 2
CHART = {"displaylogo": False}


@st.fragment
@with_database
def show_motion(database: Database, key: queries.Key) -> None:
    """Show the motion corrections of a recording; of several, two side by side."""
    asked = queries.corrections(database, key)
    if not asked:
        say_state("motion_correction", None)
    done = [row for row in asked if row["state"] == "done"]
    chosen = _choose(done)
    if chosen:
        _show_side_by_side(database, key, chosen)
    elif done:
        st.info("Choose one or two parameter sets to see what they achieved.")
    for row in asked:
        if row["state"] != "done":
            st.subheader(f"Parameters '{row['name']}'")
            say_state("motion_correction", row["state"])


def _choose(done: list[queries.Key]) -> list[queries.Key]:
    """Ask which motion corrections are shown, where there are several."""
    if len(done) == 1:
        return done
    by_name = {row["name"]: row for row in done}
    if not by_name:
        return []
    names = st.multiselect(
        "Parameter sets side by side",
        list(by_name),
        default=list(by_name)[:AT_ONCE],
        max_selections=AT_ONCE,
        key=f"compared {sorted(by_name)}",
    )
    return [by_name[name] for name in names]


def _show_side_by_side(database: Database, key: queries.Key, chosen: list[queries.Key]) -> None:
    """Show how good motion corrections are, what shows it, and how the frames had moved."""
    found = [queries.correction(database, row["key"]) for row in chosen]
    plane = choose_plane(queries.movie_facts(database, key), "plane of the preview")
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            st.subheader(f"Parameters '{row['name']}'")
            show_quality(correction, row["params"]["mode"], AT_ONCE * 2 // len(chosen))
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            _show_shifts(correction, row["motion_hash"], plane)
            show_unusable(correction)
    show_images(database, key, chosen, found, plane)
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            st.markdown("**Some frames, before and after**")
            show_video(database, row, correction, plane)
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            st.markdown("**What was registered, over the template**")
            show_patches(database, row, correction, plane)


def _columns(chosen: list[queries.Key]) -> list[DeltaGenerator]:
    """Return a column for each motion correction."""
    return st.columns(len(chosen), gap="medium")


def _show_shifts(correction: queries.Key, identity: str, plane: int | None) -> None:
    """Show the shift and the correlation of each frame, and which are of no use."""
    unusable, shifts_px = correction["unusable"], correction["shifts_px"]
    times_s = np.arange(len(shifts_px)) / (correction["rate_hz"] or 1.0)
    is_each = shifts_px.ndim > FRAMES_AND_AXES
    if is_each:
        shifts_px = shifts_px[:, plane or 0]
    st.markdown(f"**Shift of plane {plane} in each frame**" if is_each else SHIFTS)
    figure = shifts_figure(times_s, shifts_px, unusable=unusable)
    st.plotly_chart(figure, key=f"shifts {identity}", config=CHART)
    st.markdown("**Correlation of each frame with the template**")
    before, after = correction["correlation_before"], correction["correlation_after"]
    figure = correlation_figure(times_s, before=before, after=after, unusable=unusable)
    st.plotly_chart(figure, key=f"correlation {identity}", config=CHART)
