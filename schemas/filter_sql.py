"""A filter as a restriction: what DataJoint makes SQL of, and the server alone runs."""

import re
from collections.abc import Mapping
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

HARMLESS = re.compile(r"[\w .,:=/+-]*")
"""Texts that SQL shows as they are; all others go as hexadecimal numbers, so they are only text."""


class Source(NamedTuple):
    """Where a server finds the values of a column."""

    kind: Kind
    """What the values are."""

    value: str
    """SQL of one value."""

    rows: Any = None
    """The rows that hold the values, with the key of what is filtered; None: these themselves."""

    default: str = ""
    """SQL of the value that counts where there is no row; empty: there is none."""

    is_float32: bool = False
    """Whether a number is kept with seven digits, to which others are then rounded."""


def restriction(
    tree: Filter, sources: Mapping[str, Source], backend: str, *, negated: bool = False
) -> Any:
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
    AndList, list, Not, str or query
        For ``query & …``. Every condition in it is either true or false, never unknown as in
        plain SQL: that is how a row without a value is among those that ``not`` chooses.

    Notes
    -----
    The negation goes down to the conditions, because DataJoint's own negation of several
    conditions together negates the first alone.
    """
    match tree:
        case Not():
            return restriction(tree.part, sources, backend, negated=not negated)
        case All() | AnyOf():
            parts = [restriction(part, sources, backend, negated=negated) for part in tree.parts]
            return dj.AndList(parts) if isinstance(tree, All) != negated else parts
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


def _condition(tree: Condition, source: Source, sql: "_Sql", *, negated: bool) -> Any:
    """Return the restriction of one condition."""
    test = sql.test(tree, source.value)
    if source.rows is None:
        return _either(test, negated=negated)
    if tree.operator == "missing" and not source.default:
        present = (source.rows & dj.Not(test)).proj()
        return _among(present, sql, negated=not negated)
    found = _among((source.rows & test).proj(), sql, negated=negated)
    if not source.default:
        return found
    by_default = _either(sql.test(tree, source.default), negated=negated)
    there = _among(source.rows.proj(), sql, negated=not negated)
    if negated:
        return dj.AndList([found, [by_default, there]])
    return [found, dj.AndList([by_default, there])]


def _among(rows: Any, sql: "_Sql", *, negated: bool) -> Any:
    """Return that a key is one of those of a query, or is none of them."""
    if negated or sql.is_mysql:
        return _either(rows, negated=negated)
    # PostgreSQL, which often has no statistics yet, else looks up the keys one by one; as a part
    # of an OR, they are put into a table in memory once
    return [rows, "FALSE"]


def _either(condition: Any, *, negated: bool) -> Any:
    """Return a condition, or its opposite."""
    return dj.Not(condition) if negated else condition


class _Sql:
    """How a server is asked for one condition; names in lower case would be taken for columns."""

    def __init__(self, backend: str, source: Source) -> None:
        self.is_mysql, self.source = backend == "mysql", source

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
