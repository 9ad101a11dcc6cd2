"""How a recording moved, and what its motion correction achieved."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps import queries
from apps.browser.preview_view import show_images, show_patches, show_video
from apps.browser.session import with_database
from apps.browser.steps import say_state
from pipeline.plots import correlation_figure, shifts_figure
from schemas.connection import Database

VERDICTS = {
    "improved": ("The correction made the mean image sharper.", "green"),
    "unchanged": ("The mean image is as sharp as before: the recording hardly moved.", "blue"),
    "worse": ("The mean image is less sharp than before: look at the movie.", "red"),
}


AT_ONCE = 2
"""Motion corrections that fit beside each other."""

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
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            st.subheader(f"Parameters '{row['name']}'")
            _show_quality(correction, AT_ONCE * 2 // len(chosen))
    show_images(database, key, chosen)
    for place, row in zip(_columns(chosen), chosen, strict=True):
        with place:
            st.markdown("**Some frames, before and after**")
            show_video(database, row)
    for place, row in zip(_columns(chosen), chosen, strict=True):
        with place:
            st.markdown("**What was registered, over the template**")
            show_patches(database, row)
    for place, row, correction in zip(_columns(chosen), chosen, found, strict=True):
        with place:
            _show_shifts(correction, row["motion_hash"])


def _columns(chosen: list[queries.Key]) -> list[DeltaGenerator]:
    """Return a column for each motion correction."""
    return st.columns(len(chosen), gap="medium")


def _show_quality(correction: queries.Key, n_in_a_row: int) -> None:
    """Show the verdict and the numbers."""
    sentence, color = VERDICTS[correction["verdict"]]
    st.badge(sentence, color=color)
    places = [place for _ in range(4 // n_in_a_row) for place in st.columns(n_in_a_row)]
    _show_change(places[0], "Correlation with the template", correction, "mean_correlation", ".3f")
    _show_change(places[1], "Crispness of the mean image", correction, "crispness", ",.0f")
    places[2].metric("Largest shift", f"{correction['largest_shift_px']:.1f} px", border=True)
    places[3].metric(
        "Border without content",
        f"{correction['border_px']} px",
        border=True,
        help="width of the edge in which some frame has no content of its own",
    )


def _show_shifts(correction: queries.Key, identity: str) -> None:
    """Show the shift and the correlation of each frame."""
    shifts_px = correction["shifts_px"]
    times_s = np.arange(len(shifts_px)) / (correction["rate_hz"] or 1.0)
    st.markdown("**Shift of each frame**")
    st.plotly_chart(shifts_figure(times_s, shifts_px), key=f"shifts {identity}", config=CHART)
    st.markdown("**Correlation of each frame with the template**")
    figure = correlation_figure(
        times_s, before=correction["correlation_before"], after=correction["correlation_after"]
    )
    st.plotly_chart(figure, key=f"correlation {identity}", config=CHART)


def _show_change(
    place: DeltaGenerator,
    label: str,
    correction: queries.Key,
    name: str,
    form: str,
) -> None:
    """Show a number after the correction, and what it was before."""
    before, after = correction[f"{name}_before"], correction[f"{name}_after"]
    change = f"{after - before:+{form}} from {before:{form}}"
    place.metric(label, f"{after:{form}}", change, border=True)
