"""The frames of a recording, before and after motion correction."""

from typing import Any

import streamlit as st

from apps import queries
from apps.browser.planes import choose_plane, plane_of
from apps.browser.session import with_database
from apps.browser.steps import say_state
from apps.browser.viewer import image_viewer
from pipeline.movie import Movie
from schemas.connection import Database
from schemas.settings import ProjectError

OPENED = "opened movies"


@st.fragment
@with_database
def show_movie(database: Database, key: queries.Key) -> None:
    """Show a frame of the recorded movie beside the same of the corrected one."""
    facts = queries.movie_facts(database, key)
    if facts is None:
        st.info("The movie can be shown when its recording info is computed.")
        return
    frame = _choose_frame(facts)
    plane = choose_plane(facts, "plane of the movie")
    limits = queries.frame_limits(database, key)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**As recorded**")
        _show_frame(database, key, (frame, plane), facts, limits)
    with right:
        st.markdown("**Motion-corrected**")
        correction = _choose_correction(database, key)
        if correction:
            _show_frame(database, correction["key"], (frame, plane), facts, limits)


def _choose_frame(facts: queries.Key) -> int:
    """Ask for the frame, and tell its time."""
    last = facts["n_frames"] - 1
    if last == 0:
        return 0
    slider, number, time = st.columns([8, 2, 2], vertical_alignment="bottom")
    for name in ("frame", "go to"):  # of a longer movie that was looked at before
        st.session_state[name] = min(st.session_state.get(name, 0), last)
    frame = slider.slider("Frame", 0, last, key="frame", on_change=_follow, args=("frame", "go to"))
    number.number_input(
        "Go to frame", 0, last, key="go to", on_change=_follow, args=("go to", "frame")
    )
    time.markdown(f"at **{frame / facts['rate_hz']:.2f} s**")
    return int(frame)


def _follow(moved: str, other: str) -> None:
    """Move the other of the two ways to choose a frame."""
    st.session_state[other] = st.session_state[moved]


def _choose_correction(database: Database, key: queries.Key) -> queries.Key | None:
    """Return the motion correction to show; where several are done, the one that is chosen."""
    asked = queries.corrections(database, key)
    done = [row for row in asked if row["state"] == "done"]
    if not done:
        say_state("motion_correction", asked[0]["state"] if asked else None)
        return None
    if len(done) == 1:
        return done[0]
    return st.selectbox("Parameters", done, format_func=lambda row: row["name"])


def _show_frame(
    database: Database,
    key: queries.Key,
    place: tuple[int, int | None],
    facts: queries.Key,
    limits: tuple[float, float],
) -> None:
    """Show a frame of the movie with a key: of a recording, or of a motion correction."""
    frame, plane = place
    is_corrected = "motion_hash" in key
    try:
        image = _open(database, key)[frame]
    except (ProjectError, OSError, ValueError) as error:
        st.warning(str(error))
        return
    image_viewer(
        plane_of(image, plane, facts["n_planes"]),
        key="corrected frame" if is_corrected else "recorded frame",
        label=f"frame {frame} " + ("after motion correction" if is_corrected else "as recorded"),
        limits=limits,
        pixel_size_um=facts["pixel_size_um"],
    )


def _open(database: Database, key: queries.Key) -> Movie:
    """Return the movie with a key, opened once for as long as the session looks at it."""
    kind = "corrected" if "motion_hash" in key else "recorded"
    opened: dict[str, Any] = st.session_state.setdefault(OPENED, {})
    if kind not in opened or opened[kind][0] != key:
        read = queries.corrected_movie if kind == "corrected" else queries.recorded_movie
        opened[kind] = (key, read(database, key))
    return opened[kind][1]
