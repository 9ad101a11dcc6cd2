"""What may stand between a column and the values that it is compared with."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.filters.tree import COMPARISONS, Operator


class Asked(NamedTuple):
    """What a modifier or a sign asks for."""

    operator: Operator | None
    """None: what the column's kind means by itself."""

    negated: bool = False
    any_case: bool = False


MODIFIERS: Mapping[str, Asked] = {
    "$NOT:": Asked(None, negated=True),
    "$STR:": Asked("contains"),
    "$STR=:": Asked("equals"),
    "$STR!=:": Asked("equals", negated=True),
    "$>:": Asked("above"),
    "$<:": Asked("below"),
    "$>=:": Asked("at least"),
    "$<=:": Asked("at most"),
    "$RE:": Asked("matches"),
    "$NOTRE:": Asked("matches", negated=True),
    "$ANYCASE:": Asked("contains", any_case=True),
    "$ANYCASE=:": Asked("equals", any_case=True),
}
"""What may stand before the values."""

OF_TEXTS = ("$STR:", "$STR=:", "$STR!=:")
SIGNS: Mapping[str, Asked] = {
    ">=": Asked("at least"),
    "<=": Asked("at most"),
    "!=": Asked("equals", negated=True),
    "!~": Asked("matches", negated=True),
    "==": Asked("equals"),
    "≥": Asked("at least"),
    "≤": Asked("at most"),
    "≠": Asked("equals", negated=True),
    ">": Asked("above"),
    "<": Asked("below"),
    "=": Asked("equals"),
    "~": Asked("matches"),
}
"""What may stand between a column and the values, the longer ones first."""


def cannot(operator: Operator) -> str:
    """Say what cannot be asked of a column.

    Parameters
    ----------
    operator : str
        That its kind does not allow.
    """
    if operator in COMPARISONS:
        return f"is never {COMPARISONS[operator]} something; that is for numbers and days"
    return {
        "contains": "is not searched for texts; write =",
        "matches": "has no regular expression; that is for texts",
    }.get(operator, "cannot be asked so")
