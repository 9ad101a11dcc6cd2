"""ROIs of a segmentation as a file for another program, through the browser."""

import streamlit as st

from apps import queries
from apps.browser.session import with_database
from schemas.connection import Database
from schemas.settings import ProjectError

ELSEWHERE = (
    "On the machine of the project, `mesmerize export` writes them for suite2p and CaImAn, and the "
    "recording as NWB."
)


@st.fragment
@with_database
def offer_rois(database: Database, segmentation: queries.Key, name: str) -> None:
    """Offer the ROIs of a segmentation for ImageJ; the file is made when somebody asks for it."""
    identity = segmentation["segmentation_id"]
    asked = st.button(
        "ROIs for ImageJ", key=f"make {identity}", icon=":material/ink_pen:", help=ELSEWHERE
    )
    if not asked:
        return
    try:
        data = queries.imagej_archive(database, segmentation)
    except (ProjectError, ValueError) as error:
        st.error(str(error))
        return
    st.download_button(
        f"Save {name}.zip",
        data,
        file_name=f"{name}.zip",
        mime="application/zip",
        key=f"save {identity}",
        icon=":material/download:",
        on_click="ignore",
    )
