"""Whatever a file says about itself, as values that any JSON column takes."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

MAX_DEPTH = 32


def json_values(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """Return a value as plain JSON; what JSON cannot say becomes text.

    Parameters
    ----------
    value : object
        Anything: mappings, arrays, bytes, dates, numbers that are not finite.
    depth : int
        Levels of nesting that are kept; deeper ones become text.

    Returns
    -------
    dict, list, str, int, float, bool or None
        Without NaN, infinity or NUL characters, which databases refuse.

    Examples
    --------
    >>> json_values({"gain": np.float32(2), b"key": (1, float("nan"))})
    {'gain': 2.0, 'key': [1, 'nan']}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str | bytes | bytearray | date) or depth == 0:
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(key): json_values(v, depth=depth - 1) for key, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_values(v, depth=depth - 1) for v in value]
    return _text(value)


def _number(value: float) -> int | float | str:
    """Drop the class of an enumeration; write what is not finite as text."""
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else str(value)


def _text(value: Any) -> str:
    """Write anything as text that is valid Unicode without NUL."""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "backslashreplace")
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")
