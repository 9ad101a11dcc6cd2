"""How much of each pixel a polygon covers, exactly."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Coverage(NamedTuple):
    """The part of each pixel of a box that lies inside a polygon."""

    first: tuple[int, int]
    """Row and column of the box's first pixel; may lie outside the frame."""

    image: NDArray[np.float64]
    """``(n_rows, n_cols)`` of the box, 0 to 1 where the polygon does not cross itself: below 0 or
    above 1 otherwise."""


def polygon_coverage(points_px: NDArray[np.floating]) -> Coverage:
    """Return how much of each pixel a closed polygon covers.

    Parameters
    ----------
    points_px : array, (n_points, 2)
        Corners, rows first, without the first one again at the end; the centre of a pixel has whole
        numbers.

    Returns
    -------
    Coverage
        Exact but for rounding; the sum of the image is the area of the polygon.

    Notes
    -----
    The edges are cut where they leave a pixel. Each piece adds to its pixel the area between it and
    the pixel's right side, and its height to all pixels on the right: sums along the rows are then
    the areas. Their sign is that of the way around, which is taken out at the end.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    >>> polygon_coverage(square).image.tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    corners = np.asarray(points_px, np.float64) + 0.5  # in which pixels begin at whole numbers
    low = np.floor(corners.min(axis=0)).astype(np.int64)
    high = np.ceil(corners.max(axis=0)).astype(np.int64)
    begins, ends = _cut(corners - low)
    n_rows, n_cols = np.maximum(high - low, 1)
    middle = (begins + ends) / 2
    rows, cols = (
        np.clip(np.floor(middle[:, axis]).astype(np.int64), 0, length - 1)
        for axis, length in enumerate((n_rows, n_cols))
    )
    height = ends[:, 0] - begins[:, 0]
    right = height * (middle[:, 1] - cols)
    flat = np.zeros(n_rows * (n_cols + 1))
    place = rows * (n_cols + 1) + cols
    np.add.at(flat, place, height - right)
    np.add.at(flat, place + 1, right)
    image = flat.reshape(n_rows, n_cols + 1).cumsum(axis=1)[:, :-1]
    row, col = (int(number) for number in low)
    return Coverage((row, col), -image if image.sum() < 0 else image)


def _cut(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut the edges of a polygon where they cross the lines between pixels, ``(n_pieces, 2)``."""
    ends = np.roll(corners, -1, axis=0)
    edges, places = zip(*(_crossings(corners[:, a], ends[:, a]) for a in (0, 1)), strict=True)
    n_edges = np.arange(len(corners))
    edge = np.concatenate([n_edges, *edges, n_edges])
    place = np.concatenate([np.zeros(len(corners)), *places, np.ones(len(corners))])
    order = np.lexsort((place, edge))
    edge, place = edge[order], place[order, np.newaxis]
    points = corners[edge] * (1 - place) + ends[edge] * place
    within = edge[1:] == edge[:-1]
    return points[:-1][within], points[1:][within]


def _crossings(
    begins: NDArray[np.float64], ends: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where edges cross whole numbers of one axis: the edge, and how far along it."""
    first = np.ceil(np.minimum(begins, ends)).astype(np.int64)
    count = np.maximum(np.floor(np.maximum(begins, ends)).astype(np.int64) - first + 1, 0)
    count[begins == ends] = 0
    edge = np.repeat(np.arange(begins.size), count)
    number = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count)
    line = first[edge] + number
    return edge, (line - begins[edge]) / (ends[edge] - begins[edge])
