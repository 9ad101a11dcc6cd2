"""Where the patches of a motion correction lie, over an image."""

import base64
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.plots.colors import CYCLE
from pipeline.plots.picture import grey_png
from pipeline.plots.style import LAYOUT

HEIGHT_PX = 420
BAND, PATCH, CROP = CYCLE[10], CYCLE[0], CYCLE[6]
OPACITY = 0.25

Range = Sequence[int]
"""First pixel, and the one after the last."""


def grid_figure(
    image: NDArray[Any],
    *,
    limits: Sequence[float],
    firsts_px: tuple[Sequence[int], Sequence[int]],
    patch_px: tuple[int, int],
    crop: tuple[Range, Range] | None = None,
) -> go.Figure:
    """Draw where neighbouring patches overlap, one patch among them, and a crop.

    Parameters
    ----------
    image : array, (n_rows, n_cols)
        What lies below.
    limits : sequence of two float
        Values that are drawn black and white.
    firsts_px : tuple of sequences of int
        First rows and first columns of the patches, ascending.
    patch_px : tuple of int
        Height and width of a patch.
    crop : tuple of two ranges, optional
        Rows and columns of the part with content.

    Returns
    -------
    plotly.graph_objects.Figure
        The overlaps as bands, the patch nearest to the middle as a frame, the crop dashed.
    """
    n_rows, n_cols = image.shape
    figure = _image_figure(image, limits)
    rows, cols = firsts_px
    for band in overlaps_px(rows, patch_px[0]):
        _add_box(figure, band, (0, n_cols), fillcolor=BAND, opacity=OPACITY)
    for band in overlaps_px(cols, patch_px[1]):
        _add_box(figure, (0, n_rows), band, fillcolor=BAND, opacity=OPACITY)
    row, col = rows[len(rows) // 2], cols[len(cols) // 2]
    patch = (row, row + patch_px[0]), (col, col + patch_px[1])
    _add_box(figure, *patch, line={"color": PATCH, "width": 2})
    if crop is not None:
        _add_box(figure, *crop, line={"color": CROP, "width": 2, "dash": "dash"})
    return figure


def _image_figure(image: NDArray[Any], limits: Sequence[float]) -> go.Figure:
    """Draw an image with rows down and square pixels."""
    n_rows, n_cols = image.shape
    figure = go.Figure()
    png = base64.b64encode(grey_png(image, limits=limits)).decode()
    figure.add_layout_image(
        source=f"data:image/png;base64,{png}",
        **{"x": -0.5, "y": -0.5, "sizex": n_cols, "sizey": n_rows, "sizing": "stretch"},
        **{"xref": "x", "yref": "y", "layer": "below"},
    )
    axis = {"showgrid": False, "zeroline": False, "constrain": "domain"}
    figure.update_layout(
        **LAYOUT,
        height=HEIGHT_PX,
        xaxis={**axis, "range": [-0.5, n_cols - 0.5], "title": "column (px)"},
        yaxis={**axis, "range": [n_rows - 0.5, -0.5], "title": "row (px)", "scaleanchor": "x"},
    )
    return figure


def overlaps_px(firsts: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Return where neighbouring patches overlap along an axis, as half-open ranges.

    Examples
    --------
    >>> overlaps_px([0, 40, 70], 50)
    [(40, 50), (70, 90)]
    """
    pairs = zip(firsts[1:], firsts[:-1], strict=True)
    return [(later, first + size) for later, first in pairs if later < first + size]


def _add_box(figure: go.Figure, rows: Range, cols: Range, **style: Any) -> None:
    """Draw a rectangle around half-open ranges of pixels."""
    edges = {"x0": cols[0] - 0.5, "x1": cols[1] - 0.5, "y0": rows[0] - 0.5, "y1": rows[1] - 0.5}
    figure.add_shape(type="rect", **edges, **{"line": {"width": 0}, **style})
