"""Femtonics MES files: variables of MATLAB, lines of a scan one beside the other.

An image such as ``IF0001_0002`` is ``(n_cols, n_lines)``: each column of it is a line of the
scan, a row of the frame, and every ``TransversePixNum`` lines are a frame. The second element of
the structs ``DF0001`` tells how it was recorded.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.readers.datasets import is_positive
from pipeline.readers.folded import FoldedFrames, InflatedLines
from pipeline.readers.hdf5 import Hdf5Array, open_hdf5
from pipeline.readers.header_values import MAX_LENGTH, check_rate
from pipeline.readers.inflate import Inflated
from pipeline.readers.json_values import json_values
from pipeline.readers.lazy import MappedArray, SideBySide
from pipeline.readers.mat5 import Variable, find_pixels, read_variables
from pipeline.readers.mat5 import read_value as read_value_5
from pipeline.readers.mat73 import read_value as read_value_73
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

IMAGE = re.compile(r"(I\w{5})_(\d+)")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048)
FOLDED = "FoldedFrameInfo"
MS_PER_S = 1000.0


class Image(NamedTuple):
    """An image of the file and how it was recorded."""

    name: str
    """Such as ``IF0001_0001``."""

    lines: Any
    """``(n_lines, n_cols)``, read by a slice of lines."""

    settings: dict[str, Any]
    """What the file says about it."""

    @property
    def folded(self) -> dict[str, Any]:
        """How its lines make frames; empty for one that is no movie."""
        folded = self.settings.get(FOLDED)
        return folded if isinstance(folded, dict) else {}


@register_reader(".mes")
def read_mes(path: Path, item: str | None) -> list[Stack]:
    """Read a recording of a Femtonics MES file, with all its channels.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        The recording, such as ``IF0001``, or one of its channels, ``IF0001_0002``, where the file
        has several.

    Returns
    -------
    list of Stack
        One, with an axis of channels where there are several.

    Raises
    ------
    ValueError
        If the file is damaged, the choice is not clear, or an image is no movie.
    """
    images = choose_images(read_images(path), item, path.name)
    arrays = [_fold(image, path.name) for image in images]
    if len({(array.shape, array.dtype) for array in arrays}) > 1:
        raise ValueError(
            f"the channels of {path.name} differ in size; choose one by "
            f"'{path.name}::{images[0].name}'."
        )
    settings = images[0].settings
    arrays[0][(slice(0, 1),) * 3]
    return [
        Stack(
            name=path.name,
            array=SideBySide(arrays) if len(arrays) > 1 else arrays[0],
            axes="CTYX" if len(arrays) > 1 else "TYX",
            rate_hz=_rate_hz(images[0], path.name),
            channel_names=tuple(_channel_name(image) for image in images),
            metadata={
                "origin": "femtonics .mes",
                "date": _date(settings.get("MeasurementDate")),
                "orig_meta": _short(settings),
            },
            files=frozenset([path.resolve()]),
        )
    ]


def read_images(path: Path) -> dict[str, Image]:
    """Return the images of a file that can be movies, by their names; no pixels are read.

    Parameters
    ----------
    path : Path
        The file, of MATLAB 5 to 7.3.

    Raises
    ------
    ValueError
        If it is damaged, or holds no movie.
    """
    found = _read_73(path) if _is_hdf5(path) else _read_5(path)
    movies = {name: image for name, image in sorted(found.items()) if image.folded}
    if not movies:
        raise ValueError(
            f"{path.name} holds no movie: none of its {len(found)} images has frames "
            f"({FOLDED}); choose a file with a recording in time."
        )
    return movies


def _is_hdf5(path: Path) -> bool:
    """Tell version 7.3, where a header of MATLAB stands before the begin of HDF5."""
    with path.open("rb") as file:
        head = file.read(HDF5_PLACES[-1] + len(HDF5_SIGNATURE))
    return any(head.startswith(HDF5_SIGNATURE, place) for place in HDF5_PLACES)


def _read_5(path: Path) -> dict[str, Image]:
    variables = read_variables(path)
    settings: dict[str, Any] = {}
    found = {}
    for name, variable in variables.items():
        match = IMAGE.fullmatch(name)
        if match is None or len(variable.shape) != len("YX") or not math.prod(variable.shape):
            continue
        group = "D" + match[1][1:]
        if group not in settings and group in variables:
            settings[group] = read_value_5(variables[group], path.name)
        lines = _lines_5(variable, path)
        found[name] = Image(name, lines, _element(settings.get(group), int(match[2])))
    return found


def _lines_5(variable: Variable, path: Path) -> Any:
    """Return an image of level 5: its axes are reversed, since the first runs fastest."""
    pixels = find_pixels(variable, path.name)
    shape = variable.shape[::-1]
    if isinstance(variable.content, Inflated):
        return InflatedLines(variable.content, pixels.dtype, variable.start + pixels.offset, shape)
    return MappedArray(path, shape, pixels.dtype, variable.start + pixels.offset)


def _read_73(path: Path) -> dict[str, Image]:
    settings: dict[str, Any] = {}
    found = {}
    with open_hdf5(path, "MATLAB") as file:
        for name in file:
            match, node = IMAGE.fullmatch(name), file[name]
            if match is None or len(getattr(node, "shape", None) or ()) != len("YX"):
                continue
            group = "D" + match[1][1:]
            if group not in settings and group in file:
                settings[group] = read_value_73(file[group], file)
            found[name] = Image(
                name, Hdf5Array(path, node), _element(settings.get(group), int(match[2]))
            )
    return found


def _element(structs: Any, number: int) -> dict[str, Any]:
    """Return the settings of the image with a number, which counts from 1."""
    if isinstance(structs, dict):
        structs = [structs]
    if not isinstance(structs, list) or not 0 < number <= len(structs):
        return {}
    return structs[number - 1] if isinstance(structs[number - 1], dict) else {}


def choose_images(images: Mapping[str, Image], item: str | None, name: str) -> list[Image]:
    """Return the channels of the recording that was asked for.

    Parameters
    ----------
    images : mapping
        From `read_images`.
    item : str or None
        A recording, or one channel of it; None where there is one recording.
    name : str
        The file, for messages.

    Raises
    ------
    ValueError
        If it is not there, or there are several and none was chosen.
    """
    if item in images:
        return [images[item or ""]]
    recordings = sorted({image.rpartition("_")[0] for image in images})
    if item in recordings or (item is None and len(recordings) == 1):
        chosen = item or recordings[0]
        return [image for key, image in images.items() if key.rpartition("_")[0] == chosen]
    what = "several recordings" if item is None else f"no recording {item!r}"
    raise ValueError(
        f"{name} has {what}; choose one by '{name}::{recordings[0]}' from {', '.join(recordings)}."
    )


def _fold(image: Image, name: str) -> FoldedFrames:
    """Return an image as frames, as its settings tell."""
    first, n_rows = (number(image.folded.get(k)) for k in ("firstFramePos", "TransversePixNum"))
    whole = is_positive(n_rows) and n_rows == int(n_rows) and n_rows < MAX_LENGTH
    if not whole or first is None or not 0 <= first < image.lines.shape[0]:
        raise ValueError(
            f"the settings of {image.name} in {name} are damaged: frames of {n_rows} lines from "
            f"line {first} on do not fit its {image.lines.shape[0]} lines; copy the file again."
        )
    frames = FoldedFrames(image.lines, int(first), int(n_rows or 1))
    if not frames.shape[0]:
        raise ValueError(
            f"{name} is cut short: {image.name} has {image.lines.shape[0]} lines, fewer than one "
            f"frame of {int(n_rows or 1)}; was the recording stopped?"
        )
    return frames


def _rate_hz(image: Image, name: str) -> float | None:
    time_ms = image.folded.get("frameTimeLength")
    frame_ms = check_rate(None if time_ms is None else number(time_ms), name)
    return MS_PER_S / frame_ms if frame_ms else None


def number(value: Any) -> float | None:
    """Return a single number of MATLAB, None for anything else.

    Parameters
    ----------
    value : object
        An array of one number.
    """
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind not in "iuf":
        return None
    return float(value.ravel()[0])


def _channel_name(image: Image) -> str:
    name = image.settings.get("Channel")
    return name if isinstance(name, str) and name.strip() else image.name


def _date(text: Any) -> str:
    """Return ``2026.11.22. 10:20:30`` as ``YYYYMMDD_HHMMSS``."""
    pattern = r"(\d{4})\.(\d\d)\.(\d\d)\.? +(\d\d):(\d\d):(\d\d)"
    match = re.match(pattern, text) if isinstance(text, str) else None
    return "{}{}{}_{}{}{}".format(*match.groups()) if match else "unknown"


def _short(settings: Mapping[str, Any]) -> Any:
    """Return the settings without curves and images."""
    return json_values(
        {
            key: value.ravel().tolist() if isinstance(value, np.ndarray) else value
            for key, value in settings.items()
            if np.size(value) <= len("XYZ") and not isinstance(value, dict | list)
        }
        | {FOLDED: {k: number(v) for k, v in settings.get(FOLDED, {}).items()}}
    )
