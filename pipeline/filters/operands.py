"""What is written in a filter, as values of the kind that the column holds."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date

from pipeline.filters.tree import Kind, Span, Value

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
RANGE = ".."
RANGED: tuple[Kind, ...] = ("number", "date")


def read_operand(text: str, kind: Kind) -> Value:
    """Return what a text means for a column.

    Parameters
    ----------
    text : str
        As it was written.
    kind : str
        What the column holds.

    Raises
    ------
    ValueError
        If it means nothing there.

    Examples
    --------
    >>> read_operand("2..5", "number")
    Span(low=2, high=5)
    """
    low, dots, high = text.partition(RANGE)
    if not dots or kind not in RANGED:
        return READERS[kind](text)
    span = Span(READERS[kind](low.strip()), READERS[kind](high.strip()))  # type: ignore[arg-type]
    if span.low > span.high:  # type: ignore[operator]
        raise ValueError(f"the range {text!r} ends before it begins")
    return span


def _number(text: str) -> int | float:
    """Return a number."""
    if WHOLE.fullmatch(text):
        return int(text)
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        point = f"; write {text.replace(',', '.')}" if DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f"{text!r} is no number{point}")
    return float(text)


def _flag(text: str) -> bool:
    """Return yes or no."""
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def _day(text: str) -> date:
    """Return a day."""
    try:
        return date.fromisoformat(text if DAY.fullmatch(text) else "")
    except ValueError:
        raise ValueError(f"{text!r} is no day; write it as 2026-11-22") from None


READERS: Mapping[Kind, Callable[[str], Value]] = {
    "text": str,
    "list": str,
    "number": _number,
    "flag": _flag,
    "date": _day,
}
