"""The outline of a set of pixels, along the sides of the pixels."""

import numpy as np
from numpy.typing import NDArray

RIGHT, DOWN, LEFT, UP = (0, 1), (1, 0), (0, -1), (-1, 0)
NEIGHBOURS = {RIGHT: (-1, 0), DOWN: (0, 1), LEFT: (1, 0), UP: (0, -1)}
"""Along which way the side towards a neighbour runs, clockwise around the pixel."""

FIRST_CORNER = {RIGHT: (0, 0), DOWN: (0, 1), LEFT: (1, 1), UP: (1, 0)}
CLOCKWISE = (RIGHT, DOWN, LEFT, UP)

Corner = tuple[int, int]


def pixel_outline(rows: NDArray[np.integer], cols: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Return the closed lines around pixels, and around the holes between them.

    Parameters
    ----------
    rows, cols : array, (n_pixels,)
        The pixels.

    Returns
    -------
    list of array, (n_corners, 2)
        Corners, rows first, counted from the corner of the first pixel; pixels that touch at a
        corner alone are parts of their own.

    Examples
    --------
    >>> [ring.tolist() for ring in pixel_outline(np.array([0, 0]), np.array([0, 1]))]
    [[[0, 0], [0, 2], [1, 2], [1, 0]]]
    """
    sides = _sides(set(zip(rows.tolist(), cols.tolist(), strict=True)))
    rings = []
    while sides:
        rings.append(_ring(sides))
    return rings


def _sides(pixels: set[Corner]) -> dict[Corner, list[Corner]]:
    """Return for each corner the ways in which sides between inside and outside begin there."""
    sides: dict[Corner, list[Corner]] = {}
    for row, col in sorted(pixels):
        for way, (down, right) in NEIGHBOURS.items():
            if (row + down, col + right) not in pixels:
                first = FIRST_CORNER[way]
                sides.setdefault((row + first[0], col + first[1]), []).append(way)
    return sides


def _ring(sides: dict[Corner, list[Corner]]) -> NDArray[np.int64]:
    """Take one closed line out of the sides."""
    begin = at = next(iter(sides))
    way = sides[at][0]
    corners: list[Corner] = []
    before: Corner | None = None
    while True:
        ways = sides[at]
        if len(ways) > 1 and before is not None:  # two pixels touch here: turn into the same one
            way = CLOCKWISE[(CLOCKWISE.index(before) + 1) % 4]
        else:
            way = ways[0]
        ways.remove(way)
        if not ways:
            del sides[at]
        if way != before:
            corners.append(at)
        at, before = (at[0] + way[0], at[1] + way[1]), way
        if at == begin:
            return np.array(corners, np.int64)
