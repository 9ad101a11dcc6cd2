"""Where a one-photon extraction would start cells."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.style import AXIS, LAYOUT

SCALE = "Viridis"
SEED = {"symbol": "circle-open", "size": 9, "color": "#ff4b4b", "line": {"width": 1.5}}
HEIGHT_PX = 460


def seeds_figure(
    image: NDArray[Any],
    seeds_px: NDArray[Any],
    *,
    bin_px: tuple[int, int],
    limits: tuple[float, float],
    label: str,
    first_px: int = 0,
) -> go.Figure:
    """Draw an image by which seeds are chosen, and the seeds.

    Parameters
    ----------
    image : array, (n_rows, n_cols)
        Correlation or ratio of peak to noise, in bins.
    seeds_px : array, (n_seeds, 2)
        Row and column of each seed, in pixels of the movie.
    bin_px : tuple of int
        Rows and columns of the movie in a bin.
    limits : tuple of float
        Values with the darkest and the brightest colour; the first is the threshold.
    label : str
        What the values are.
    first_px : int
        Row and column of the movie at which the image begins.

    Returns
    -------
    plotly.graph_objects.Figure
        In pixels of the movie, rows down.
    """
    rows, cols = (
        first_px + (np.arange(n) + 0.5) * side - 0.5
        for n, side in zip(image.shape, bin_px, strict=True)
    )
    figure = go.Figure()
    figure.add_heatmap(
        z=image,
        x=cols,
        y=rows,
        zmin=limits[0],
        zmax=limits[1],
        colorscale=SCALE,
        colorbar={"thickness": 12, "title": {"text": label, "side": "right"}},
        hovertemplate="row %{y}, column %{x}: %{z:.2f}<extra></extra>",
    )
    figure.add_scatter(
        x=seeds_px[:, 1],
        y=seeds_px[:, 0],
        mode="markers",
        marker=SEED,
        hovertemplate="seed in row %{y}, column %{x}<extra></extra>",
    )
    figure.update_layout(
        **LAYOUT,
        height=HEIGHT_PX,
        showlegend=False,
        xaxis={**AXIS, "title": "column (px)", "constrain": "domain"},
        yaxis={
            **AXIS,
            "title": "row (px)",
            "autorange": "reversed",
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )
    return figure
