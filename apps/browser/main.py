"""The entry of the app: which pages there are.

Started by `mesmerize app`; the variable MESMERIZE_PROJECT names the project folder.
"""

import logging

import streamlit as st

PAGES = {
    "home.py": ("Home", ":material/home:"),
    "recordings.py": ("Recordings", ":material/movie:"),
    "jobs.py": ("Jobs", ":material/checklist:"),
    "recording.py": ("Recording", ":material/blur_on:"),
}
REACHED_BY_A_LINK = ("recording.py",)
CSS = "<style>[data-testid=stMainBlockContainer] {padding-top: 4.5rem}</style>"


def main() -> None:
    """Show the page that the address names."""
    logging.getLogger("datajoint").setLevel(logging.ERROR)  # it tells of every connection
    st.set_page_config(page_title="Mesmerize", page_icon="🧠", layout="wide")
    st.html(CSS)
    pages = [
        st.Page(
            file,
            title=title,
            icon=icon,
            default=file == "home.py",
            visibility="hidden" if file in REACHED_BY_A_LINK else "visible",
        )
        for file, (title, icon) in PAGES.items()
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
