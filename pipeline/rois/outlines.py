"""ROIs as somebody draws them: polygons, with holes or in several parts, and ellipses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.rois.coverage import polygon_coverage

MIN_CORNERS = 3
MIN_AREA_PX = 1e-6
ROUNDING = 1e-6
HALF_PX = 0.5
FLATNESS_PX = 1e-4
"""How far the polygon that stands for an ellipse may lie from it."""

MAX_CORNERS = 100_000
FARTHEST_FRAMES = 10
"""Corners farther outside than so many frames are no places in pixels."""

PLANE_NDIM = 2
Corners = Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Polygon:
    """An area with straight edges; several parts, and holes in them, are one ROI."""

    parts_px: tuple[Corners, ...]
    """Corners of each part, rows first; the centre of a pixel has whole numbers."""

    holes_px: tuple[Corners, ...] = ()
    """Corners of each hole, inside a part."""

    plane: int | None = None
    """In a volume, the plane that it lies on, from 0."""

    def rings_px(self) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the corners of each part with 1, and of each hole with -1."""
        signed = [(1, part) for part in self.parts_px] + [(-1, hole) for hole in self.holes_px]
        return [(sign, _corners(points)) for sign, points in signed]


@dataclass(frozen=True, kw_only=True)
class Ellipse:
    """An ellipse."""

    center_px: tuple[float, float]
    """Row and column."""

    radii_px: tuple[float, float]
    """Half axes: along the rows, and along the columns before it is turned."""

    angle_deg: float = 0.0
    """By how much it is turned, from the rows towards the columns, in degrees."""

    plane: int | None = None
    """In a volume, the plane that it lies on, from 0."""

    def rings_px(self) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the corners of a polygon of the same area, with 1."""
        numbers = np.array([*self.center_px, *self.radii_px, self.angle_deg], np.float64)
        if numbers.shape != (5,) or not np.isfinite(numbers).all() or min(self.radii_px) < 0:
            raise ValueError(
                "an ellipse must have a finite centre (row, column), two radii of at least 0 and "
                f"an angle; got {self.center_px}, {self.radii_px}, {self.angle_deg}."
            )
        radius = max(self.radii_px)
        n_corners = max(64, math.ceil(math.pi / math.sqrt(2 * FLATNESS_PX / max(radius, 1))))
        n_corners = min(n_corners, MAX_CORNERS)
        around = 2 * math.pi * np.arange(n_corners) / n_corners
        # the corners lie a little outside, so that the area is that of the ellipse
        scale = math.sqrt(2 * math.pi / n_corners / math.sin(2 * math.pi / n_corners))
        axes = scale * np.array(self.radii_px) * np.stack([np.cos(around), np.sin(around)], axis=1)
        turn = math.radians(self.angle_deg)
        turned = [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
        return [(1, axes @ np.array(turned) + self.center_px)]


Shape = Polygon | Ellipse


class Weighted(NamedTuple):
    """The pixels of a shape."""

    pixels: NDArray[np.int64]
    """Index of each in a frame, in C order, ``(n_stored,)``."""

    weights: NDArray[np.float32]
    """The part of each that lies inside, above 0 to 1, ``(n_stored,)``."""


def _corners(points: Corners) -> NDArray[np.float64]:
    """Return corners as an array, or refuse them."""
    try:
        corners = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != PLANE_NDIM or corners.shape[1] != PLANE_NDIM:
        raise ValueError("the corners of a polygon must be pairs of numbers (row, column).")
    if not np.isfinite(corners).all():
        raise ValueError("the corners of a polygon must be finite numbers.")
    if len(corners) > 1 and (corners[0] == corners[-1]).all():
        corners = corners[:-1]
    if not MIN_CORNERS <= len(corners) <= MAX_CORNERS:
        raise ValueError(f"a polygon must have 3 to {MAX_CORNERS} corners; got {len(corners)}.")
    return corners


def rasterize(shape: Shape, frame_shape: tuple[int, ...]) -> Weighted:
    """Return the pixels that a shape covers, each weighted by its part that is inside.

    Parameters
    ----------
    shape : Polygon or Ellipse
        May reach beyond the frame; what is outside is left out.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.

    Returns
    -------
    Weighted
        The pixels in increasing order.

    Raises
    ------
    ValueError
        If no part of it lies in the frame, its outline crosses itself, it has no area, or the plane
        is missing in a volume or given where there is none.
    """
    *planes, n_rows, n_cols = frame_shape
    plane = _checked_plane(shape.plane, planes)
    rings = shape.rings_px()
    places = np.concatenate([points for _, points in rings])
    low, high = places.min(axis=0), places.max(axis=0)
    if (high <= -HALF_PX).any() or (low >= np.array([n_rows, n_cols]) - HALF_PX).any():
        raise ValueError(
            f"it lies outside the movie: rows {low[0]:g} to {high[0]:g} and columns {low[1]:g} to "
            f"{high[1]:g} of a frame of {n_rows} x {n_cols} pixels; are rows and columns exchanged?"
        )
    if max(-low.min(), high.max()) > FARTHEST_FRAMES * max(n_rows, n_cols):
        raise ValueError(
            f"it reaches to {max(-low.min(), high.max()):g} px in a frame of {n_rows} x {n_cols} "
            "pixels; corners are given in pixels."
        )
    rows, cols, weights = _covered(rings)
    inside = (rows >= 0) & (rows < n_rows) & (cols >= 0) & (cols < n_cols) & (weights > 0)
    pixels = (plane * n_rows + rows[inside]) * n_cols + cols[inside]
    if not pixels.size:
        raise ValueError(f"it lies outside the movie of {n_rows} x {n_cols} pixels.")
    return Weighted(pixels, weights[inside].astype(np.float32))


def _checked_plane(plane: int | None, planes: Sequence[int]) -> int:
    """Return the plane of a shape, 0 where there is only one."""
    n_planes = planes[0] if planes else 1
    if plane is None and n_planes > 1:
        raise ValueError(f"it needs a plane, 0 to {n_planes - 1}: the movie is a volume.")
    if plane is not None and not 0 <= plane < n_planes:
        raise ValueError(f"its plane must be 0 to {n_planes - 1}; got {plane}.")
    return plane or 0


def _covered(
    rings: list[tuple[int, NDArray[np.float64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows, the columns and the covered part of the pixels in the box of a shape."""
    found = [(sign, polygon_coverage(points)) for sign, points in rings]
    low = np.min([each.first for _, each in found], axis=0)
    high = np.max([np.add(each.first, each.image.shape) for _, each in found], axis=0)
    image = np.zeros(high - low)
    for sign, (first, part) in found:
        row, col = np.subtract(first, low)
        image[row : row + part.shape[0], col : col + part.shape[1]] += sign * part
    if image.min() < -ROUNDING or image.max() > 1 + ROUNDING:
        raise ValueError(
            "its outline crosses itself, its parts overlap, or a hole reaches out of it; draw it "
            "as parts that do not overlap."
        )
    if image.sum() < MIN_AREA_PX:
        raise ValueError("it has no area: its corners lie on a line.")
    image[image < ROUNDING] = 0
    rows, cols = np.indices(image.shape).reshape(2, -1)
    return rows + low[0], cols + low[1], np.minimum(image, 1).ravel()


