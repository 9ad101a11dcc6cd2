"""Inscopix movies: pixels first, then a footer of JSON.

The layout is that of files written by the vendor's library: frames one after the other, rows
first, then the footer, a NUL byte, and the length of the footer in the last eight bytes.
Frames that were dropped, cropped or left blank are told in the footer and not stored. The size of
a pixel there is that of the sensor, not of the tissue, and is left in ``orig_meta``.
"""

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.header_values import (
    check_bytes,
    check_rate,
    lookup,
    read_length,
    read_ratio,
)
from pipeline.readers.json_values import json_values
from pipeline.readers.lazy import MappedArray
from pipeline.readers.ome import DATE_FORMAT
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

DTYPES = {0: "<u2", 1: "<f4", 2: "u1"}
KINDS = {
    1: "cell set",
    2: "behavioural video",
    3: "GPIO recording",
    4: "single image",
    5: "set of events",
    6: "set of metrics",
    7: "recording of motion",
    8: "set of vessels",
}
LENGTH_BYTES = 8
MAX_FOOTER_BYTES = 1 << 26
MARGIN_PX = 2 * 1280
"""Pixels of the sensor that stand before and after each frame in raw recordings."""


class IsxdArray:
    """Frames of a movie, of which some may not be stored: they repeat the one before."""

    def __init__(
        self, stored: MappedArray, places: NDArray[np.int64], frame: tuple[int, int]
    ) -> None:
        """Keep where each frame is stored, and how many pixels stand around it."""
        self.shape: tuple[int, ...] = (len(places), *frame)
        self.dtype = stored.dtype
        self._stored = stored
        self._places = places
        self._margin = (stored.shape[1] - frame[0] * frame[1]) // 2

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        n_px = self.shape[1] * self.shape[2]
        pixels = slice(self._margin, self._margin + n_px)
        block = self._stored[self._places[index[0]], pixels]
        frames: NDArray[Any] = block.reshape(-1, *self.shape[1:])[:, index[1], index[2]]
        return frames


@register_reader(".isxd")
def read_isxd(path: Path, item: str | None) -> list[Stack]:
    """Read a movie of an Inscopix microscope.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        Must be None: the file holds one movie.

    Returns
    -------
    list of Stack
        One. Frames that were not stored repeat the frame before; ``missing_frames`` of the
        metadata lists them.

    Raises
    ------
    ValueError
        If the file is damaged or cut short, or holds no movie of one plane and colour.

    Warns
    -----
    UserWarning
        If frames are missing.
    """
    if item is not None:
        raise ValueError(f"{path.name} holds one movie; leave out '::{item}'.")
    footer, footer_bytes = _read_footer(path)
    _check_kind(footer, path.name)
    n_frames = read_length(footer, "timingInfo.numTimes", path.name)
    frame = tuple(read_length(footer, f"spacingInfo.numPixels.{a}", path.name) for a in "yx")
    missing = _missing(footer, n_frames, path.name)
    margin = MARGIN_PX if footer.get("hasFrameHeaderFooter") else 0
    shape = (n_frames - len(missing), frame[0] * frame[1] + 2 * margin)
    dtype = np.dtype(DTYPES[footer["dataType"]])
    check_bytes(path, shape, dtype.itemsize, other=footer_bytes)
    period_s = read_ratio(footer, "timingInfo.period")
    return [
        Stack(
            name=path.name,
            array=IsxdArray(
                MappedArray(path, shape, dtype, 0), _places(n_frames, missing), (frame[0], frame[1])
            ),
            axes="TYX",
            rate_hz=check_rate(1 / period_s if period_s else None, path.name),
            metadata={
                "origin": "Inscopix",
                "date": _date(footer),
                "orig_meta": json_values(footer),
                "missing_frames": missing,
            },
            files=frozenset([path.resolve()]),
        )
    ]


