"""How a recording moved, and what its motion correction achieved."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps import queries
from apps.browser.session import with_database
from apps.browser.steps import say_state
from pipeline.plots import correlation_figure, shifts_figure
from schemas.connection import Database

VERDICTS = {
    "improved": ("The correction made the mean image sharper.", "green"),
    "unchanged": ("The mean image is as sharp as before: the recording hardly moved.", "blue"),
    "worse": ("The mean image is less sharp than before: look at the movie.", "red"),
}


@st.fragment
@with_database
def show_motion(database: Database, key: queries.Key) -> None:
    """Show the motion corrections of a recording, one below the other."""
    asked = queries.corrections(database, key)
    if not asked:
        say_state("motion_correction", None)
    for row in asked:
        st.subheader(f"Parameters '{row['name']}'")
        if row["state"] == "done":
            _show_correction(queries.correction(database, row["key"]), row["motion_hash"])
        else:
            say_state("motion_correction", row["state"])


def _show_correction(correction: queries.Key, identity: str) -> None:
    """Show the quality and the shifts."""
    sentence, color = VERDICTS[correction["verdict"]]
    st.badge(sentence, color=color)
    numbers = st.columns(4)
    _show_change(numbers[0], "Correlation with the template", correction, "mean_correlation", ".3f")
    _show_change(numbers[1], "Crispness of the mean image", correction, "crispness", ",.0f")
    numbers[2].metric("Largest shift", f"{correction['largest_shift_px']:.1f} px", border=True)
    numbers[3].metric(
        "Border without content",
        f"{correction['border_px']} px",
        border=True,
        help="width of the edge in which some frame has no content of its own",
    )
    shifts_px = correction["shifts_px"]
    times_s = np.arange(len(shifts_px)) / (correction["rate_hz"] or 1.0)
    config = {"displaylogo": False}
    st.markdown("**Shift of each frame**")
    st.plotly_chart(shifts_figure(times_s, shifts_px), key=f"shifts {identity}", config=config)
    st.markdown("**Correlation of each frame with the template**")
    figure = correlation_figure(
        times_s, before=correction["correlation_before"], after=correction["correlation_after"]
    )
    st.plotly_chart(figure, key=f"correlation {identity}", config=config)


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
