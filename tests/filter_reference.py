"""The plain version of filters, row by row, and random filters to compare with it."""

import re

import pandas as pd

from pipeline.filters import COMPARISONS, All, AnyOf, Condition, Not, Span, write_pattern

TEXTS = (
    "aten",
    "pr",
    "palp",
    "Pr",
    "PALP",
    "",
    "a%b",
    "100%",
    "_",
    "o'brien",
    'say "x"',
    "back\\slash",
    "'; DROP TABLE sample; --",
    "__import__('os').system('x')",
    "{0}",
    "%s",
    "%(a)s",
    "x|y",
    "(a)",
    "  lead",
    "trail ",
    "Ä-Zelle",
    "ä-zelle",
    "Ω ω µ",
    "ß",
    "ss",
    "😀 smile",
    "two\nlines",
    "$NOT:p",
    "a and b",
    "`sample`",
    "\\'",
    "/* x */",
    "NULL",
    "é",
    "e",
)
PATTERNS = (
    "^p", "a.*n$", "[a-m]+l", "(pr|palp)$", r"\d", r"^\w{2,3}$", "%", r"\\", "[^a-z]", r"x\|y", "'",
    ".", r"\s", r"^\S+$", "Ä", "[Ä-Ü]", r"\(a\)", "a?t", "[]|]", r"[\w-]+-", "^two.lines", r"o\Wb",
    "^$", "(p|P)r", "l{1,2}$", '"', "[.%]", r"\$NOT", "s{2}",
)  # fmt: skip
DIGITS = 1


def fulfils(tree, kinds, row):
    """Return whether a row, as a dict, fulfils a filter."""
    match tree:
        case Not():
            return not fulfils(tree.part, kinds, row)
        case All():
            return all(fulfils(part, kinds, row) for part in tree.parts)
        case AnyOf():
            return any(fulfils(part, kinds, row) for part in tree.parts)
    value = row[tree.column]
    if kinds[tree.column] == "list":
        if tree.operator == "missing":
            return not value
        return any(_compares(tree, name) for name in value)
    is_missing = value is None or value == "" or pd.isna(value)
    return is_missing if tree.operator == "missing" else not is_missing and _compares(tree, value)


def _compares(tree, value):
    """Return whether a value that is there compares with one of the operands."""
    return any(_one(tree, operand, value) for operand in tree.operands)


def _one(tree, operand, value):
    if tree.operator == "matches":
        return re.search(write_pattern(operand, "python"), value) is not None
    if isinstance(value, str):
        low = str.lower if tree.any_case else str
        same, part = low(operand) == low(value), low(operand) in low(value)
        return same if tree.operator == "equals" else part
    if isinstance(operand, Span):
        return operand.low <= value <= operand.high
    compare = {
        "=": value == operand,
        ">": value > operand,
        "<": value < operand,
        ">=": value >= operand,
        "<=": value <= operand,
    }
    return compare[COMPARISONS.get(tree.operator, "=")]


def random_filter(columns, values, rng, depth=3):
    """Return a random filter.

    Parameters
    ----------
    columns : Columns
        What it may ask for.
    values : mapping
        For each column, what numbers or days it may compare with.
    rng : numpy.random.Generator
        Where it comes from.
    depth : int
        How deep it is at most.
    """
    if depth and rng.random() < 0.6:
        parts = tuple(random_filter(columns, values, rng, depth - 1) for _ in range(2))
        return [Not(parts[0]), All(parts), AnyOf(parts)][rng.integers(3)]
    column = list(columns.by_name.values())[rng.integers(len(columns.by_name))]
    if rng.random() < 0.15:
        return Condition(column.name, "missing")
    if column.kind in ("text", "list"):
        return _of_text(column.name, rng)
    if column.kind == "flag":
        return Condition(column.name, "equals", (bool(rng.integers(2)),))
    return _of_number(column.name, values[column.name], rng)


def _of_text(name, rng):
    operator = ["contains", "equals", "matches"][rng.integers(3)]
    pool = PATTERNS if operator == "matches" else [text for text in TEXTS if text]
    operands = [pool[i] for i in rng.integers(len(pool), size=rng.integers(1, 4))]
    if operator == "contains":
        operands = [_piece(text, rng) for text in operands]
    any_case = operator != "matches" and rng.random() < 0.3
    return Condition(name, operator, tuple(operands), bool(any_case))


def _piece(text, rng):
    start, stop = sorted(rng.integers(len(text) + 1, size=2))
    return text[start:stop] or text


def _of_number(name, values, rng):
    chosen = [values[i] for i in rng.integers(len(values), size=3)]
    if rng.random() < 0.5:
        return Condition(name, list(COMPARISONS)[rng.integers(4)], (chosen[0],))
    return Condition(name, "equals", (chosen[0], Span(min(chosen[1:]), max(chosen[1:]))))


def written(tree):
    """Return a filter as somebody writes it, every text in quotes."""
    match tree:
        case Not():
            return f"not ({written(tree.part)})"
        case All():
            return " and ".join(f"({written(part)})" for part in tree.parts)
        case AnyOf():
            return " or ".join(f"({written(part)})" for part in tree.parts)
    if tree.operator == "missing":
        return f'"{tree.column}" is missing'
    modifiers = {"contains": "", "equals": "$STR=:", "matches": "$RE:"}
    modifier = {"contains": "$ANYCASE:", "equals": "$ANYCASE=:"} if tree.any_case else modifiers
    if isinstance(tree.operands[0], str):
        sign = f": {modifier[tree.operator]}"
    else:
        sign = COMPARISONS.get(tree.operator, "=")
    return f'"{tree.column}"{sign} {"|".join(map(_word, tree.operands))}'


def _word(operand):
    if isinstance(operand, str):
        return '"' + operand.replace('"', '""') + '"'
    return f"{operand.low}..{operand.high}" if isinstance(operand, Span) else str(operand)


def random_texts(rng, size):
    """Return texts, some of them missing."""
    return [None if rng.random() < 0.2 else TEXTS[i] for i in rng.integers(len(TEXTS), size=size)]


def numbers_of(values):
    """Return numbers to compare with: those that are there, and others."""
    there = [value for value in values if not pd.isna(value)]
    return [*there[:20], -1, 0, 5, 2.5, 1e6]
