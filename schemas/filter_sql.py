"""A filter as a restriction in SQL, which the server alone runs."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import datajoint as dj
import numpy as np

from pipeline.filters import (
    COMPARISONS,
    All,
    AnyOf,
    Condition,
    Filter,
    Kind,
    Not,
    Span,
    Value,
    write_pattern,
)
from schemas.numbered_rows import among

HARMLESS = re.compile(r"[\w .,:=/+-]*")
"""Texts that SQL shows as they are; all others go as hexadecimal numbers, so they are only text."""


class Source(NamedTuple):
    """Where a server finds the values of a column."""

    kind: Kind
    """What the values are."""

    value: str
    """SQL of one value."""

    rows: Any = None
    """The rows that hold the values; None: those that are filtered themselves."""

    key: tuple[str, ...] = ()
    """Columns that tell of which of the filtered rows the values are."""

    default: str = ""
    """SQL of the value that counts where there is no row; empty: there is none."""

    is_float32: bool = False
    """Whether a number is kept with seven digits, to which others are then rounded."""


def restriction(
    tree: Filter, sources: Mapping[str, Source], backend: str, *, negated: bool = False
) -> str:
    """Return what restricts a query to the rows that a filter chooses.

    Parameters
    ----------
    tree : Condition, Not, All or AnyOf
        The filter.
    sources : mapping
        Where its columns are, by their full names.
    backend : str
        ``mysql`` or ``postgresql``.
    negated : bool
        Choose the other rows.

    Returns
    -------
    str
        SQL. Every condition in it is either true or false, never unknown as in plain SQL: that is
        how a row without a value is among those that ``not`` chooses.
    """
    match tree:
        case Not():
            return restriction(tree.part, sources, backend, negated=not negated)
        case All() | AnyOf():
            parts = [restriction(part, sources, backend, negated=negated) for part in tree.parts]
            return _every(parts) if isinstance(tree, All) != negated else _any(parts)
        case Condition():
            source = sources[tree.column]
            return _condition(tree, source, _Sql(backend, source), negated=negated)


def sql_literal(value: Value, backend: str) -> str:
    """Return SQL of a value, whatever a text holds.

    Parameters
    ----------
    value : str, int, float, bool or date
        The value.
    backend : str
        ``mysql`` or ``postgresql``.
    """
    sql = _Sql(backend, Source("text", ""))
    return sql.text(value) if isinstance(value, str) else sql.literal(value)


def _condition(tree: Condition, source: Source, sql: "_Sql", *, negated: bool) -> str:
    """Return the restriction of one condition."""
    test = sql.test(tree, source.value)
    if source.rows is None:
        return _either(test, negated=negated)
    if tree.operator == "missing" and not source.default:
        return _either(sql.among(source.rows & dj.Not(test)), negated=not negated)
    found = _either(sql.among(source.rows & test), negated=negated)
    if not source.default:
        return found
    by_default = _either(sql.test(tree, source.default), negated=negated)
    there = sql.among(source.rows)
    if negated:
        return _every([found, _any([by_default, there])])
    return _any([found, _every([by_default, _either(there, negated=True)])])


def _either(condition: str, *, negated: bool) -> str:
    """Return a condition, or its opposite."""
    return f"(NOT ({condition}))" if negated else f"({condition})"


def _every(conditions: Sequence[str]) -> str:
    """Return that all of the conditions hold."""
    return f"({' AND '.join(conditions) or 'TRUE'})"


def _any(conditions: Sequence[str]) -> str:
    """Return that one of the conditions holds."""
    return f"({' OR '.join(conditions) or 'FALSE'})"


class _Sql:
    """How a server is asked for one condition; names in lower case would be taken for columns."""

    def __init__(self, backend: str, source: Source) -> None:
        self.is_mysql, self.source = backend == "mysql", source

    def among(self, rows: Any) -> str:
        """Return SQL that a row is told of by some rows."""
        names = self.source.key
        quote = "`{}`" if self.is_mysql else '"{}"'
        values = ", ".join(map(quote.format, names))
        return among(values, rows, names, "mysql" if self.is_mysql else "postgresql")

    def test(self, tree: Condition, value: str) -> str:
        """Return SQL that is true or false of a value."""
        if tree.operator == "missing":
            is_text = self.source.kind in ("text", "list")
            empty = f" OR CHAR_LENGTH({value}) = 0" if is_text else ""
            return f"({value} IS NULL{empty}) IS TRUE"
        one = self._of_text if self.source.kind in ("text", "list") else self._of_number
        tests = " OR ".join(one(tree, operand, value) for operand in tree.operands)
        return f"({tests}) IS TRUE"

    def _of_text(self, tree: Condition, operand: Value, value: str) -> str:
        """Return SQL that compares a text, letter by letter."""
        text = str(operand)
        if tree.operator == "matches":
            pattern = self.text(write_pattern(text, "mysql" if self.is_mysql else "postgresql"))
            return (
                f"REGEXP_LIKE({self._letters(value)}, {pattern}, 'c')"
                if self.is_mysql
                else f"{value} ~ {pattern}"
            )
        wanted, held = self.text(text), self._letters(value)
        if tree.any_case:
            wanted, held = self._lower(wanted), self._lower(held)
        if self.is_mysql:
            held += " COLLATE UTF8MB4_0900_BIN"
        return (
            f"POSITION({wanted} IN {held}) > 0"
            if tree.operator == "contains"
            else (f"{held} = {wanted}")
        )

    def _letters(self, value: str) -> str:
        """Return SQL of a text in the letters that all texts are compared in."""
        return f"CONVERT({value} USING UTF8MB4)" if self.is_mysql else value

    def _lower(self, value: str) -> str:
        """Return SQL of a text in lower case, of every alphabet."""
        return f"LOWER({value})" if self.is_mysql else f'LOWER({value} COLLATE "pg_c_utf8")'

    def _of_number(self, tree: Condition, operand: Value, value: str) -> str:
        """Return SQL that compares a number, a day, or yes or no."""
        if isinstance(operand, Span):
            return f"{value} BETWEEN {self.literal(operand.low)} AND {self.literal(operand.high)}"
        return f"{value} {COMPARISONS.get(tree.operator, '=')} {self.literal(operand)}"

    def literal(self, value: Value) -> str:
        """Return SQL of a number, a day, or yes or no."""
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, float) or self.source.is_float32:
            number = float(np.float32(value) if self.source.is_float32 else value)
            return f"{number!r}" if "e" in repr(number) else f"{number!r}E0"
        return str(value)

    def text(self, text: str) -> str:
        """Return SQL of a text."""
        if HARMLESS.fullmatch(text):
            return f"'{text}'"
        digits = text.encode().hex()
        if self.is_mysql:
            return f"_UTF8MB4 X'{digits}'"
        return f"CONVERT_FROM(DECODE('{digits}', 'hex'), 'UTF8')"
