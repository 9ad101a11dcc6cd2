"""Femtonics MESc files: HDF5 with sessions, units (measurements) and channels.

``/MSession_0/MUnit_3/Channel_0`` is ``(n_frames, n_rows, n_cols)``; the attributes of the unit
tell its size, the time of a frame and the size of a pixel.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.readers.datasets import is_positive
from pipeline.readers.hdf5 import Hdf5Array, open_hdf5
from pipeline.readers.header_values import check_rate
from pipeline.readers.json_values import json_values
from pipeline.readers.lazy import SideBySide
from pipeline.readers.ome import DATE_FORMAT
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack
from pipeline.readers.units import LENGTHS_UM, TIMES_S

IMAGE_NDIM = 3
SIZES = ("ZDim", "YDim", "XDim")
MAX_TEXT = 4096
FIRST_SURROGATE = 0xD800


class Inverted:
    """Pixels of which the detector stored the complement: bright is 0."""

    def __init__(self, array: Hdf5Array) -> None:
        """Wrap an array of whole numbers."""
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.chunks = array.chunks

    def __getitem__(self, index: Any) -> NDArray[Any]:
        pixels: NDArray[Any] = np.invert(self._array[index])
        return pixels


@register_reader(".mesc")
def read_mesc(path: Path, item: str | None) -> list[Stack]:
    """Read a unit of a Femtonics file, with all its channels.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        The unit, such as ``MSession_0/MUnit_3``, where the file has several with a movie.

    Returns
    -------
    list of Stack
        One, with an axis of channels where there are several.

    Raises
    ------
    ValueError
        If the file is damaged, the choice is not clear, or the unit is no movie.

    Notes
    -----
    Detectors may count downwards, so that bright is 0. Pixels are then inverted: where the
    conversion of the channel has a negative scale, and where the file (of an old version) tells no
    conversion.
    """
    with open_hdf5(path, "Femtonics MESc") as file:
        units = _units(file, path.name)
        unit = units[_choose(units, item, path.name)]
        told = {str(key): value for key, value in unit.attrs.items()}
        channels = _channels(unit)
        arrays = [_array(path, unit[name], told) for name in channels]
        name = f"{path.name} ({str(unit.name).strip('/')})"
    _check_sizes(arrays, told, name)
    arrays[0][(slice(0, 1),) * IMAGE_NDIM]
    return [
        Stack(
            name=path.name,
            array=SideBySide(arrays) if len(arrays) > 1 else arrays[0],
            axes="CTYX" if len(arrays) > 1 else "TYX",
            rate_hz=_rate_hz(told, name),
            pixel_size_um=_pixel_size_um(told),
            channel_names=tuple(_text(told.get(f"{c}_Name")) or c for c in channels),
            metadata={
                "origin": "femtonics .mesc",
                "date": _date(told),
                "orig_meta": _orig_meta(told),
            },
            files=frozenset([path.resolve()]),
        )
    ]


def _units(file: h5py.File, name: str) -> dict[str, h5py.Group]:
    """Return the units that hold a movie, by their path, in the order of their numbers."""
    sessions = _numbered(file, "MSession")
    if not sessions:
        raise ValueError(
            f"{name} is not a Femtonics MESc file: it has no MSession; check its name."
        )
    units = [unit for session in sessions for unit in _numbered(session, "MUnit")]
    found = {str(unit.name).strip("/"): unit for unit in units if _channels(unit)}
    if not found:
        raise ValueError(f"{name} holds no movie: none of its {len(units)} units has a channel.")
    return found


def _numbered(group: Any, prefix: str, kind: type = h5py.Group) -> list[Any]:
    """Return the members of a group called PREFIX_NUMBER, in the order of their numbers."""
    numbers = {
        int(match[1]): name
        for name in group
        if (match := re.fullmatch(rf"{prefix}_(\d{{1,9}})", name))
        and isinstance(group.get(name, getlink=True), h5py.HardLink)
        and isinstance(group[name], kind)
    }
    return [group[numbers[number]] for number in sorted(numbers)]


def _channels(unit: h5py.Group) -> list[str]:
    """Return the names of the channels of a unit that are movies."""
    channels = _numbered(unit, "Channel", h5py.Dataset)
    return [str(c.name).rpartition("/")[2] for c in channels if len(c.shape or ()) == IMAGE_NDIM]


def _choose(units: Mapping[str, h5py.Group], item: str | None, name: str) -> str:
    if item is None and len(units) == 1:
        return next(iter(units))
    if item is None or item.strip("/") not in units:
        listed = [f"{path} ({_described(unit)})" for path, unit in units.items()]
        what = "several units" if item is None else f"no unit {item!r} with a movie"
        raise ValueError(
            f"{name} has {what}; choose one by '{name}::{next(iter(units))}' from "
            f"{', '.join(listed)}."
        )
    return item.strip("/")


def _described(unit: h5py.Group) -> str:
    """Describe a unit by its first channel and what people wrote about it."""
    n_frames, n_rows, n_cols = unit[_channels(unit)[0]].shape
    comment = _text(unit.attrs.get("Comment"))
    return f"{n_frames} x {n_rows} x {n_cols}{f', {comment}' if comment else ''}"


def _array(path: Path, dataset: h5py.Dataset, told: Mapping[str, Any]) -> Any:
    """Return a channel, inverted where its detector counts downwards."""
    array = Hdf5Array(path, dataset)
    channel = str(dataset.name).rpartition("/")[2]
    scale = _number(told.get(f"{channel}_Conversion_ConversionLinearScale"))
    is_inverted = scale is None or scale < 0
    return Inverted(array) if is_inverted and array.dtype.kind in "ui" else array


def _check_sizes(arrays: list[Any], told: Mapping[str, Any], name: str) -> None:
    """Refuse channels that differ, and a header that tells another size."""
    shapes = {tuple(array.shape) for array in arrays} | {
        tuple(
            int(size) if (size := _number(told.get(key))) else length
            for key, length in zip(SIZES, arrays[0].shape, strict=True)
        )
    }
    if len(shapes) > 1 or len({array.dtype for array in arrays}) > 1:
        listed = " and ".join(" x ".join(map(str, shape)) for shape in sorted(shapes))
        raise ValueError(
            f"{name} is not whole: its header and its channels speak of different sizes or types "
            f"({listed}); was the recording interrupted? Export it again."
        )


def _rate_hz(told: Mapping[str, Any], name: str) -> float | None:
    """Return one over the time of a frame; refuse a third axis that is depth."""
    unit, scale = (
        _text(told.get("ZAxisConversionUnitName")),
        told.get("ZAxisConversionConversionLinearScale"),
    )
    if unit and unit not in TIMES_S:
        raise ValueError(
            f"{name} is not a movie: its frames lie {unit!r} apart, which is no time; choose a "
            "recording in time."
        )
    if scale is None:
        return None
    frame_s = check_rate(_number(scale, math.nan), name)
    return 1 / (frame_s * TIMES_S[unit or "ms"]) if frame_s else None


def _pixel_size_um(told: Mapping[str, Any]) -> dict[str, float]:
    sizes = {}
    for axis in "YX":
        size = _number(told.get(f"{axis}AxisConversionConversionLinearScale"))
        unit_um = LENGTHS_UM.get(_text(told.get(f"{axis}AxisConversionUnitName")) or "µm")
        if is_positive(size) and unit_um:
            sizes[axis] = size * unit_um
    return sizes


def _date(told: Mapping[str, Any]) -> str:
    """Return the begin in UTC: the file tells no time zone."""
    seconds = _number(told.get("MeasurementDatePosix"))
    try:
        return datetime.fromtimestamp(seconds or math.nan, UTC).strftime(DATE_FORMAT)
    except (ValueError, OverflowError, OSError):
        return "unknown"


def _orig_meta(told: Mapping[str, Any]) -> Any:
    """Return the attributes of a unit that are short, codes of characters as text."""
    return json_values(
        {
            key: (_text(value) if np.size(value) > len("XYZ+") else "") or value
            for key, value in told.items()
            if 0 < np.size(value) <= MAX_TEXT
        }
    )


def _number(value: Any, default: float | None = None) -> float | None:
    """Return a single number of the file."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if is_number else default


def _text(value: Any) -> str:
    """Return text, which these files write as codes of characters that end in zeros."""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0 ")
    if isinstance(value, str):
        return value.strip("\0 ")
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 1:
        codes = [int(code) for code in value[:MAX_TEXT] if 0 < code < FIRST_SURROGATE]
        return "".join(map(chr, codes)).strip()
    return ""
