"""What somebody drew in ImageJ, as our shapes.

ImageJ counts from the corner of the first pixel, x before y; we count from its centre, rows first.
"""

import math
import struct
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from pipeline.rois.outlines import Corners, Ellipse, Polygon, Shape

RATIO_PLACE = slice(52, 56)
"""Where a file has the ratio of the axes of an ellipse, or the width of a turned rectangle."""

AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
LINES = (ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, ROI_TYPE.ANGLE)
MOVE, STRAIGHT, QUADRATIC, CUBIC, CLOSE = range(5)
POINTS_OF = {MOVE: 1, STRAIGHT: 1, QUADRATIC: 2, CUBIC: 3, CLOSE: 0}
CURVE_STEPS = 16
A_LITTLE_PX = 1e-3
MIN_CORNERS = 3
HALF_PX = 0.5


class NoAreaError(ValueError):
    """What was drawn has no area, and is no ROI."""


def shapes_of(roi: ImagejRoi, data: bytes, plane: int | None) -> list[Shape]:
    """Return what was drawn.

    Parameters
    ----------
    roi : roifile.ImagejRoi
        The decoded file.
    data : bytes
        The file itself, for what the decoder leaves out.
    plane : int or None
        On which plane of a volume it lies.

    Returns
    -------
    list of Polygon or Ellipse
        One, or of a line a band for each of its parts, as wide as it was drawn, which may overlap.

    Raises
    ------
    NoAreaError
        If it has no area.
    ValueError
        If its outline is damaged.
    """
    if roi.multi_coordinates is not None:
        return [_composite(roi.multi_coordinates, plane)]
    if roi.roitype in LINES:
        width = max(1.0, float(roi.float_stroke_width or roi.stroke_width))
        return [_band(a, b, width, plane) for a, b in pairwise(_corners(roi)) if (a != b).any()]
    if roi.roitype is ROI_TYPE.FREEHAND and roi.subtype is ROI_SUBTYPE.ELLIPSE:
        return [_ellipse(roi, _ratio(data), plane)]
    if roi.roitype is ROI_TYPE.FREEHAND and roi.subtype is ROI_SUBTYPE.ROTATED_RECT:
        begin, end = _ends(roi)
        return [_band(begin, end, _ratio(data), plane)]
    if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        return [_in_box(roi, plane)]
    if roi.roitype in AREAS:
        return [Polygon(parts_px=(_as_corners(_corners(roi)),), plane=plane)]
    raise NoAreaError(f"it is of the kind {roi.roitype.name.lower()}, which has no area")


def _as_corners(points: NDArray[np.floating]) -> list[list[float]]:
    """Return corners as plain numbers."""
    return [[float(row), float(col)] for row, col in points]


def _turned(points: Any) -> NDArray[np.float64]:
    """Return places of ImageJ, ``(n_points, 2)``, as rows and columns between pixel centres."""
    return np.asarray(points, np.float64).reshape(-1, 2)[:, ::-1] - HALF_PX


def _corners(roi: ImagejRoi) -> NDArray[np.float64]:
    """Return the corners of a polygon or a line."""
    return _turned(roi.coordinates())


def _ends(roi: ImagejRoi) -> NDArray[np.float64]:
    """Return the two ends of the axis of an ellipse or a turned rectangle."""
    return _turned([[roi.x1, roi.y1], [roi.x2, roi.y2]])


def _ratio(data: bytes) -> float:
    """Return the number that the decoder takes for an arrow."""
    return float(struct.unpack(">f", data[RATIO_PLACE])[0])


def _ellipse(roi: ImagejRoi, ratio: float, plane: int | None) -> Ellipse:
    """Return an ellipse from the ends of its long axis and the ratio of the axes."""
    first, second = _ends(roi)
    rows, cols = second - first
    center = (first + second) / 2
    radius = math.hypot(rows, cols) / 2
    return Ellipse(
        center_px=(float(center[0]), float(center[1])),
        radii_px=(radius, radius * ratio),
        angle_deg=math.degrees(math.atan2(cols, rows)),
        plane=plane,
    )


