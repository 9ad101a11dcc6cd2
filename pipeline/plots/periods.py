"""Stimulus periods behind a plot over time."""

import pandas as pd
import plotly.graph_objects as go

from pipeline.plots.colors import CYCLE

OPACITY = 0.22
MOST_NAMED = 16
"""Stimuli that a legend can name."""


def stimulus_colors(periods: pd.DataFrame) -> dict[str, str]:
    """Return the colour of each stimulus: the one that was entered, or the next of the circle.

    Parameters
    ----------
    periods : pandas.DataFrame
        With the columns ``name`` and ``color``.

    Returns
    -------
    dict
        By name; numbers in their order, before other names.
    """
    given = dict(zip(periods["name"], periods["color"], strict=True))
    names = sorted(given, key=_in_order)
    return {name: given[name] or CYCLE[i % len(CYCLE)] for i, name in enumerate(names)}


def _in_order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def shade_periods(figure: go.Figure, periods: pd.DataFrame) -> None:
    """Shade stimulus periods behind what a figure shows over time.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Its x axis are seconds; the range of its y axis is set.
    periods : pandas.DataFrame
        With the columns ``name``, ``start_s``, ``end_s`` and ``color``.
    """
    bottom, top = figure.layout.yaxis.range
    shades = []
    for name, color in stimulus_colors(periods).items():
        chosen = periods[periods["name"] == name]
        x: list[float | None] = []
        for start, end in zip(chosen["start_s"], chosen["end_s"], strict=True):
            x += [start, start, end, end, None]
        shades.append(
            go.Scatter(
                x=x,
                y=[bottom, top, top, bottom, None] * len(chosen),
                fill="toself",
                mode="none",
                fillcolor=f"rgba{(*_rgb(color), OPACITY)}",
                name=name,
                hoverinfo="name",
                showlegend=True,
            )
        )
    drawn = list(figure.data)
    for line in drawn:
        line.showlegend = False
    figure.data = ()
    figure.add_traces([*shades, *drawn])
    figure.update_layout(
        showlegend=0 < len(shades) <= MOST_NAMED,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
    )


def _rgb(color: str) -> tuple[int, ...]:
    """Return red, green and blue, 0 to 255, of a colour as ``#1f77b4``."""
    return tuple(bytes.fromhex(color.removeprefix("#")))
