"""The language of filters: from a text to a tree.

::

    filter     each line is a condition, and all must hold
    condition  snr > 5  ·  region: mn|palp  ·  accepted  ·  region is missing
    together   … and …, … or …, not …, (…)
    after :    [modifier] value {| value}     a value may stand in quotes

What is written is searched literally; ``~`` and ``$RE:`` alone take a regular expression.
"""

import re
from typing import NoReturn

from pipeline.filters.columns import ALLOWED, KINDS, Column, Columns
from pipeline.filters.modifiers import MODIFIERS, OF_TEXTS, SIGNS, Asked, cannot
from pipeline.filters.operands import read_operand
from pipeline.filters.patterns import PatternError, write_pattern
from pipeline.filters.tree import (
    COMPARISONS,
    All,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
    Span,
    Value,
)

LONGEST_FILTER = 4000
DEEPEST = 30


UNSEARCHABLE = re.compile("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff]")
SPACES = re.compile(r"[^\S\n]*")
NAME = re.compile(r"[^\W\d][\w.]*")
KEYWORD = re.compile(r"(and|or|not)(?![\w.])", re.IGNORECASE)
MISSING = re.compile(r"is\s+(not\s+)?missing(?![\w.])", re.IGNORECASE)
MODIFIER = re.compile(r"\$[^\s:\"']*:?")
QUOTED = re.compile(r"\"((?:[^\"]|\"\")*)\"|'((?:[^']|'')*)'")
AFTER_VALUE = re.compile(r"[^\S\n]*(?=\||\)|\n|$|(?:and|or)\b)", re.IGNORECASE)
ENDS_VALUE = re.compile(r"[^\S\n]+(?:and|or)(?=[\s(]|$)", re.IGNORECASE)


class FilterError(ValueError):
    """A filter cannot be read; the message says why, and shows where."""

    def __init__(self, sentence: str, text: str, start: int, stop: int) -> None:
        self.sentence, self.start, self.stop = sentence, start, stop
        begin = text.rfind("\n", 0, start) + 1
        line = text[begin:].split("\n", 1)[0]
        mark = " " * (start - begin) + "^" * max(1, min(stop, begin + len(line)) - start)
        super().__init__(f"{sentence}\n  {line}\n  {mark}")


def parse_filter(text: str, columns: Columns) -> Filter:
    """Read a filter.

    Parameters
    ----------
    text : str
        What somebody wrote; nothing: every row.
    columns : Columns
        What may be asked for.

    Returns
    -------
    Condition, Not, All or AnyOf
        What it means; nothing in it is ever run as code.

    Raises
    ------
    FilterError
        If it means nothing; the message shows the place.

    Examples
    --------
    >>> from pipeline.filters.columns import Column
    >>> parse_filter("snr > 5", Columns([Column("snr", "number")]))
    Condition(column='snr', operator='above', operands=(5,), any_case=False)
    """
    return _Reader(text, columns).read()