def _read_footer(path: Path) -> tuple[dict[str, Any], int]:
    """Return the footer, and how many bytes of the file are not pixels."""
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, n_bytes - LENGTH_BYTES))
        length = int.from_bytes(file.read(), "little", signed=True)
        if not 0 < length <= min(n_bytes - LENGTH_BYTES - 1, MAX_FOOTER_BYTES):
            raise ValueError(_damaged(path, "it does not end in the footer of a movie"))
        file.seek(-LENGTH_BYTES - 1 - length, os.SEEK_END)
        text = file.read(length)
    try:
        footer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(_damaged(path, "its footer is not valid JSON")) from error
    if not isinstance(footer, dict):
        raise ValueError(_damaged(path, "its footer is no JSON object"))  # noqa: TRY004
    return footer, length + 1 + LENGTH_BYTES


def _damaged(path: Path, reason: str) -> str:
    return f"{path.name} is not a whole Inscopix file ({reason}); copy or export it again."


def _check_kind(footer: Mapping[str, Any], name: str) -> None:
    """Refuse what is no movie, or one whose frames belong to several planes or colours."""
    kind = footer.get("type", 0)
    if kind != 0:
        said = f"a {KINDS[kind]}" if isinstance(kind, int) and kind in KINDS else "something else"
        raise ValueError(f"{name} is {said}, not a movie; give the movie that it was made of.")
    data_type = footer.get("dataType")
    if not isinstance(data_type, int) or data_type not in DTYPES:
        raise ValueError(
            f"the pixels of {name} are of a kind that cannot be read (dataType {data_type!r}); "
            "export the movie as TIFF."
        )
    if any(_interleaved(footer.get("extraProperties"))):
        raise ValueError(
            f"{name} holds the frames of several planes or colours by turns; separate them in the "
            "Inscopix software (de-interleave), and give one of the files."
        )


def _interleaved(value: Any, depth: int = 8) -> Iterator[bool]:
    """Yield whether each setting of several planes or colours was switched on."""
    if not isinstance(value, Mapping) or depth == 0:
        return
    for key, inner in value.items():
        if re.fullmatch(r"(?i)multi_?(plane|color|colour)|dual_?colou?r", str(key)):
            yield bool(inner.get("enabled")) if isinstance(inner, Mapping) else inner is True
        yield from _interleaved(inner, depth - 1)


def _missing(footer: Mapping[str, Any], n_frames: int, name: str) -> list[int]:
    """Return the numbers of the frames that are not stored."""
    timing = footer["timingInfo"]
    told = [timing.get(key) or [] for key in ("dropped", "cropped", "blank")]
    try:
        missing = {number for entry in sum(told, []) for number in _numbers(entry, n_frames)}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the header of {name} is damaged: it does not tell clearly which frames were dropped "
            "or cropped; export the movie again."
        ) from error
    if len(missing) == n_frames:
        raise ValueError(f"{name} is not a movie: all of its {n_frames} frames were dropped.")
    if missing:
        warnings.warn(
            f"{len(missing)} of the {n_frames} frames of {name} were not stored (dropped, cropped "
            "or blank) and repeat the frame before; their numbers are in the metadata.",
            UserWarning,
            stacklevel=4,
        )
    return sorted(missing)


def _numbers(entry: Any, n_frames: int) -> range:
    """Return the frames of an entry: a number, or text as ``2 - 3`` with both ends."""
    ends = re.fullmatch(r"(\d+) *- *(\d+)", entry) if isinstance(entry, str) else None
    first, last = (int(ends[1]), int(ends[2])) if ends else (int(entry), int(entry))
    if not 0 <= first <= last < n_frames:
        raise ValueError(f"frames {first} to {last} are not in the movie")
    return range(first, last + 1)


def _places(n_frames: int, missing: list[int]) -> NDArray[np.int64]:
    """Return the stored place of each frame; missing ones share that of the frame before."""
    is_stored = np.ones(n_frames, np.int64)
    is_stored[missing] = 0
    places: NDArray[np.int64] = np.maximum(np.cumsum(is_stored) - 1, 0)
    return places


def _date(footer: Mapping[str, Any]) -> str:
    """Return the begin of the recording by the clock on its wall."""
    seconds = read_ratio(footer, "timingInfo.start.secsSinceEpoch")
    offset = lookup(footer, "timingInfo.start.utcOffset")
    if not seconds or not isinstance(offset, int):
        return "unknown"
    try:
        return datetime.fromtimestamp(seconds + offset, UTC).strftime(DATE_FORMAT)
    except (ValueError, OverflowError, OSError):
        return "unknown"
