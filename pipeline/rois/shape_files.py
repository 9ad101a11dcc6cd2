"""Drawn shapes from a file: JSON, or a table of corners."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline.rois.outlines import Polygon, Shape, shape_from_dict

CORNER = ("name", "row_px", "col_px")
PLANE = "plane"


class NamedShapes(NamedTuple):
    """Shapes, and what they are called."""

    names: tuple[str, ...]
    """In the order of the shapes."""

    shapes: tuple[Shape, ...]
    """Polygons and ellipses."""


def read_shapes(path: Path) -> NamedShapes:
    """Read shapes that somebody has drawn.

    Parameters
    ----------
    path : Path
        A ``.json`` with a list of shapes, each with a ``name`` if it has one, and either
        ``points_px`` (corners, rows first), ``parts_px`` and ``holes_px`` (several such lists), or
        ``center_px``, ``radii_px`` and ``angle_deg`` of an ellipse, and in a volume its ``plane``;
        or a ``.csv`` of corners with the columns ``name``, ``row_px``, ``col_px`` and perhaps
        ``plane``, where the corners of one name are a polygon.

    Raises
    ------
    ValueError
        If the file cannot be read so, or holds no shape.
    """
    kinds = {".json": _from_json, ".csv": _from_csv}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise ValueError(
            f"{path.name} is no file of shapes; these can be read: {', '.join(kinds)}."
        )
    if not path.is_file():
        raise ValueError(f"there is no file {path}.")
    try:
        found = read(path)
    except (UnicodeDecodeError, json.JSONDecodeError, pd.errors.ParserError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}.") from error
    except pd.errors.EmptyDataError:
        found = NamedShapes((), ())
    if not found.shapes:
        raise ValueError(f"{path.name} holds no shape.")
    return found


def _from_json(path: Path) -> NamedShapes:
    """Read a list of shapes."""
    listed: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ValueError(f"{path.name} must hold a list of shapes, as [{{'points_px': …}}].")
    names = tuple(str(each.pop("name", "")) for each in listed)
    shapes = []
    for number, each in enumerate(listed):
        try:
            shapes.append(shape_from_dict(each))
        except ValueError as error:
            raise ValueError(f"shape {number} of {path.name} cannot be: {error}") from error
    return NamedShapes(names, tuple(shapes))


def _from_csv(path: Path) -> NamedShapes:
    """Read the corners of polygons, in the order of their first corners."""
    table = pd.read_csv(path, dtype={"name": str}, keep_default_na=False)
    missing = [name for name in CORNER if name not in table]
    if missing:
        raise ValueError(
            f"{path.name} must have the columns {', '.join(CORNER)}; {missing[0]} is missing."
        )
    names, shapes = [], []
    for name, corners in table.groupby("name", sort=False):
        planes = set(corners[PLANE]) if PLANE in corners else {None}
        if len(planes) > 1:
            raise ValueError(f"the corners of {name!r} in {path.name} lie on several planes.")
        plane = planes.pop()
        points = corners[["row_px", "col_px"]].to_numpy().tolist()
        number = None if plane in (None, "") else int(str(plane))
        shapes.append(Polygon(parts_px=(points,), plane=number))
        names.append(str(name))
    return NamedShapes(tuple(names), tuple(shapes))
