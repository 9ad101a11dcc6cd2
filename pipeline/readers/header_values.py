"""Numbers that a header tells, checked before anything is computed from them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.readers.datasets import is_positive

MAX_LENGTH = 1 << 31
"""No axis of a recording is longer."""


def lookup(header: Any, path: str) -> Any:
    """Return the value at a dotted path of nested mappings, None where there is none.

    Parameters
    ----------
    header : object
        What a file says about itself.
    path : str
        Keys with dots between them.

    Examples
    --------
    >>> lookup({"timing": {"frames": 3}}, "timing.frames")
    3
    """
    for key in path.split("."):
        if not isinstance(header, Mapping):
            return None
        header = header.get(key)
    return header


def read_length(header: Any, path: str, name: str) -> int:
    """Return the length of an axis that a header must tell.

    Parameters
    ----------
    header : object
        What the file says about itself.
    path : str
        Where the length stands in it.
    name : str
        The file, for the message.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If it is not there, or no whole number that makes sense.
    """
    value = lookup(header, path)
    if not is_positive(value) or value != int(value) or value > MAX_LENGTH:
        raise ValueError(
            f"the header of {name} is damaged: {path} must be a whole number above 0; got "
            f"{value!r}. Copy or export the file again."
        )
    return int(value)


def read_ratio(header: Any, path: str) -> float | None:
    """Return a fraction written as ``num`` and ``den``, None where it makes no sense.

    Parameters
    ----------
    header : object
        What the file says about itself.
    path : str
        Where the fraction stands in it.
    """
    numerator, denominator = lookup(header, f"{path}.num"), lookup(header, f"{path}.den")
    if not is_positive(numerator) or not is_positive(denominator):
        return None
    return float(numerator / denominator)


def check_rate(rate_hz: Any, name: str) -> float | None:
    """Return the rate that a header tells, None where it tells none.

    Parameters
    ----------
    rate_hz : object
        What stands in the header; None and 0 mean that it is not known.
    name : str
        The file, for the message.

    Returns
    -------
    float or None
        Above 0.

    Raises
    ------
    ValueError
        If it is no rate.
    """
    if rate_hz is None or (not isinstance(rate_hz, str) and rate_hz == 0):
        return None
    if not is_positive(rate_hz):
        raise ValueError(
            f"the frame rate in the header of {name} must be a number above 0, in Hz; got "
            f"{rate_hz!r}. Correct the header, or export the file again."
        )
    return float(rate_hz)


def check_bytes(path: Path, shape: tuple[int, ...], pixel_bytes: int, *, other: int = 0) -> None:
    """Refuse a file that does not have the size that its header tells.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Of the pixels in it, frames first.
    pixel_bytes : int
        Bytes of one pixel.
    other : int
        Bytes beside the pixels.

    Raises
    ------
    ValueError
        If it is shorter or longer.
    """
    frame_bytes = math.prod(shape[1:]) * pixel_bytes
    n_bytes = path.stat().st_size - other
    if n_bytes == shape[0] * frame_bytes:
        return
    told = f"{shape[0]} frames of {' x '.join(map(str, shape[1:]))} pixels of {pixel_bytes} bytes"
    if n_bytes < shape[0] * frame_bytes:
        raise ValueError(
            f"{path.name} is cut short: its header speaks of {told}, but only "
            f"{max(n_bytes, 0) // frame_bytes} frames are whole; copy it again from where it was "
            "recorded."
        )
    raise ValueError(
        f"{path.name} does not fit its header, which speaks of {told}: it has "
        f"{n_bytes - shape[0] * frame_bytes:,} bytes more; correct the shape or the type."
    )
