"""How far the image moved."""

from typing import Any

import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.colors import CYCLE
from pipeline.plots.envelope import envelope_frames
from pipeline.plots.style import AXIS, LAYOUT

HEIGHT_PX = 280
AXES = {"rows (down is positive)": CYCLE[0], "columns (right is positive)": CYCLE[4]}


def shifts_figure(times_s: NDArray[Any], shifts_px: NDArray[Any]) -> go.Figure:
    """Draw the shifts of the frames over time.

    Parameters
    ----------
    times_s : array, (n_frames,)
        Times of the frames.
    shifts_px : array, (n_frames, 2)
        How far each frame lay from the template, rows first.

    Returns
    -------
    plotly.graph_objects.Figure
        One line for rows, one for columns.
    """
    figure = go.Figure()
    for (name, color), shift_px in zip(AXES.items(), shifts_px.T, strict=True):
        frames = envelope_frames(shift_px)
        figure.add_scatter(
            x=times_s[frames],
            y=shift_px[frames],
            name=name,
            mode="lines",
            line={"color": color, "width": 1},
            hovertemplate="%{x:.2f} s: %{y:.2f} px",
        )
    figure.update_layout(
        **LAYOUT,
        height=HEIGHT_PX,
        xaxis={**AXIS, "title": "time (s)"},
        yaxis={**AXIS, "title": "shift (px)", "zeroline": True, "zerolinecolor": "#dddddd"},
    )
    return figure