def shape_to_dict(shape: Shape) -> dict[str, Any]:
    """Return a shape as plain JSON values."""
    if isinstance(shape, Ellipse):
        return {
            "kind": "ellipse",
            "center_px": [float(number) for number in shape.center_px],
            "radii_px": [float(number) for number in shape.radii_px],
            "angle_deg": float(shape.angle_deg),
            "plane": shape.plane,
        }
    rings = {"parts_px": shape.parts_px, "holes_px": shape.holes_px}
    lists = {
        name: [np.asarray(points, np.float64).tolist() for points in each]
        for name, each in rings.items()
    }
    return {"kind": "polygon", **lists, "plane": shape.plane}


def shape_from_dict(values: Mapping[str, Any]) -> Shape:
    """Build a shape from JSON values.

    Parameters
    ----------
    values : mapping
        What `shape_to_dict` returns; of a polygon of one part, ``points_px`` may stand for
        ``parts_px``, and ``kind`` may be left out.

    Raises
    ------
    ValueError
        If it is neither a polygon nor an ellipse.
    """
    given: dict[str, Any] = {name: value for name, value in values.items() if name != "kind"}
    kind = values.get("kind", "ellipse" if "center_px" in values else "polygon")
    if "points_px" in given:
        given["parts_px"] = [given.pop("points_px")]
    try:
        if kind == "ellipse":
            lists = {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
            return Ellipse(**{**given, **lists})
        if kind == "polygon":
            rings: dict[str, Any] = {n: tuple(given.get(n, ())) for n in ("parts_px", "holes_px")}
            return Polygon(**{**given, **rings})
    except TypeError as error:
        raise ValueError(f"this is no {kind}: {error}.") from error
    raise ValueError(f"a shape must be a polygon or an ellipse; got {kind!r}.")
