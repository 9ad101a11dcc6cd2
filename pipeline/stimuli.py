"""What an animal saw, smelt or heard, and when: stimulus periods of a recording."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline.checks import check_in_range, check_one_of

UNITS = ("s", "frames")
COLUMNS = ("name", "start", "end")
LONGEST_NAME = 64
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
EXCEL = (".xlsx", ".xlsm")
SUFFIXES = (*SEPARATORS, *EXCEL)
HALF_FRAME = 0.5


class Period(NamedTuple):
    """A stimulus that was given for a while."""

    name: str
    """Which one, as ``90`` of a type ``orientation``."""

    start_s: float
    """Begin, in seconds from the begin of the first frame."""

    end_s: float
    """End, in seconds."""

    start_frame: int
    """First frame that it touches for at least a half."""

    stop_frame: int
    """First frame after it."""

    color: str
    """As ``#1f77b4``; "": a plot chooses."""


class Placed(NamedTuple):
    """The periods that lie in a recording, and what there is to know of them."""

    periods: list[Period]
    """In the order of time."""

    n_outside: int
    """Periods that do not lie in the recording as a whole, and are left out."""

    overlaps: list[tuple[Period, Period]]
    """Periods that begin before one that began earlier has ended."""


def read_stimulus_table(path: Path) -> pd.DataFrame:
    """Read a table with a row for each period: CSV, TSV or Excel.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``, ``.tsv``, ``.txt`` (columns between tabulators) or ``.xlsx``.

    Returns
    -------
    pandas.DataFrame
        All values as the text that they are in the file.

    Raises
    ------
    ValueError
        If it is no such table.
    """
    check_one_of("the end of the file's name", path.suffix.lower(), SUFFIXES)
    try:
        if path.suffix.lower() in EXCEL:
            return pd.read_excel(path, dtype=str, keep_default_na=False)
        separator = SEPARATORS[path.suffix.lower()]
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except OSError:
        raise
    except Exception as error:  # of a dozen kinds, by the parser and the damage
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it is damaged"
        raise ValueError(f"{path} cannot be read as a table: {reason}.") from error


def choose_columns(
    table: pd.DataFrame,
    name: str = "name",
    *,
    start: str = "start",
    end: str = "end",
    color: str | None = None,
) -> pd.DataFrame:
    """Return a table of periods, from columns with other names.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each period.
    name, start, end : str
        The columns that hold these.
    color : str or None
        The column of colours; None: ``color``, where there is one.

    Returns
    -------
    pandas.DataFrame
        With the columns ``name``, ``start``, ``end`` and perhaps ``color``.

    Raises
    ------
    ValueError
        If a column is not there.
    """
    wanted = {"name": name, "start": start, "end": end}
    if color or "color" in table.columns:
        wanted["color"] = color or "color"
    for column in wanted.values():
        if column not in table.columns:
            there = ", ".join(map(str, table.columns)) or "none"
            raise ValueError(f"there is no column {column!r}; the columns are: {there}.")
    return pd.DataFrame({new: table[old].to_list() for new, old in wanted.items()})


def place_periods(table: pd.DataFrame, *, unit: str, rate_hz: float, n_frames: int) -> Placed:
    """Find where stimulus periods lie in a recording.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns ``name``, ``start``, ``end`` and perhaps ``color``; numbers may be text.
        Frames count from 0, and ``end`` is the first one after the period.
    unit : str
        Of start and end: ``s`` or ``frames``.
    rate_hz : float
        Frames per second.
    n_frames : int
        Length of the recording.

    Returns
    -------
    Placed
        The periods. One that reaches out of the recording is left out and counted, not cut.

    Raises
    ------
    ValueError
        If a value is none, a period ends before it begins, or is shorter than half a frame.
    """
    check_one_of("the unit", unit, UNITS)
    check_in_range("rate_hz", rate_hz, 1e-6, 1e6)
    table = choose_columns(table)
    found = [_period(row, unit, rate_hz) for row in _numbered(table)]
    inside = [period for period in found if 0 <= period.start_frame < period.stop_frame <= n_frames]
    periods = sorted(inside, key=lambda period: (period.start_s, period.end_s, period.name))
    return Placed(periods, len(found) - len(inside), _overlaps(periods))


def _numbered(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with their numbers, as a person counts them; empty ones are left out."""
    rows = table.astype(object).where(table.notna(), "").to_dict("records")
    return [
        {"number": number, **{str(key): str(value).strip() for key, value in row.items()}}
        for number, row in enumerate(rows, start=1)
        if any(str(row[column]).strip() for column in COLUMNS)
    ]


def _period(row: dict[str, Any], unit: str, rate_hz: float) -> Period:
    """Return the period of a row, wherever it lies."""
    where = f"row {row['number']}"
    name, color = row["name"], row.get("color", "")
    if not name:
        raise ValueError(f"{where} has no name.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{where}: a name has at most {LONGEST_NAME} letters; got {len(name)}.")
    start, end = (_number(row[column], f"{where}: {column}") for column in ("start", "end"))
    if start >= end:
        raise ValueError(
            f"{where}: a period ends after it begins; got start {start:g}, end {end:g}."
        )
    per_frame = 1.0 if unit == "frames" else rate_hz
    first, stop = (math.floor(value * per_frame + HALF_FRAME) for value in (start, end))
    if first == stop:
        raise ValueError(
            f"{where}: the period is shorter than half a frame (a frame takes {1 / rate_hz:g} s); "
            f"got start {start:g}, end {end:g} {unit}."
        )
    per_s = rate_hz if unit == "frames" else 1.0
    return Period(name, start / per_s, end / per_s, first, stop, _color(color, where))


def _number(text: str, what: str) -> float:
    """Return a finite number, or refuse what is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{what} must be a number; got {text!r}.")
    return value


def _color(text: str, where: str) -> str:
    """Return a colour as the tables hold it, or refuse what is none."""
    digits = text.removeprefix("#").lower()
    if text and (len(digits) != 6 or set(digits) - set("0123456789abcdef")):  # noqa: PLR2004
        raise ValueError(f"{where}: a colour is written as #1f77b4; got {text!r}.")
    return f"#{digits}" if text else ""


def _overlaps(periods: Sequence[Period]) -> list[tuple[Period, Period]]:
    """Return the pairs of periods of which the second begins before the first has ended."""
    pairs = []
    for last, period in zip(accumulate(periods, _later), periods[1:], strict=False):
        if period.start_s < last.end_s:
            pairs.append((last, period))
    return pairs


def _later(one: Period, other: Period) -> Period:
    """Return the period that ends later."""
    return other if other.end_s > one.end_s else one
