"""Stimuli from the auxiliary channels of a recording's own file."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from apps import queries
from pipeline.readers.mes_stimuli import Auxiliary, auxiliary_periods
from schemas.connection import Database

LEVELS = {
    "volts": st.column_config.NumberColumn("Voltage (V)", format="%.1f", disabled=True),
    "name": st.column_config.TextColumn(
        "Stimulus", help="Empty: this voltage is no stimulus.", max_chars=64
    ),
}

Enter = Callable[[queries.Key, dict[str, pd.DataFrame], str], None]
"""What to do with a recording, the periods of each stimulus type in seconds, and their source."""


def show_auxiliary(
    database: Database, key: queries.Key, types: list[str], reason: str | None, enter: Enter
) -> None:
    """Let voltages of auxiliary channels be named as stimuli, where the file has such channels.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        The recording.
    types : list of str
        The stimulus types.
    reason : str or None
        Why nothing may be entered; None: it may.
    enter : callable
        Called with the periods when the button is pressed.
    """
    path = queries.mes_file(database, key)
    if path is None:
        return
    with st.expander("From the auxiliary channels of the recording"):
        try:
            auxiliary = queries.auxiliary(database, key)
        except (ValueError, OSError) as error:
            st.error(str(error))
            return
        if not auxiliary.channels:
            st.info("The file of this recording tells no auxiliary channels.")
            return
        with st.container(horizontal=True):
            label = st.selectbox("Type of the stimuli", types, key="type of the channel")
            channel = st.selectbox("Channel", list(auxiliary.channels), key="auxiliary channel")
        names = _names(auxiliary, channel)
        periods = auxiliary_periods(auxiliary, channel, names)
        st.button(
            "Take over",
            type="primary",
            on_click=enter,
            args=(key, {label: periods}, f"{path}, {channel}"),
            disabled=reason is not None or not names,
            help=reason,
        )


def _names(auxiliary: Auxiliary, channel: str) -> dict[float, str]:
    """Let the voltages of a channel be named."""
    levels = sorted(set(auxiliary.channels[channel].volts.tolist()))
    table = pd.DataFrame({"volts": levels, "name": [f"{volts:.1f} V" for volts in levels]})
    named = st.data_editor(
        table, hide_index=True, column_config=LEVELS, key=f"voltages of {channel}"
    )
    pairs = zip(named["volts"], named["name"].fillna("").str.strip(), strict=True)
    return {float(volts): name for volts, name in pairs if name}
