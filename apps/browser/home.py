"""Home: what the project holds, how far it is, how to begin."""

import streamlit as st

from apps import queries
from apps.browser.session import watching_database, with_database
from apps.browser.steps import progress_bars
from populate_workers.queue import progress
from schemas.connection import Database

BEGIN = """
Type these in a terminal, in the project folder:

**1. Take a movie in.** The file stays where it is, in one of the project's data folders.

```sh
mesmerize ingest data/movie.tif --animal mouse1 --session 2026-11-22 --trial baseline --rate-hz 30
```

**2. Say what is to be done with it:** undo the motion, then find the cells and their traces.

```sh
mesmerize submit motion
mesmerize submit segmentation
```

**3. Let it be done.** This may take a while; the bars on this page show how far it is.

```sh
mesmerize work
```
"""


@with_database
def show(database: Database) -> None:
    """Show the page."""
    held = queries.overview(database)
    st.title(queries.project_name(database))
    _show_counts(held)
    if held.recordings == 0:
        st.subheader("How to begin")
        st.markdown(BEGIN)
        return
    st.subheader("Progress")
    _show_progress()
    with st.expander("How to add recordings"):
        st.markdown(BEGIN)


def _show_counts(held: queries.Overview) -> None:
    """Show the counts side by side."""
    counts = {
        "Animals": held.animals,
        "Sessions": held.sessions,
        "Recordings": held.recordings,
        "Samples": held.samples,
        "Accepted ROIs": held.accepted_rois,
        "ROIs in all": held.rois,
    }
    for column, (name, count) in zip(st.columns(len(counts)), counts.items(), strict=True):
        column.metric(name, f"{count:,}", border=True)


@st.fragment(run_every="5s")
@watching_database
def _show_progress(database: Database) -> None:
    """Show the bars; they move on their own."""
    progress_bars(progress(database))


if __name__ == "__main__":
    show()
