"""How like the template each frame is."""

from typing import Any

import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.colors import CYCLE, QUIET
from pipeline.plots.envelope import envelope_frames
from pipeline.plots.style import AXIS, LAYOUT

HEIGHT_PX = 240


def correlation_figure(
    times_s: NDArray[Any], *, before: NDArray[Any], after: NDArray[Any]
) -> go.Figure:
    """Draw the correlation of the frames with the template, before and after the correction.

    Parameters
    ----------
    times_s : array, (n_frames,)
        Times of the frames.
    before, after : array, (n_frames,)
        Correlations; the line is broken at NaN.

    Returns
    -------
    plotly.graph_objects.Figure
        One line each.
    """
    figure = go.Figure()
    for name, values, color in (("before", before, QUIET), ("after", after, CYCLE[1])):
        frames = envelope_frames(values)
        figure.add_scatter(
            x=times_s[frames],
            y=values[frames],
            name=name,
            mode="lines",
            line={"color": color, "width": 1},
            hovertemplate="%{x:.2f} s: %{y:.3f}",
        )
    figure.update_layout(
        **LAYOUT,
        height=HEIGHT_PX,
        xaxis={**AXIS, "title": "time (s)"},
        yaxis={**AXIS, "title": "correlation"},
    )
    return figure