class _Reader:
    """A place in a text, which moves on as the text is read."""

    def __init__(self, text: str, columns: Columns) -> None:
        self.text, self.columns = text, columns
        self.at = self.depth = 0
        self._check_text()

    def _check_text(self) -> None:
        """Refuse what no server could take."""
        if len(self.text) > LONGEST_FILTER:
            raise FilterError(
                f"a filter has at most {LONGEST_FILTER:,} letters; this one {len(self.text):,}",
                self.text,
                LONGEST_FILTER,
                LONGEST_FILTER + 1,
            )
        odd = UNSEARCHABLE.search(self.text)
        if odd:
            raise FilterError("this sign cannot be searched for", self.text, *odd.span())

    def fail(self, sentence: str, start: int | None = None, stop: int | None = None) -> NoReturn:
        """Refuse the text at a place."""
        start = self.at if start is None else start
        raise FilterError(sentence, self.text, start, start + 1 if stop is None else stop)

    def found(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return what is found here and go on behind it; None: it is not here."""
        match = pattern.match(self.text, SPACES.match(self.text, self.at).end())  # type: ignore[union-attr]
        if match:
            self.at = match.end()
        return match

    def sees(self, *signs: str) -> str | None:
        """Return which of some signs stands here, and go on behind it; None: no one does."""
        self.at = SPACES.match(self.text, self.at).end()  # type: ignore[union-attr]
        for sign in signs:
            if self.text.startswith(sign, self.at):
                self.at += len(sign)
                return sign
        return None

    def keyword(self, word: str) -> bool:
        """Return whether a keyword stands here, and go on behind it."""
        before = self.at
        match = self.found(KEYWORD)
        if match and match[1].lower() == word:
            return True
        self.at = before
        return False

    def read(self) -> Filter:
        """Read all lines."""
        parts = []
        while self.at < len(self.text):
            if not self.sees("\n") and self.at < len(self.text):
                parts.append(self.either())
                if self.at < len(self.text) and self.sees("\n") is None:
                    self.fail("here a condition ends; go on with and, or, or in a new line")
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def either(self) -> Filter:
        """Read conditions with ``or`` between them."""
        parts = [self.both()]
        while self.keyword("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def both(self) -> Filter:
        """Read conditions with ``and`` between them, which binds closer."""
        parts = [self.one()]
        while self.keyword("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self) -> Filter:
        """Read a condition, the opposite of one, or what stands in brackets."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"brackets and not stand at most {DEEPEST} deep")
        if self.keyword("not"):
            read: Filter = Not(self.one())
        elif self.sees("("):
            opened = self.at - 1
            read = self.either()
            if not self.sees(")"):
                self.fail("this bracket is never closed", opened)
        else:
            read = self.condition()
        self.depth -= 1
        return read

    def condition(self) -> Filter:
        """Read what is asked of one column."""
        column, name = self.column()
        missing = self.found(MISSING)
        if missing:
            absent = Condition(column.name, "missing")
            return Not(absent) if missing[1] else absent
        sign = self.sees(":", *SIGNS)
        if sign is None:
            return self.alone(column, name)
        start = self.at - len(sign)
        asked = SIGNS[sign] if sign in SIGNS else self.modifier(column)
        return self.compared(column, asked, (start, self.at))

    def column(self) -> tuple[Column, tuple[int, int]]:
        """Read the name of a column."""
        match = self.found(QUOTED) or self.found(NAME)
        if match is None or KEYWORD.fullmatch(match[0]):
            self.fail("here the name of a column is missing", match.start() if match else None)
        name = match[0] if match.re is NAME else _unquoted(match)
        try:
            return self.columns.find(name), match.span()
        except ValueError as error:
            self.fail(str(error), *match.span())

    def alone(self, column: Column, name: tuple[int, int]) -> Condition:
        """Read the name of a column that nothing follows: of yes or no, it is a condition."""
        if column.kind != "flag":
            example = "> 5" if column.kind == "number" else ": …"
            self.fail(f"say what {column.name} is to be, as in: {column.name} {example}", *name)
        return Condition(column.name, "equals", (True,))

    def modifier(self, column: Column) -> Asked:
        """Read the modifier after a colon, if there is one."""
        match = self.found(MODIFIER)
        if match is None:
            return Asked(None)
        asked = MODIFIERS.get(match[0].upper())
        if asked is None:
            known = " ".join(MODIFIERS)
            self.fail(
                f"unrecognised modifier {match[0]}; known are {known}; a text that begins "
                'with $ stands in "quotes"',
                *match.span(),
            )
        if match[0].upper() in OF_TEXTS and column.kind not in ("text", "list"):
            self.fail(
                f"{match[0]} is for texts, and {column.name} holds {KINDS[column.kind]}; "
                f"write {column.name} = …",
                *match.span(),
            )
        return asked

    def compared(self, column: Column, asked: Asked, sign: tuple[int, int]) -> Filter:
        """Read the values that a column is compared with."""
        operator = asked.operator or ALLOWED[column.kind][0]
        if operator not in ALLOWED[column.kind]:
            self.fail(f"{column.name} holds {KINDS[column.kind]}, which {cannot(operator)}", *sign)
        start = SPACES.match(self.text, self.at).end()  # type: ignore[union-attr]
        operands = self.values(column, operator)
        if operator in COMPARISONS and (len(operands) > 1 or isinstance(operands[0], Span)):
            self.fail("nonsensical filter: a comparison has one value", start, self.at)
        found = Condition(column.name, operator, operands, asked.any_case)
        return Not(found) if asked.negated else found

    def values(self, column: Column, operator: Operator) -> tuple[Value, ...]:
        """Read values with bars between them."""
        values = [self.value(column, operator)]
        while self.sees("|"):
            values.append(self.value(column, operator))
        return tuple(values)

    def value(self, column: Column, operator: Operator) -> Value:
        """Read one value."""
        quoted = self.found(QUOTED)
        start, text = (
            (quoted.start(), _unquoted(quoted))
            if quoted
            else self.bare(in_groups=operator == "matches")
        )
        if quoted and not AFTER_VALUE.match(self.text, self.at):
            self.fail("the quotes end here; two of them stand for one inside")
        if not text:
            self.fail(
                f"here a value is missing; to ask for none, write: {column.name} is missing",
                start,
                self.at,
            )
        try:
            if operator == "matches":
                write_pattern(text, "python")
            return read_operand(text, column.kind)
        except PatternError as error:
            place = start + (1 if quoted else 0) + error.place
            self.fail(str(error), min(place, len(self.text)))
        except ValueError as error:
            self.fail(f"{error}; {column.name} holds {KINDS[column.kind]}", start, self.at)

    def bare(self, *, in_groups: bool) -> tuple[int, str]:
        """Read a value without quotes: to a bar, a bracket, and, or, or the end of the line.

        In the groups of a regular expression, a bar is its own.
        """
        self.at = start = SPACES.match(self.text, self.at).end()  # type: ignore[union-attr]
        opened = 0
        while self.at < len(self.text) and not ENDS_VALUE.match(self.text, self.at):
            letter = self.text[self.at]
            is_outside = not opened
            if letter == "\n" or (letter == ")" and is_outside):
                break
            if letter == "|" and (is_outside or not in_groups):
                break
            opened += {"(": 1, ")": -1}.get(letter, 0)
            self.at += 1
        return start, self.text[start : self.at].rstrip()


def _unquoted(match: re.Match[str]) -> str:
    """Return what stands in quotes."""
    return match[1].replace('""', '"') if match[1] is not None else match[2].replace("''", "'")
