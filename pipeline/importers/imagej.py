"""ROIs of ImageJ and Fiji: one in a file ``.roi``, or many in a ``.zip``."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from roifile import ImagejRoi

from pipeline.importers.imagej_shapes import NoAreaError, shapes_of
from pipeline.roi_file import RoiFile, footprints_of
from pipeline.rois.given import GivenRois
from pipeline.rois.outlines import Polygon, Shape, Weighted, rasterize

SUFFIXES = (".roi", ".zip")
MOST_BYTES = 16_000_000
MOST_BYTES_IN_ALL = 500_000_000
MOST_ROIS = 100_000
POSITIONS = ("position", "c_position", "z_position", "t_position")
PLANE_NDIM = 2
NOT_IMAGEJ = ("__MACOSX", "._", ".DS_Store")
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


class Drawn(NamedTuple):
    """A ROI of ImageJ."""

    name: str
    """What it is called."""

    roi: ImagejRoi
    """The decoded file."""

    data: bytes
    """The file itself."""


def is_imagej(path: Path) -> bool:
    """Tell whether a file holds ROIs of ImageJ by its name.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_imagej(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read shapes, with their names and positions.

    Parameters
    ----------
    path : Path
        A file ``.roi`` or ``.zip``.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)`` of the recorded frames.

    Returns
    -------
    RoiFile
        Without traces. A pixel counts by the part of it that is inside. A line is a band as wide as
        it was drawn. Points and other things without an area are left out.

    Raises
    ------
    ValueError
        If the file is damaged, or a ROI lies outside the frame.
    """
    found, left_out = [], []
    drawn = list(_drawn(path))
    for one in drawn:
        try:
            found.append((one, *_pixels(one, frame_shape)))
        except NoAreaError as error:
            left_out.append(f"{one.name!r} is left out: {error}.")
        except ValueError as error:
            raise ValueError(f"{path.name}, ROI {one.name!r}: {error}") from error
    rois = GivenRois(
        footprints=footprints_of([weighted for _, weighted, _ in found], int(np.prod(frame_shape))),
        frame_shape=frame_shape,
        names=tuple(one.name for one, _, _ in found),
        shapes=tuple(shape for _, _, shape in found),
        numbers=_positions([one.roi for one, _, _ in found]),
        source="ImageJ",
        file=path.name,
    )
    return RoiFile(rois=rois, left_out=tuple(left_out))


def _drawn(path: Path) -> Iterator[Drawn]:
    """Yield the ROIs of a file in their order."""
    try:
        for name, data in _files(path):
            roi = ImagejRoi.frombytes(data)
            label = (roi.name or PurePosixPath(name).stem).replace("\0", "")
            yield Drawn(label[:255], roi, data)
    except DAMAGE as error:
        raise ValueError(
            f"{path.name} is no whole file of ImageJ's ROIs ({str(error)[:120]}); save it again in "
            "the ROI Manager."
        ) from error


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the bytes of the files ``.roi``; nothing is unpacked to the disk."""
    if path.suffix.lower() == ".roi":
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES / 1e6:.0f} MB")
        yield path.name, path.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if _is_roi(entry.filename)]
        if len(entries) > MOST_ROIS or sum(e.file_size for e in entries) > MOST_BYTES_IN_ALL:
            raise ValueError(f"it claims {len(entries)} ROIs that would fill the memory")
        for entry in entries:
            with archive.open(entry) as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ValueError(f"{entry.filename!r} has more than {MOST_BYTES / 1e6:.0f} MB")
            yield entry.filename, data


def _is_roi(name: str) -> bool:
    """Tell whether an entry of an archive is a ROI; refuse a place outside of it."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name:
        raise ValueError(f"it names a place outside of itself, {name[:60]!r}")
    if any(part.startswith(NOT_IMAGEJ) for part in place.parts):
        return False
    return place.suffix.lower() == ".roi"


def _pixels(
    one: Drawn, frame_shape: tuple[int, ...]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.float32]], Shape | None]:
    """Return the pixels of a ROI, and its shape where it is one of ours."""
    plane = _plane(one.roi, frame_shape)
    shapes = shapes_of(one.roi, one.data, plane)
    if not shapes:
        raise NoAreaError("it has no length")
    if len(shapes) == 1:
        try:
            return rasterize(shapes[0], frame_shape), shapes[0]
        except ValueError:
            crossing = _even_odd(shapes[0], frame_shape)
            if crossing is None:
                raise
            return crossing, None
    return _union([rasterize(shape, frame_shape) for shape in shapes]), None


def _even_odd(shape: Shape, frame_shape: tuple[int, ...]) -> Weighted | None:
    """Return the pixels whose centre ImageJ takes for the inside of a line that crosses itself.

    `rasterize` tells exact parts of pixels, and refuses such lines; freehand drawings often have a
    small loop where they close.
    """
    if not (isinstance(shape, Polygon) and len(shape.parts_px) == 1 and not shape.holes_px):
        return None
    begins = np.asarray(shape.parts_px[0], np.float64)
    ends = np.roll(begins, -1, axis=0)
    n_rows, n_cols = frame_shape[-2:]
    inside = np.zeros((n_rows, n_cols), np.bool_)
    for row in range(n_rows):
        crosses = (begins[:, 0] <= row) != (ends[:, 0] <= row)
        (row_0, col_0), (row_1, col_1) = begins[crosses].T, ends[crosses].T
        crossings = np.sort(col_0 + (row - row_0) * (col_1 - col_0) / (row_1 - row_0))
        inside[row] = np.searchsorted(crossings, np.arange(n_cols)) % 2 == 1
    pixels = np.flatnonzero(inside) + (shape.plane or 0) * n_rows * n_cols
    return Weighted(pixels, np.ones(pixels.size, np.float32)) if pixels.size else None


def _union(parts: list[Weighted]) -> Weighted:
    """Return the pixels of parts that may overlap; a pixel counts by the largest of its parts."""
    pixels = np.concatenate([part.pixels for part in parts])
    weights = np.concatenate([part.weights for part in parts])
    unique, place = np.unique(pixels, return_inverse=True)
    largest = np.zeros(unique.size, np.float32)
    np.maximum.at(largest, place, weights)
    return Weighted(unique, largest)


def _plane(roi: ImagejRoi, frame_shape: tuple[int, ...]) -> int | None:
    """Return the plane of a volume on which a ROI lies; ImageJ counts from 1, 0 is none."""
    if len(frame_shape) == PLANE_NDIM:
        return None
    slice_ = roi.z_position or roi.position
    return slice_ - 1 if slice_ else None


def _positions(rois: list[ImagejRoi]) -> dict[str, NDArray[np.float64]]:
    """Return the places in a stack that ImageJ remembers, as far as any ROI has one."""
    found = {name: np.array([getattr(r, name) for r in rois], np.float64) for name in POSITIONS}
    return {name: values for name, values in found.items() if values.any()}
