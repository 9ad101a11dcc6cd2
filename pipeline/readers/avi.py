"""AVI containers: how many frames are in the file, found without decoding any.

RIFF lists of chunks, as in Microsoft's AVI RIFF reference and the OpenDML extensions 1.02, by
which files above 1 GB go on in further lists.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

LISTS = (b"RIFF", b"LIST")
HEAD = struct.Struct("<4sI")
STREAM = struct.Struct("<4s4s8xIIIII")
"""Kind, codec, first frames, scale, rate, start, and the number of frames."""


class Chunk(NamedTuple):
    """A piece of the file that is no list."""

    name: bytes
    """Four letters."""

    start: int
    """Where its content begins."""

    n_bytes: int
    """Length of its content."""


def count_avi_frames(path: Path) -> int:
    """Return the number of frames in an AVI file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    int
        Frames that are stored.

    Raises
    ------
    ValueError
        If it is no AVI file, was cut short, has other frames than its header tells, or frames
        that were dropped while recording.
    """
    n_bytes = path.stat().st_size
    n_frames = n_empty = n_promised = 0
    stream = -1
    video = b"\0\0"
    with path.open("rb") as file:
        _check_head(file, path.name)
        for chunk in _chunks(file, n_bytes):
            if chunk.start + chunk.n_bytes > n_bytes:
                raise ValueError(_cut(path.name, n_frames, n_promised))
            if chunk.name == b"strh":
                stream += 1
                kind, length = _stream(file, chunk)
                if kind == b"vids" and video == b"\0\0":
                    video, n_promised = b"%02d" % stream, length
            elif chunk.name in (video + b"dc", video + b"db"):
                n_frames += 1
                n_empty += chunk.n_bytes == 0
    _check_count(path.name, n_frames, n_promised, n_empty)
    return n_frames


def _check_head(file: BinaryIO, name: str) -> None:
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"AVI ":
        raise ValueError(f"{name} is not an AVI file; check its name, or record it again.")
    file.seek(0)


def _chunks(file: BinaryIO, n_bytes: int) -> Iterator[Chunk]:
    """Yield every chunk; lists are entered, so that a chunk is never inside another."""
    place = 0
    while place + HEAD.size <= n_bytes:
        file.seek(place)
        name, length = HEAD.unpack(file.read(HEAD.size))
        if name in LISTS:
            place += HEAD.size + 4
            continue
        yield Chunk(name, place + HEAD.size, length)
        place += HEAD.size + length + length % 2


def _stream(file: BinaryIO, chunk: Chunk) -> tuple[bytes, int]:
    """Return the kind of a stream and the number of its frames."""
    file.seek(chunk.start)
    raw = file.read(min(chunk.n_bytes, STREAM.size))
    if len(raw) < STREAM.size:
        return b"", 0
    kind, *_, length = STREAM.unpack(raw)
    return kind, length


def _check_count(name: str, n_frames: int, n_promised: int, n_empty: int) -> None:
    if not n_frames:
        raise ValueError(f"{name} holds no frames; was the recording stopped at once?")
    if n_frames < n_promised:
        raise ValueError(_cut(name, n_frames, n_promised))
    if n_promised and n_frames > n_promised:
        raise ValueError(
            f"{name} does not fit its header, which speaks of {n_promised} frames and not of "
            f"{n_frames}; save it again with ffmpeg (-c copy)."
        )
    if n_empty:
        raise ValueError(
            f"{name} has {n_empty} empty frames, which were dropped while recording; save it with "
            "ffmpeg, which repeats the frame before, or leave them out and tell the rate."
        )


def _cut(name: str, n_frames: int, n_promised: int) -> str:
    of = f" of its {n_promised}" if n_promised else ""
    return (
        f"{name} is cut short: only {n_frames}{of} frames are whole (was the recording "
        "interrupted?); copy it again from where it was recorded."
    )
