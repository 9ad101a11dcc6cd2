"""One recording: its ROIs and traces, its movie, its motion, and how it was computed."""

import streamlit as st

from apps import queries
from apps.browser.details_view import show_details
from apps.browser.inspection_view import show_inspection
from apps.browser.motion_view import show_motion
from apps.browser.movie_view import show_movie
from apps.browser.roi_view import show_rois
from apps.browser.sample_view import show_sample
from apps.browser.session import with_database
from apps.browser.steps import failure_card
from apps.browser.stimulus_view import show_stimuli
from populate_workers.queue import failures
from schemas.connection import Database
from schemas.ingest import Trial
from schemas.settings import ProjectError

VIEWS = {
    "ROIs and traces": show_rois,
    "Movie": show_movie,
    "Motion": show_motion,
    "Stimuli": show_stimuli,
    "Sample": show_sample,
    "Seeds": show_inspection,
    "Files, parameters, versions": show_details,
}


@with_database
def show(database: Database) -> None:
    """Show the page."""
    st.page_link("recordings.py", label="All recordings", icon=":material/arrow_back:")
    key = _asked_for()
    recording = queries.recording(database, key) if key else None
    if recording is None:
        st.error("There is no such recording: choose one in the list of all recordings.")
        return
    _show_title(database, recording, key)
    _show_failures(key)
    tabs = st.tabs(list(VIEWS), key="view", on_change="rerun")
    for tab, view in zip(tabs, VIEWS.values(), strict=True):
        if tab.open:
            with tab:
                view(key)


def _asked_for() -> queries.Key | None:
    """Return the key in the address; None: it is not one."""
    given = [st.query_params.get(name, "") for name in queries.RECORDING]
    try:
        return dict(Trial(animal=given[0], session=given[1], trial=given[2]).key)
    except ProjectError:
        return None


def _show_title(database: Database, recording: queries.Key, key: queries.Key) -> None:
    """Show what is recorded, in a line."""
    st.title(" · ".join(key.values()))
    facts = queries.movie_facts(database, key)
    day = recording["session_date"]
    words = [f"{day.day} {day:%B %Y}"]
    if facts:
        planes = f" × {facts['n_planes']} planes" if facts["n_planes"] > 1 else ""
        words += [
            f"{facts['n_frames']:,} frames of {facts['n_rows']} × {facts['n_cols']} px{planes}",
            f"{facts['rate_hz']:g} Hz",
            f"{facts['duration_s']:,.1f} s",
        ]
    if recording["sample"]:
        words.append(f"sample {recording['sample']['sample_id']}")
    st.text("  ·  ".join(words))
    if not facts:
        st.info("Nothing has been read from the movie yet: compute it with `mesmerize work`.")


@st.fragment
@with_database
def _show_failures(database: Database, key: queries.Key) -> None:
    """Show the steps of this recording that failed."""
    for failure in failures(database):
        if key.items() <= failure.key.items():
            failure_card(failure)


if __name__ == "__main__":
    show()
