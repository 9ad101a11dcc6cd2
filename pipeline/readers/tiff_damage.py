"""Refuse TIFF files that are damaged or cut short, where the library would log and go on."""

import logging
import lzma
import os
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tifffile import TiffFrame, TiffPage, TiffPageSeries

DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    EOFError,
    OSError,
    MemoryError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What tifffile raises on bytes that make no sense."""


class _Complaints(logging.Handler):
    """Collects what tifffile logs in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(re.sub(r"^(<[^>]*>\s*)+", "", record.getMessage()))


@contextmanager
def refuse_damage(name: str) -> Iterator[None]:
    """Turn every failure and complaint of tifffile inside the ``with`` into one refusal.

    Parameters
    ----------
    name : str
        The file, for the message.

    Raises
    ------
    ValueError
        If tifffile raised or logged anything.
    """
    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    logger.addHandler(complaints)
    try:
        yield
    except DAMAGE as error:
        raise ValueError(_sentence(name, complaints.messages or [str(error)])) from error
    finally:
        logger.removeHandler(complaints)
    if complaints.messages:
        raise ValueError(_sentence(name, complaints.messages))


def check_chain(path: Path) -> None:
    """Refuse a file whose pages lead back to an earlier one, which would be read for ever.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If a page comes twice.
    """
    landmark = -1
    with path.open("rb") as file:
        for number, offset in enumerate(_page_offsets(file), start=1):
            if offset == landmark:
                raise ValueError(_sentence(path.name, ["its pages lead back to an earlier page"]))
            if number.bit_count() == 1:  # powers of two: any circle comes round to one of them
                landmark = offset


def _page_offsets(file: BinaryIO) -> Iterator[int]:
    """Yield where each page of a TIFF file is described, as far as the file goes."""
    order = {b"II": "<", b"MM": ">"}.get(file.read(2), "")
    is_big = file.read(2) in (b"+\0", b"\0+")
    link, count, entry_bytes = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    place: int | None = struct.calcsize(f"={link}")
    while order and place is not None:
        offset = _read_number(file, place, order + link)
        if not offset:
            return
        yield offset
        n_entries = _read_number(file, offset, order + count)
        start = offset + struct.calcsize(f"={count}")
        place = None if n_entries is None else start + n_entries * entry_bytes


def _read_number(file: BinaryIO, place: int, kind: str) -> int | None:
    """Read one number, None behind the end of the file."""
    if place >= os.fstat(file.fileno()).st_size:
        return None
    file.seek(place)
    raw = file.read(struct.calcsize(kind))
    return int(struct.unpack(kind, raw)[0]) if len(raw) == struct.calcsize(kind) else None


def check_complete(series: TiffPageSeries, name: str, n_pages: int) -> None:
    """Refuse a series of which a page, or the end of one, is not in the file.

    Parameters
    ----------
    series : TiffPageSeries
        The series.
    name : str
        The file, for the message.
    n_pages : int
        Number of pages in the file.

    Raises
    ------
    ValueError
        If the file ends before its pixels do, or has other pages than its header says.
    """
    with refuse_damage(name):
        offset = series.dataoffset
        pages = series[:] if offset is None or series.is_multifile else []
        size = series.keyframe.parent.filehandle.size
    if offset is not None and not pages:
        n_stored = (size - offset) // series.keyframe.nbytes
    else:
        n_stored = sum(page is not None and _is_complete(page) for page in pages)
    n_promised = series.size // series.keyframe.size
    if n_stored < n_promised:
        raise ValueError(
            f"{name} is cut short: only {max(n_stored, 0)} of its {n_promised} images are whole; "
            "copy it again from where it was recorded."
        )
    if series.kind == "imagej" and 1 < n_pages != n_promised:
        raise ValueError(
            f"{name} has {n_pages} pages, but its ImageJ header speaks of {n_promised}; open and "
            "save it in ImageJ."
        )


def _is_complete(page: TiffPage | TiffFrame) -> bool:
    """Tell whether the file holds every byte of a page."""
    size = page.parent.filehandle.size
    if page.is_contiguous and page.dataoffsets:
        return page.dataoffsets[0] > 0 and page.dataoffsets[0] + page.nbytes <= size
    counts = page.databytecounts
    return len(counts) == len(page.dataoffsets) > 0 and all(
        offset > 0 and count > 0 and offset + count <= size
        for offset, count in zip(page.dataoffsets, counts, strict=True)
    )


def _sentence(name: str, reasons: list[str]) -> str:
    reason = " ".join(reasons[0].split()).rstrip(".")
    return f"{name} is not a whole TIFF file ({reason}); copy or export it again."
