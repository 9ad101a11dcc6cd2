"""Refuse TIFF files that are damaged or cut short, where the library would log and go on."""

import logging
import lzma
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

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
    if "imagecodecs" in reason:
        return (
            f"{name} is compressed in a way that needs the package imagecodecs ({reason}); "
            "install it, or save the file without compression."
        )
    return f"{name} is not a whole TIFF file ({reason}); copy or export it again."
