"""The entry of the app: which pages there are.

Started by `mesmerize app`; the variable MESMERIZE_PROJECT names the project folder.
"""

import logging

import streamlit as st

from apps.browser.session import is_over
from apps.browser.sign_in import show_account, show_sign_in
from schemas.settings import ProjectError, Settings, load_settings

PAGES = {
    "home.py": ("Home", ":material/home:"),
    "recordings.py": ("Recordings", ":material/movie:"),
    "samples.py": ("Samples", ":material/science:"),
    "browse.py": ("Browser", ":material/filter_alt:"),
    "jobs.py": ("Jobs", ":material/checklist:"),
    "configuration.py": ("Configuration", ":material/settings:"),
    "recording.py": ("Recording", ":material/blur_on:"),
}
REACHED_BY_A_LINK = ("recording.py",)
CSS = "<style>[data-testid=stMainBlockContainer] {padding-top: 4.5rem}</style>"


def main() -> None:
    """Show the page that the address names; on a lab server, to who has signed in."""
    logging.getLogger("datajoint").setLevel(logging.ERROR)  # it tells of every connection
    st.set_page_config(page_title="Mesmerize", page_icon="🧠", layout="wide")
    st.html(CSS)
    settings = _settings()
    is_shared = settings is not None and not settings.embedded
    must_sign_in = is_shared and is_over()
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
    page = st.navigation(pages, position="hidden" if must_sign_in else "top")
    if must_sign_in:
        show_sign_in(settings)  # the page that was asked for follows
        return
    if is_shared:
        show_account()
    page.run()


def _settings() -> Settings | None:
    """Return the project; None: it cannot be used, which the page will say."""
    try:
        return load_settings()
    except ProjectError:
        return None


if __name__ == "__main__":
    main()
