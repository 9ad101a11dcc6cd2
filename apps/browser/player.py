"""A short film that can be stopped, and looked at frame by frame: a component of our own.

A video element would need a codec that blurs what is to be judged, and a picture that moves by
itself cannot be stopped.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pipeline.plots import contact_sheet

N_ACROSS = 8

HTML = """
<div class="player">
  <canvas role="img"></canvas>
  <div class="bar">
    <button class="play" aria-label="Play"></button>
    <button class="back" title="one back" aria-label="One back">&#x2039;</button>
    <button class="next" title="one on" aria-label="One on">&#x203a;</button>
    <input type="range" min="0" value="0" step="1" aria-label="Frame of the film">
    <span class="words"></span>
  </div>
</div>
"""
CSS = """
.player { width: 100%; color: var(--st-text-color); font-family: var(--st-font); }
canvas { display: block; cursor: pointer; border-radius: 4px; }
.bar { display: flex; align-items: center; gap: 6px; margin-top: 6px; font-size: 13px; }
.bar button { width: 30px; height: 28px; padding: 0; border-radius: 5px; cursor: pointer;
  border: 1px solid var(--st-border-color); background: var(--st-secondary-background-color);
  color: inherit; font-size: 13px; line-height: 1; }
.bar input { flex: 1; min-width: 60px; accent-color: var(--st-primary-color); }
.words { min-width: 12.5em; text-align: right; font-variant-numeric: tabular-nums; }
"""


def show_player(
    frames: NDArray[np.uint8], *, key: str, label: str, words: Sequence[str], rate_hz: float
) -> None:
    """Show a short film.

    Parameters
    ----------
    frames : array, (n_frames, n_rows, n_cols)
        Shades of grey.
    key : str
        Of the component in the session.
    label : str
        What the film shows, for who cannot see it.
    words : sequence of str
        What each frame shows.
    rate_hz : float
        Frames per second when it plays.
    """
    sheet = base64.b64encode(contact_sheet(frames, n_across=N_ACROSS)).decode()
    data = {
        "sheet": f"data:image/jpeg;base64,{sheet}",
        "n_frames": len(frames),
        "n_rows": frames.shape[1],
        "n_cols": frames.shape[2],
        "n_across": N_ACROSS,
        "rate_hz": rate_hz,
        "words": list(words),
        "label": label,
    }
    _component()(key=key, data=data)


@st.cache_resource
def _component() -> Any:
    """Register the component, once in a server process."""
    script = (Path(__file__).parent / "player.js").read_text()
    return st.components.v2.component("mesmerize_player", html=HTML, css=CSS, js=script)
