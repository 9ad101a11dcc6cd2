"""Traces of ROIs, one above the other."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.colors import QUIET, roi_color
from pipeline.plots.envelope import envelope_frames
from pipeline.plots.style import AXIS, LAYOUT

FILL = 0.92
"""Part of the room of a trace that the largest one takes."""

LEAST_ROOM_PX = 26
MOST_ROOM_PX = 200
"""Height for each trace, of many and of one."""

USUAL_PX = 440
"""Height for all traces together, as long as that gives each its room."""

FRAME_PX = 70


def traces_figure(
    times_s: NDArray[Any],
    traces: NDArray[Any],
    *,
    roi_ids: Sequence[int],
    unit: str,
    behind: NDArray[Any] | None = None,
    common_scale: bool = True,
) -> go.Figure:
    """Draw traces one above the other, the first on top.

    Parameters
    ----------
    times_s : array, (n_frames,)
        Times of the frames.
    traces : array, (n_rois, n_frames)
        The values; the line is broken at NaN.
    roi_ids : sequence of int
        Numbers of the ROIs, which give names and colours.
    unit : str
        Of the values, as ``dF/F``.
    behind : array, (n_rois, n_frames), optional
        Traces to compare with, drawn in grey behind the others.
    common_scale : bool
        Draw all to one scale, with a bar that tells it; otherwise each fills its room.

    Returns
    -------
    plotly.graph_objects.Figure
        The lowest value of each ROI stands on the level of its name.
    """
    layers = [traces] if behind is None else [behind, traces]
    lows, spans = _ranges(layers)
    if common_scale:
        spans = np.full_like(spans, spans.max(initial=0.0))
    spans[spans <= 0] = 1.0
    figure = go.Figure()
    levels = -np.arange(len(roi_ids), dtype=float)
    for row, roi_id in enumerate(roi_ids):
        for layer in layers:
            color = roi_color(roi_id) if layer is traces else QUIET
            heights = levels[row] + FILL * (layer[row] - lows[row]) / spans[row]
            _add_line(figure, times_s, heights, layer[row], (roi_id, color, unit))
    if common_scale and len(roi_ids):
        _add_scale_bar(figure, spans[0], unit)
    figure.update_layout(
        **{**LAYOUT, "margin": {**LAYOUT["margin"], "r": 90}},
        showlegend=False,
        height=FRAME_PX + round(_room_px(len(roi_ids)) * max(1, len(roi_ids))),
        xaxis={**AXIS, "title": "time (s)"},
        yaxis={
            **AXIS,
            "tickvals": levels,
            "ticktext": [_colored(f"ROI {roi_id}", roi_color(roi_id)) for roi_id in roi_ids],
            "range": [1.15 - len(roi_ids) - 0.25, 1.1],
        },
    )
    return figure


def _ranges(layers: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the lowest value of each ROI, and how far the highest is above it."""
    values = np.concatenate(layers, axis=1).astype(np.float64)
    known = np.isfinite(values)
    lows = values.min(axis=1, initial=np.inf, where=known)
    highs = values.max(axis=1, initial=-np.inf, where=known)
    seen = known.any(axis=1)
    return np.where(seen, lows, 0.0), np.where(seen, highs - lows, 0.0)


def _add_line(
    figure: go.Figure,
    times_s: NDArray[Any],
    heights: NDArray[Any],
    values: NDArray[Any],
    look: tuple[int, str, str],
) -> None:
    """Draw one trace; the hover tells its values, not its heights."""
    roi_id, color, unit = look
    frames = envelope_frames(values)
    figure.add_scatter(
        x=times_s[frames],
        y=heights[frames].astype(np.float32),
        customdata=values[frames],
        mode="lines",
        line={"color": color, "width": 1.2},
        hovertemplate=f"ROI {roi_id}, %{{x:.2f}} s: %{{customdata:.3g}} {unit}<extra></extra>",
    )


def _add_scale_bar(figure: go.Figure, span: float, unit: str) -> None:
    """Draw a bar of a round length beside the first trace."""
    length = _round_down(span / 2)
    figure.add_shape(
        type="line",
        xref="paper",
        x0=1.012,
        x1=1.012,
        y0=0,
        y1=FILL * length / span,
        line={"color": "#555555", "width": 2},
    )
    figure.add_annotation(
        text=f"{length:g} {unit}",
        xref="paper",
        x=1.02,
        y=FILL * length / span / 2,
        xanchor="left",
        showarrow=False,
    )


def _round_down(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, … (any power of ten) that is not above a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9))


def _room_px(n_rois: int) -> float:
    """Return the height for each trace: the more there are, the less."""
    return min(MOST_ROOM_PX, max(LEAST_ROOM_PX, USUAL_PX / max(1, n_rois)))


def _colored(text: str, color: str) -> str:
    return f'<span style="color:{color}">{text}</span>'
