"""A filter as a tree: what a text asks for, which no part of the program ever runs as code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "number", "flag", "date", "list"]
"""What a column holds: a text, a number, yes or no, a day, or several texts."""

Operator = Literal[
    "contains", "equals", "matches", "above", "below", "at least", "at most", "missing"
]
COMPARISONS: Mapping[str, str] = {"above": ">", "below": "<", "at least": ">=", "at most": "<="}


class Span(NamedTuple):
    """All values from one to another, both included."""

    low: "int | float | date"
    high: "int | float | date"


Value = str | int | float | bool | date | Span


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column is to be; a row without a value never fulfils it, unless it asks for that."""

    column: str
    """Name of the column."""

    operator: Operator
    """How it is compared."""

    operands: tuple[Value, ...] = ()
    """With what: one of them suffices. Of a column of several texts, one of these suffices."""

    any_case: bool = False
    """Whether upper and lower case are the same."""


@dataclass(frozen=True, slots=True)
class Not:
    """All rows but those that fulfil a filter."""

    part: "Filter"
    """That filter."""


@dataclass(frozen=True, slots=True)
class All:
    """The rows that fulfil every one of several filters; of none, every row."""

    parts: "tuple[Filter, ...]" = ()
    """These filters."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The rows that fulfil at least one of several filters."""

    parts: "tuple[Filter, ...]"
    """These filters."""


Filter = Condition | Not | All | AnyOf


def filter_to_dict(tree: Filter) -> dict[str, Any]:
    """Return a filter as plain values, to be kept as JSON.

    Parameters
    ----------
    tree : Condition, Not, All or AnyOf
        The filter.
    """
    match tree:
        case Condition():
            return {
                "column": tree.column,
                "operator": tree.operator,
                "operands": [_plain(value) for value in tree.operands],
                "any_case": tree.any_case,
            }
        case Not():
            return {"not": filter_to_dict(tree.part)}
        case All():
            return {"all": [filter_to_dict(part) for part in tree.parts]}
        case AnyOf():
            return {"any": [filter_to_dict(part) for part in tree.parts]}


def filter_from_dict(plain: Mapping[str, Any]) -> Filter:
    """Return the filter that `filter_to_dict` made plain.

    Parameters
    ----------
    plain : mapping
        Its plain values.
    """
    if "not" in plain:
        return Not(filter_from_dict(plain["not"]))
    if "all" in plain:
        return All(tuple(map(filter_from_dict, plain["all"])))
    if "any" in plain:
        return AnyOf(tuple(map(filter_from_dict, plain["any"])))
    operands = tuple(map(_value, plain["operands"]))
    return Condition(plain["column"], plain["operator"], operands, plain["any_case"])


def columns_of(tree: Filter) -> frozenset[str]:
    """Return the names of the columns that a filter asks for.

    Parameters
    ----------
    tree : Condition, Not, All or AnyOf
        The filter.
    """
    match tree:
        case Condition():
            return frozenset({tree.column})
        case Not():
            return columns_of(tree.part)
        case All() | AnyOf():
            return frozenset[str]().union(*map(columns_of, tree.parts))


def _plain(value: Value) -> Any:
    """Return an operand as JSON knows it; a day is told from a text."""
    if isinstance(value, Span):
        return {"from": _plain(value.low), "to": _plain(value.high)}
    return {"day": value.isoformat()} if isinstance(value, date) else value


def _value(plain: Any) -> Value:
    """Return the operand that `_plain` made plain."""
    if not isinstance(plain, dict):
        return plain  # type: ignore[no-any-return]
    if "day" in plain:
        return date.fromisoformat(plain["day"])
    return Span(_value(plain["from"]), _value(plain["to"]))  # type: ignore[arg-type]
