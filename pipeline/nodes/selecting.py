"""Data: rows chosen by what a column holds."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.nodes.declaration import (
    Node,
    Result,
    check_fields,
    choice,
    column,
)
from pipeline.nodes.registry import register
from pipeline.transmission import Transmission

WORDS = ("equals", "not_equals", "contains", "not_contains", "matches", "not_matches")
COMPARISONS = ("<", "<=", ">", ">=", "between")
PRESENCE = ("is_missing", "is_present")
PAIR = 2


@dataclass(frozen=True, kw_only=True)
class SelectRowsParams:
    """Settings of a choice of rows."""

    column: str = column(None, kinds=("numeric", "categorical", "identifier"))
    """What is compared."""

    operator: str = choice("equals", (*WORDS, *COMPARISONS, *PRESENCE))
    """How: one of several values for words (``matches`` is for regular expressions), one number for
    the others, two for ``between`` (both included), none for ``is_missing`` and ``is_present``."""

    values: tuple[Any, ...] = ()
    """Text or numbers that rows are compared with; one of several is enough, and for the
    operators with ``not`` none may fit."""

    ignore_case: bool = False
    """Whether large and small letters are the same."""

    def __post_init__(self) -> None:
        check_fields(self)
        wanted = {
            "between": PAIR,
            **dict.fromkeys(COMPARISONS[:-1], 1),
            **dict.fromkeys(PRESENCE, 0),
        }
        n_wanted = wanted.get(self.operator, max(1, len(self.values)))
        if len(self.values) != n_wanted:
            raise ValueError(
                f"{self.operator} needs {n_wanted} value(s); got {len(self.values)}: {self.values}."
            )


def select_rows(params: SelectRowsParams, *, data: Transmission) -> Transmission:
    """Return the rows whose value fits.

    Parameters
    ----------
    params : SelectRowsParams
        Settings.
    data : Transmission
        A row whose value is missing fits ``is_missing`` alone.
    """
    values = data.frame[params.column]
    there = values.notna().to_numpy()
    if params.operator in PRESENCE:
        return data.take(there if params.operator == "is_present" else ~there)
    fits = there.copy()
    if data.infos[params.column].kind == "numeric":
        fits[there] = _numbers_fit(values[there].to_numpy(np.float64), params)
    else:
        fits[there] = _words_fit(values[there].astype(str), params)
    return data.take(fits)


def _numbers_fit(values: NDArray[np.float64], params: SelectRowsParams) -> NDArray[np.bool_]:
    """Return which numbers fit."""
    try:
        wanted = [float(value) for value in params.values]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{params.column} holds numbers; they cannot be compared with {params.values}."
        ) from error
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    if params.operator == "between":
        return (values >= wanted[0]) & (values <= wanted[1])
    if params.operator in compare:
        return np.asarray(compare[params.operator](values, wanted[0]))
    if params.operator not in WORDS[:2]:
        raise ValueError(
            f"{params.column} holds numbers, for which {params.operator} means nothing."
        )
    return np.asarray(np.isin(values, wanted, invert=params.operator == "not_equals"))


def _words_fit(values: "pd.Series[str]", params: SelectRowsParams) -> NDArray[np.bool_]:
    """Return which texts fit."""
    if params.operator in COMPARISONS:
        raise ValueError(f"{params.column} holds text, for which {params.operator} means nothing.")
    kind = params.operator.removeprefix("not_")
    wanted = [str(value) for value in params.values]
    patterns = [word if kind == "matches" else re.escape(word) for word in wanted]
    try:
        found = re.compile("|".join(f"(?:{word})" for word in patterns), _flags(params))
    except re.error as error:
        raise ValueError(f"{wanted} is no regular expression: {error}.") from error
    search = found.fullmatch if kind == "equals" else found.search
    fits = np.array([search(value) is not None for value in values], bool)
    return ~fits if params.operator.startswith("not_") else fits


def _flags(params: SelectRowsParams) -> re.RegexFlag:
    """Return how text is compared."""
    return re.IGNORECASE if params.ignore_case else re.NOFLAG


@dataclass(frozen=True, kw_only=True)
class TextFilterParams:
    """Settings of the text filter."""

    column: str = column(None, kinds=("categorical", "identifier"))
    """What is compared."""

    text: str = ""
    """The whole text that a row has, as it is written."""

    exclude: bool = False
    """Whether such rows go, in place of staying."""

    def __post_init__(self) -> None:
        check_fields(self)


def text_filter(params: TextFilterParams, *, data: Transmission) -> Transmission:
    """Return the rows that have a text, or those that do not.

    Parameters
    ----------
    params : TextFilterParams
        Settings.
    data : Transmission
        A row whose value is missing does not have the text.
    """
    fits = (data.frame[params.column].astype(str) == params.text).to_numpy()
    return data.take(fits ^ params.exclude)


register(
    Node(
        name="select_rows",
        title="SelectRows",
        group="Data",
        params=SelectRowsParams,
        compute=select_rows,
        results=(Result(rows="fewer"),),
        by_row=True,
        nan="ignore",
        picks=True,
    ),
    Node(
        name="text_filter",
        title="TextFilter",
        group="Data",
        params=TextFilterParams,
        compute=text_filter,
        results=(Result(rows="fewer"),),
        by_row=True,
        nan="ignore",
        picks=True,
    ),
)
