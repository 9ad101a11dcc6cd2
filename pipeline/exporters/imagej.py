"""ROIs for the ROI Manager of ImageJ and Fiji."""

import struct
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from pipeline.exporters.new_files import written_whole
from pipeline.exporters.outline import pixel_outline
from pipeline.importers.imagej import POSITIONS
from pipeline.importers.imagej_shapes import CLOSE, HALF_PX, MOVE, STRAIGHT
from pipeline.roi_file import RoiFile
from pipeline.rois.outlines import Ellipse, Polygon, Shape

FIRST_DATE = (2000, 1, 1, 0, 0, 0)
"""Of all files in the archive: the same ROIs make the same archive."""

PLANE_NDIM = 2


def write_imagej(rois: RoiFile, path: Path) -> None:
    """Write ROIs that ImageJ's ROI Manager opens.

    Parameters
    ----------
    rois : RoiFile
        Those that were drawn are written as they were drawn; the others as the outline of their
        pixels, whatever their weights.
    path : Path
        A new file ``.zip``.

    Raises
    ------
    ValueError
        If the file is there or has another name, or a ROI reaches through several planes.
    """
    if path.suffix.lower() != ".zip":
        raise ValueError(f"ROIs of ImageJ are kept in a .zip; got {path.name!r}.")
    with written_whole(path) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(rois.n_rois):
            roi = _roi(rois, number)
            entry = zipfile.ZipInfo(f"{number:05d}-{_file_name(roi.name)}.roi", FIRST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, roi.tobytes())


def _file_name(name: str) -> str:
    """Return a name that any file system takes."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:60]


def _roi(rois: RoiFile, number: int) -> ImagejRoi:
    """Return one ROI as ImageJ has it."""
    shape = rois.rois.shapes[number] if rois.rois.shapes else None
    plane = shape.plane if shape is not None else None
    if shape is None:
        shape, plane = _of_pixels(rois, number)
    roi = _drawn(shape)
    roi.name = rois.names[number]
    for name in POSITIONS:
        if name in rois.rois.numbers:
            setattr(roi, name, int(np.nan_to_num(rois.rois.numbers[name][number])))
    if plane is not None and not (roi.position or roi.z_position):
        roi.position = plane + 1
    return roi


def _of_pixels(rois: RoiFile, number: int) -> tuple[Polygon, int | None]:
    """Return the outline of the pixels of a ROI, and its plane in a volume."""
    pixels, _ = rois.column(number)
    n_rows, n_cols = rois.rois.frame_shape[-2:]
    planes = np.unique(pixels // (n_rows * n_cols))
    if planes.size > 1:
        raise ValueError(
            f"the ROI {rois.names[number]} reaches through the planes {planes.tolist()}, and those "
            "of ImageJ lie in one; export to CaImAn or NWB instead."
        )
    rows, cols = np.divmod(pixels % (n_rows * n_cols), n_cols)
    rings = tuple((ring - HALF_PX).tolist() for ring in pixel_outline(rows, cols))
    is_volume = len(rois.rois.frame_shape) > PLANE_NDIM
    return Polygon(parts_px=rings), int(planes[0]) if is_volume else None


def _drawn(shape: Shape) -> ImagejRoi:
    """Return a shape as ImageJ has it."""
    if isinstance(shape, Ellipse):
        return _ellipse(shape)
    rings = [_turned(ring) for ring in (*shape.parts_px, *shape.holes_px)]
    if len(rings) > 1:
        return _composite(rings)
    points = rings[0]
    on_corners = bool((points == np.rint(points)).all())
    roi = ImagejRoi.frompoints(points.astype(np.int32) if on_corners else points, name="roi")
    roi.roitype = ROI_TYPE.TRACED if on_corners else ROI_TYPE.POLYGON
    return roi


def _turned(ring: object) -> NDArray[np.float32]:
    """Return corners as ImageJ counts them: x first, from the corner of the first pixel."""
    return np.asarray(ring, np.float32)[:, ::-1] + np.float32(HALF_PX)


def _boxed(roi: ImagejRoi, points: NDArray[np.floating]) -> ImagejRoi:
    """Give a ROI the box around its points."""
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    roi.left, roi.top = (int(number) for number in low)
    roi.right, roi.bottom = (int(number) for number in high)
    return roi


def _composite(rings: list[NDArray[np.float32]]) -> ImagejRoi:
    """Return an area of several parts or with holes, as one path."""
    path: list[float] = []
    for ring in rings:
        path += [MOVE, *ring[0]]
        for point in ring[1:]:
            path += [STRAIGHT, *point]
        path.append(CLOSE)
    roi = ImagejRoi(roitype=ROI_TYPE.RECT, shape_roi_size=len(path))
    roi.multi_coordinates = np.array(path, np.float32)
    return _boxed(roi, np.concatenate(rings))


def _ellipse(shape: Ellipse) -> ImagejRoi:
    """Return an ellipse by the ends of its first axis and the ratio of the axes."""
    turn = np.deg2rad(shape.angle_deg)
    along = shape.radii_px[0] * np.array([np.cos(turn), np.sin(turn)])
    ends = _turned(np.add(shape.center_px, [-along, along]))
    roi = ImagejRoi(roitype=ROI_TYPE.FREEHAND, subtype=ROI_SUBTYPE.ELLIPSE)
    (roi.x1, roi.y1), (roi.x2, roi.y2) = ends.tolist()
    # the decoder names these four bytes after arrows; of an ellipse they are one number
    ratio = struct.pack(">f", shape.radii_px[1] / shape.radii_px[0])
    roi.arrow_style_or_aspect_ratio, roi.arrow_head_size = ratio[0], ratio[1]
    (roi.rounded_rect_arc_size,) = struct.unpack(">h", ratio[2:])
    roi.integer_coordinates = np.zeros((0, 2), np.int32)
    return _boxed(roi, _turned(shape.rings_px()[0][1]))
