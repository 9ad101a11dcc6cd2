"""An image with the outlines of ROIs that can be picked: a component of our own.

A chart of Plotly would be made anew, and lose its zoom, whenever another ROI is highlighted.
"""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pipeline.plots import grey_png, roi_color

HTML = """
<div class="viewer">
  <canvas role="img"></canvas>
  <div class="tools">
    <button class="closer" title="closer (Ctrl and wheel)">+</button>
    <button class="wider" title="wider (Ctrl and wheel)">&minus;</button>
    <button class="whole" title="the whole image (double click)">&#x2922;</button>
  </div>
  <div class="tip" hidden></div>
</div>
"""
CSS = """
.viewer { position: relative; width: 100%; color: var(--st-text-color);
  font-family: var(--st-font); }
canvas { display: block; touch-action: none; }
.tools { position: absolute; top: 14px; left: 50px; display: flex; gap: 4px; opacity: 0.55; }
.tools:hover { opacity: 1; }
.tools button { width: 26px; height: 26px; padding: 0; border: 0; border-radius: 5px;
  background: rgba(0, 0, 0, 0.6); color: white; font-size: 16px; line-height: 1;
  cursor: pointer; }
.tip { position: absolute; z-index: 1; width: max-content; max-width: 18em;
  padding: 5px 9px; border-radius: 5px;
  background: rgba(20, 20, 20, 0.88); color: white; font-size: 12.5px; line-height: 1.45;
  white-space: pre-line; pointer-events: none; }
"""
REJECTED = "#d0d0d0"
NUMBERS = {"snr": "SNR", "rval": "spatial correlation"}


class Outlines(NamedTuple):
    """ROIs to draw on an image."""

    rois: pd.DataFrame
    """As `apps.queries.rois` returns them; a column ``color`` stands for their own colours, and
    ``note`` is said of each besides."""

    selected: Sequence[int]
    """ROIs to draw as selected."""

    on_pick: Callable[[], None]
    """Called when others are picked, with their numbers in ``session_state[key].picked``."""


def image_viewer(
    image: NDArray[Any],
    *,
    key: str,
    label: str,
    limits: Sequence[float],
    pixel_size_um: Sequence[float] | None = None,
    outlines: Outlines | None = None,
) -> None:
    """Show an image, and where ROIs are given, their outlines.

    Parameters
    ----------
    image : array, (n_rows, n_cols)
        The values.
    key : str
        Of the component in the session.
    label : str
        What the image shows, for who cannot see it.
    limits : sequence of two float
        Values that are drawn black and white.
    pixel_size_um : sequence of float, optional
        Size of a pixel, the column's last; draws a scale bar.
    outlines : Outlines, optional
        ROIs that can be picked.
    """
    png = base64.b64encode(grey_png(image, limits=limits)).decode()
    data = {
        "image": f"data:image/png;base64,{png}",
        "n_rows": image.shape[0],
        "n_cols": image.shape[1],
        "pixel_size_um": list(pixel_size_um)[-2:] if pixel_size_um else None,
        "rois": [_outline(roi) for roi in outlines.rois.to_dict("records")] if outlines else [],
        "selected": [int(roi_id) for roi_id in outlines.selected] if outlines else [],
        "selectable": outlines is not None,
        "label": label,
    }
    _component()(key=key, data=data, on_picked_change=outlines.on_pick if outlines else _nothing)


def picked_rois(key: str) -> list[int]:
    """Return the ROIs that were just picked in a viewer, for its ``on_pick``."""
    return [int(roi_id) for roi_id in st.session_state[key]["picked"]["rois"]]


def _outline(roi: dict[str, Any]) -> dict[str, Any]:
    """Describe the outline of a ROI and what its hover says."""
    numbers = [f"{text} {roi[name]:.2f}" for name, text in NUMBERS.items() if pd.notna(roi[name])]
    lines = [f"ROI {roi['roi_id']}", *numbers]
    if pd.notna(roi["centroid_plane_px"]):
        lines.append(f"centre in plane {roi['centroid_plane_px']:.1f}")
    if not roi["accepted"]:
        lines.append(f"{roi.get('state', 'rejected')}: {roi['reason']}")
    lines += [roi["note"]] if "note" in roi else []
    own = roi_color(roi["roi_id"]) if roi["accepted"] else REJECTED
    return {
        "id": int(roi["roi_id"]),
        "accepted": bool(roi["accepted"]),
        "color": roi.get("color", own),
        "center": [float(roi["centroid_row_px"]), float(roi["centroid_col_px"])],
        "contour": roi["contour_px"].round(2).tolist(),
        "tip": "\n".join(lines),
    }


@st.cache_resource
def _component() -> Any:
    """Register the component, once in a server process."""
    script = (Path(__file__).parent / "viewer.js").read_text()
    return st.components.v2.component("mesmerize_viewer", html=HTML, css=CSS, js=script)


def _nothing() -> None:
    """Do nothing: an image without ROIs has nothing to pick."""