def _band(
    begin: NDArray[np.float64], end: NDArray[np.float64], width: float, plane: int | None
) -> Polygon:
    """Return the rectangle around a straight line."""
    along = end - begin
    aside = along[::-1] * (1, -1) * width / 2 / max(float(np.hypot(*along)), A_LITTLE_PX)
    corners = np.stack([begin + aside, end + aside, end - aside, begin - aside])
    return Polygon(parts_px=(_as_corners(corners),), plane=plane)


def _in_box(roi: ImagejRoi, plane: int | None) -> Shape:
    """Return the rectangle or the oval of a box."""
    box: list[list[float]] = [[roi.left, roi.top], [roi.right, roi.bottom]]
    if roi.subpixelrect:
        box = [[roi.xd, roi.yd], [roi.xd + roi.widthd, roi.yd + roi.heightd]]
    (top, left), (bottom, right) = _turned(box).tolist()
    if roi.roitype is ROI_TYPE.OVAL:
        center = (top + bottom) / 2, (left + right) / 2
        return Ellipse(
            center_px=center, radii_px=((bottom - top) / 2, (right - left) / 2), plane=plane
        )
    corners = [[top, left], [top, right], [bottom, right], [bottom, left]]
    return Polygon(parts_px=(corners,), plane=plane)


def _composite(path: NDArray[np.floating], plane: int | None) -> Polygon:
    """Return an area of several parts, with the holes in them."""
    rings = [ring for ring in _rings(path.tolist()) if len(ring) >= MIN_CORNERS]
    if not rings:
        raise ValueError("its outline is damaged.")
    parts: list[Corners] = []
    holes: list[Corners] = []
    for ring in rings:
        inside = _point_inside(ring)
        around = sum(_holds(other, inside) for other in rings if other is not ring)
        (holes if around % 2 else parts).append(_as_corners(_turned(ring)))
    return Polygon(parts_px=tuple(parts), holes_px=tuple(holes), plane=plane)


def _rings(path: list[float]) -> list[NDArray[np.float64]]:
    """Return the closed lines of a path; curves become short straight lines."""
    rings: list[list[tuple[float, float]]] = []
    at = 0
    while at < len(path):
        step = path[at]
        n_points = POINTS_OF.get(int(step), -1) if math.isfinite(step) else -1
        numbers = path[at + 1 : at + 1 + 2 * n_points]
        if n_points < 0 or len(numbers) < 2 * n_points or not (rings or step == MOVE):
            raise ValueError("its outline is damaged.")
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if step == MOVE:
            rings.append(points)
        elif n_points:
            rings[-1] += _curve([rings[-1][-1], *points])
        at += 1 + 2 * n_points
    return [np.array(ring) for ring in rings]


def _curve(control: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points along a Bezier curve, by de Casteljau's way; of a straight line, its end."""
    if len(control) == 2:  # noqa: PLR2004 a line has two ends
        return control[1:]
    along = np.linspace(0, 1, CURVE_STEPS + 1)[1:, np.newaxis]
    level = [np.broadcast_to(point, (CURVE_STEPS, 2)) for point in np.array(control)]
    while len(level) > 1:
        level = [a * (1 - along) + b * along for a, b in pairwise(level)]
    return [(float(x), float(y)) for x, y in level[0]]


def _point_inside(ring: NDArray[np.float64]) -> tuple[float, float]:
    """Return a point a little inside of a ring, beside the middle of its longest edge."""
    edges = np.roll(ring, -1, axis=0) - ring
    longest = int(np.square(edges).sum(axis=1).argmax())
    (x, y), (along_x, along_y) = ring[longest] + edges[longest] / 2, edges[longest]
    length = max(math.hypot(along_x, along_y), A_LITTLE_PX)
    beside = A_LITTLE_PX * np.array([-along_y, along_x]) / length
    point = float(x + beside[0]), float(y + beside[1])
    if _holds(ring, point):
        return point
    return float(x - beside[0]), float(y - beside[1])


def _holds(ring: NDArray[np.float64], point: tuple[float, float]) -> bool:
    """Tell whether a point lies in a ring."""
    # cv2 knows 32 bits alone: near the origin they tell thousandths of a pixel
    near = (ring - point).astype(np.float32)
    return bool(cv2.pointPolygonTest(near, (0.0, 0.0), measureDist=False) > 0)
