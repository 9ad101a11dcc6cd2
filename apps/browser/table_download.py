"""Tables as files for other programs."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from apps.browser.session import holding_session
from apps.table_files import WRITERS, table_bytes

WORDS = {".csv": "CSV", ".tsv": "TSV", ".xlsx": "Excel", ".parquet": "Parquet"}


def offer_table(name: str, fetch: Callable[[], pd.DataFrame], *, disabled: bool = False) -> None:
    """Offer a table as a file; it is fetched when somebody asks for one.

    Parameters
    ----------
    name : str
        What the file is called, without its ending.
    fetch : callable
        Returns the table.
    disabled : bool
        Whether there is nothing to offer.
    """
    held = holding_session(fetch)
    with st.popover("Download", icon=":material/download:", disabled=disabled):
        for ending in WRITERS:
            st.download_button(
                WORDS[ending],
                lambda ending=ending: table_bytes(held(), ending),
                f"{name}{ending}",
                key=f"download {name} {ending}",
                on_click="ignore",
            )
