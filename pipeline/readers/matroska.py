"""Matroska containers (MKV): when each frame is shown, found without decoding any.

Elements of EBML (RFC 8794) as Matroska names them (RFC 9559).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

EBML = 0x1A45DFA3
TIMESTAMP_SCALE = 0x2AD7B1
TRACK_NUMBER, TRACK_TYPE = 0xD7, 0x83
CLUSTER_TIMESTAMP, SIMPLE_BLOCK, BLOCK = 0xE7, 0xA3, 0xA1
ENTERED = (0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0)
"""Segment, information, tracks, track, cluster and group of blocks: their content is walked."""
VIDEO = 1
NS_PER_TICK = 1_000_000
NS_PER_S = 1e9
MAX_NUMBER_BYTES = 8


class Element(NamedTuple):
    """A piece of the file."""

    number: int
    """What it is."""

    start: int
    """Where its content begins."""

    n_bytes: int
    """Length of its content."""


def matroska_times_s(path: Path) -> NDArray[np.float64]:
    """Return when each frame of a Matroska file is shown.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ndarray
        ``(n_frames,)``, in seconds and in order.

    Raises
    ------
    ValueError
        If it is no Matroska file, was cut short, or holds no frames.
    """
    n_bytes = path.stat().st_size
    ticks: list[int] = []
    told = {TIMESTAMP_SCALE: NS_PER_TICK, TRACK_NUMBER: 0, CLUSTER_TIMESTAMP: 0}
    video = 0
    with path.open("rb") as file:
        for element in _elements(file, path.name, n_bytes):
            if element.start + element.n_bytes > n_bytes:
                raise ValueError(_cut(path.name, len(ticks)))
            if element.number in told:
                told[element.number] = _number(file, element)
            elif element.number == TRACK_TYPE and _number(file, element) == VIDEO and not video:
                video = told[TRACK_NUMBER]
            elif element.number in (SIMPLE_BLOCK, BLOCK):
                track, offset = _block(file, element)
                if track == video:
                    ticks.append(told[CLUSTER_TIMESTAMP] + offset)
    if not ticks:
        raise ValueError(f"{path.name} holds no frames; was the recording stopped at once?")
    return np.sort(np.array(ticks, np.float64)) * told[TIMESTAMP_SCALE] / NS_PER_S


def _elements(file: BinaryIO, name: str, n_bytes: int) -> Iterator[Element]:
    """Yield the elements that are not entered, from the begin to the end of the file."""
    place = 0
    while place < n_bytes:
        file.seek(place)
        raw = file.read(4 + MAX_NUMBER_BYTES)
        n_number = 9 - raw[0].bit_length()
        number = int.from_bytes(raw[:n_number], "big")
        if place == 0 and number != EBML:
            raise ValueError(f"{name} is not a Matroska file; check its name, or record it again.")
        length = _length(raw[n_number:])
        if not raw[0] or n_number > len("EBML") or length is None:
            raise ValueError(_cut(name, None))
        n_length, content = length
        start = place + n_number + n_length
        if number in ENTERED:
            place = start
        else:
            yield Element(number, start, content)
            place = start + content


def _length(raw: bytes) -> tuple[int, int] | None:
    """Return how long a length is, and the length itself."""
    n_bytes = 9 - raw[0].bit_length() if raw and raw[0] else 0
    if not n_bytes or len(raw) < n_bytes:
        return None
    return n_bytes, int.from_bytes(raw[:n_bytes], "big") & ((1 << 7 * n_bytes) - 1)


def _number(file: BinaryIO, element: Element) -> int:
    file.seek(element.start)
    return int.from_bytes(file.read(min(element.n_bytes, MAX_NUMBER_BYTES)), "big")


def _block(file: BinaryIO, element: Element) -> tuple[int, int]:
    """Return the track of a block, and its time after that of its cluster."""
    file.seek(element.start)
    raw = file.read(MAX_NUMBER_BYTES + 2)
    length = _length(raw)
    if length is None:
        return -1, 0
    n_bytes, track = length
    return track, int.from_bytes(raw[n_bytes : n_bytes + 2], "big", signed=True)


def _cut(name: str, n_frames: int | None) -> str:
    whole = "" if n_frames is None else f" after {n_frames} frames"
    return (
        f"{name} is cut short or damaged{whole} (was the recording interrupted?); copy it again "
        "from where it was recorded."
    )
