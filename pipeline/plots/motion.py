"""How far the image moved, and how like the template each frame is."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.colors import CYCLE, QUIET
from pipeline.plots.envelope import envelope_frames
from pipeline.plots.style import AXIS, LAYOUT

HEIGHT_PX = 260
AXES = {
    "planes (deeper is positive)": CYCLE[2],
    "rows (down is positive)": CYCLE[0],
    "columns (right is positive)": CYCLE[4],
}
UNUSABLE = "#d64545"
RUG_Y = 0.03
"""Where the marks below the lines lie, from the bottom to the top of the figure."""


class _Line(NamedTuple):
    """A course over time."""

    name: str
    values: NDArray[Any]
    color: str


def shifts_figure(
    times_s: NDArray[Any],
    shifts_px: NDArray[Any],
    *,
    unusable: Mapping[str, Sequence[int]] | None = None,
) -> go.Figure:
    """Draw the shifts of the frames over time.

    Parameters
    ----------
    times_s : array, (n_frames,)
        Times of the frames.
    shifts_px : array, (n_frames, n_axes)
        How far each frame lay from the template: [planes,] rows, columns.
    unusable : mapping, optional
        Frames of no use, by the reason; they are marked below the lines.

    Returns
    -------
    plotly.graph_objects.Figure
        One line an axis.
    """
    axes = list(AXES.items())[-shifts_px.shape[1] :]
    lines = [
        _Line(name, values, color) for (name, color), values in zip(axes, shifts_px.T, strict=True)
    ]
    return _draw(times_s, lines, "shift (px)", unusable)


def correlation_figure(
    times_s: NDArray[Any],
    *,
    before: NDArray[Any],
    after: NDArray[Any],
    unusable: Mapping[str, Sequence[int]] | None = None,
) -> go.Figure:
    """Draw the correlation of the frames with the template, before and after the correction.

    Parameters
    ----------
    times_s : array, (n_frames,)
        Times of the frames.
    before, after : array, (n_frames,)
        Correlations; the line is broken at NaN.
    unusable : mapping, optional
        Frames of no use, by the reason; they are marked below the lines.

    Returns
    -------
    plotly.graph_objects.Figure
        One line each.
    """
    lines = [_Line("before", before, QUIET), _Line("after", after, CYCLE[1])]
    return _draw(times_s, lines, "correlation", unusable)


def _draw(
    times_s: NDArray[Any],
    lines: Sequence[_Line],
    quantity: str,
    unusable: Mapping[str, Sequence[int]] | None,
) -> go.Figure:
    """Draw courses over time, and what is unusable below them."""
    figure = go.Figure()
    for line in lines:
        frames = envelope_frames(line.values)
        figure.add_scatter(
            x=times_s[frames],
            y=line.values[frames],
            customdata=frames,
            name=line.name,
            mode="lines",
            line={"color": line.color, "width": 1},
            hovertemplate="frame %{customdata}, %{x:.2f} s: %{y:.3g}",
        )
    _mark(figure, times_s, unusable or {})
    figure.update_layout(
        **LAYOUT,
        height=HEIGHT_PX,
        xaxis={**AXIS, "title": "time (s)"},
        yaxis={**AXIS, "title": quantity},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    )
    return figure


def _mark(figure: go.Figure, times_s: NDArray[Any], unusable: Mapping[str, Sequence[int]]) -> None:
    """Mark the frames of no use at the bottom of a figure."""
    frames = [frame for found in unusable.values() for frame in found]
    if not frames:
        return
    figure.add_scatter(
        x=times_s[frames],
        y=[RUG_Y] * len(frames),
        yaxis="y2",
        customdata=[(frame, reason) for reason, found in unusable.items() for frame in found],
        name="unusable",
        mode="markers",
        marker={"color": UNUSABLE, "symbol": "line-ns-open", "size": 11, "line": {"width": 1.5}},
        hovertemplate="frame %{customdata[0]}, %{x:.2f} s: %{customdata[1]}<extra></extra>",
    )
