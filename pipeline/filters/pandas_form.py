"""A filter as the pandas expression that chooses the same rows, to be read and copied."""

import json
from datetime import date

from pipeline.filters.columns import Columns
from pipeline.filters.patterns import write_pattern
from pipeline.filters.tree import COMPARISONS, All, AnyOf, Condition, Filter, Not, Span, Value


def pandas_form(tree: Filter, columns: Columns) -> str:
    """Write a filter as an expression on a table ``df`` with a column of each name.

    Parameters
    ----------
    tree : Condition, Not, All or AnyOf
        The filter.
    columns : Columns
        What its columns hold.

    Returns
    -------
    str
        For people and notebooks; the program itself never runs it.

    Examples
    --------
    >>> from pipeline.filters import Column, parse_filter
    >>> columns = Columns([Column("snr", "number")])
    >>> pandas_form(parse_filter("not snr = 1..2", columns), columns)
    '~(df["snr"].between(1, 2).fillna(False))'
    """
    match tree:
        case Condition():
            return f"({_condition(tree, columns)})"
        case Not():
            return f"~{pandas_form(tree.part, columns)}"
        case All():
            parts = [pandas_form(part, columns) for part in tree.parts]
            return f"({' & '.join(parts)})" if parts else "(df.index == df.index)"
        case AnyOf():
            return f"({' | '.join(pandas_form(part, columns) for part in tree.parts)})"


def _condition(tree: Condition, columns: Columns) -> str:
    """Write a condition of one column."""
    series = f"df[{_text(tree.column)}]"
    match columns.by_name[tree.column].kind:
        case "text":
            return _of_text(tree, series)
        case "list":
            return _of_list(tree, series)
        case "flag":
            wanted = ", ".join(str(value) for value in tree.operands)
            return (
                f"{series}.isna()" if tree.operator == "missing" else f"{series}.isin([{wanted}])"
            )
        case _:
            return _of_numbers(tree, series)


def _of_text(tree: Condition, series: str) -> str:
    """Write a condition of a column of texts."""
    if tree.operator == "missing":
        return f'{series}.fillna("") == ""'
    words, lower = [str(value) for value in tree.operands], ""
    if tree.any_case:
        words, lower = [word.lower() for word in words], ".str.lower()"
    if tree.operator == "equals":
        return f"{series}{lower}.isin([{', '.join(map(_text, words))}])"
    is_pattern = tree.operator == "matches"
    found = [write_pattern(word, "python") if is_pattern else word for word in words]
    return " | ".join(
        f"{series}{lower}.str.contains({_text(word)}, regex={is_pattern}, na=False)"
        for word in found
    )


def _of_list(tree: Condition, series: str) -> str:
    """Write a condition of a column of lists of texts: one of the texts fulfils it."""
    if tree.operator == "missing":
        return f"{series}.str.len().fillna(0) == 0"
    words, name = [str(value) for value in tree.operands], "name"
    if tree.any_case:
        words, name = [word.lower() for word in words], "name.lower()"
    listed = f"[{', '.join(map(_text, words))}]"
    tests = {
        "equals": f"{name} in {listed}",
        "contains": f"any(word in {name} for word in {listed})",
    }
    if tree.operator == "matches":
        patterns = ", ".join(_text(write_pattern(word, "python")) for word in words)
        tests["matches"] = f"any(re.search(pattern, name) for pattern in [{patterns}])"
    return f"{series}.map(lambda names: any({tests[tree.operator]} for name in names))"


def _of_numbers(tree: Condition, series: str) -> str:
    """Write a condition of a column of numbers or days."""
    if tree.operator == "missing":
        return f"{series}.isna()"
    if tree.operator in COMPARISONS:
        test = f"({series} {COMPARISONS[tree.operator]} {_value(tree.operands[0])})"
        return f"{test}.fillna(False)"  # whole numbers are compared to NA where one is missing
    spans = [value for value in tree.operands if isinstance(value, Span)]
    tests = [
        f"{series}.between({_value(span.low)}, {_value(span.high)}).fillna(False)" for span in spans
    ]
    single = [_value(value) for value in tree.operands if not isinstance(value, Span)]
    if single:
        tests.append(f"{series}.isin([{', '.join(single)}])")
    return " | ".join(tests)


def _value(value: Value) -> str:
    """Write a number or a day."""
    return f'pd.Timestamp("{value.isoformat()}")' if isinstance(value, date) else repr(value)


def _text(text: str) -> str:
    """Write a text in double quotes, with whatever it holds: what JSON writes, Python reads."""
    return json.dumps(text, ensure_ascii=False)
