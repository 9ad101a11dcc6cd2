"""What all figures share."""

from typing import Any

AXIS = {"zeroline": False, "showgrid": False, "ticks": "outside", "showline": True}
"""Of an axis: a line with ticks, no grid."""

LAYOUT: dict[str, Any] = {
    "margin": {"l": 70, "r": 20, "t": 10, "b": 45},
    "plot_bgcolor": "rgba(0,0,0,0)",
    "hovermode": "closest",
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
}
"""Of a figure: small margins, a legend above."""
