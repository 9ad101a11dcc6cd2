"""Custom columns of samples: their kinds, their values, and what samples have without anybody."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.labels import CUSTOM_COLUMN, Key, add_label, labelled_rows
from schemas.settings import ProjectError

LONGEST_TEXT = 255
LARGEST_INT = 2**63 - 1
ATTEMPTS = 3
TRUTH = {"true": True, "false": False}


def add_custom_column(database: Database, label: str, kind: str, default: Any = None) -> None:
    """Make a column for samples; those that are there get its default.

    Parameters
    ----------
    database : Database
        The connected tables.
    label : str
        What people call it.
    kind : str
        ``str``, ``int``, ``float`` or ``bool``; it never changes.
    default : object
        What a sample has that nobody gives a value, as text or as a value of the kind; None:
        nobody knows.

    Raises
    ------
    ProjectError
        If the label cannot be or is there already, or the default is not of the kind.
    """
    check_kind(kind)
    value = typed(label, kind, default)
    key = add_label(database, CUSTOM_COLUMN, label, {"kind": kind, f"default_{kind}": value})
    fill_values(database, key)


def fill_values(database: Database, of: Key) -> None:
    """Give samples the defaults of custom columns for which they have no row yet.

    Parameters
    ----------
    database : Database
        The connected tables.
    of : dict
        The key of a new sample, or that of a new custom column.

    Notes
    -----
    That is done after a sample or a column was made, not with it: of two people who do so at the
    same moment, the later one then sees both.
    """
    defaults = {f"{kind}_value": f"default_{kind}" for kind in KINDS}
    pairs = database.sample.Sample.proj() * database.project.CustomColumn.proj(**defaults) & of
    table = database.sample.SampleValue()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return table.insert(pairs - (table & of).proj())
        except DuplicateError:  # somebody else fills, just now
            if attempt == ATTEMPTS:
                raise


def custom_columns(database: Database) -> dict[str, Key]:
    """Return the rows of the custom columns by label, in the order in which tables show them."""
    return {str(row["label"]): row for row in labelled_rows(database, CUSTOM_COLUMN)}


def typed_values(database: Database, values: Mapping[str, Any]) -> dict[int, Key]:
    """Check values of custom columns.

    Parameters
    ----------
    database : Database
        The connected tables.
    values : mapping
        Values, or text that stands for them, by the label of the column.

    Returns
    -------
    dict
        The columns of a row of ``SampleValue`` by the number of the custom column.

    Raises
    ------
    ProjectError
        If there is no such column, or a value is not of its kind.
    """
    columns = custom_columns(database)
    found = {}
    for label, value in values.items():
        if label not in columns:
            there = ", ".join(columns) or "none yet"
            raise ProjectError(f"there is no custom column {label!r}; there are: {there}.")
        column = columns[label]
        row: Key = {f"{kind}_value": None for kind in KINDS}
        row[f"{column['kind']}_value"] = typed(label, column["kind"], value)
        found[int(column["custom_column_id"])] = row
    return found


def value_of(row: Mapping[str, Any], kind: str) -> Any:
    """Return the value that a row of ``SampleValue`` holds; None: nobody knows.

    Parameters
    ----------
    row : mapping
        With the four columns of values.
    kind : str
        Of the custom column.
    """
    value = row[f"{kind}_value"]
    return bool(value) if kind == "bool" and value is not None else value


def default_of(column: Mapping[str, Any]) -> Any:
    """Return the default of a row of ``CustomColumn``."""
    value = column[f"default_{column['kind']}"]
    return bool(value) if column["kind"] == "bool" and value is not None else value


def check_kind(kind: str) -> None:
    """Refuse what is no kind of values."""
    if kind not in KINDS:
        raise ProjectError(f"a custom column is of one of {', '.join(KINDS)}; got {kind!r}.")


def typed(label: str, kind: str, value: Any) -> Any:
    """Return a value as its column holds it, or refuse it.

    Parameters
    ----------
    label : str
        Of the column.
    kind : str
        One of `KINDS`.
    value : object
        A value, or text that stands for it; None, NaN and empty text: nobody knows.

    Raises
    ------
    ProjectError
        If it is not of the kind.

    Examples
    --------
    >>> typed("dose", "float", "0.5")
    0.5
    >>> typed("trained", "bool", "")
    """
    value = value.item() if hasattr(value, "item") else value  # a number of NumPy's
    value = value.strip() if isinstance(value, str) else value
    if value is None or value == "" or value != value:  # noqa: PLR0124 NaN is not itself
        return None
    words, convert = KINDS[kind]
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        raise ProjectError(f"{label!r} holds {words}; got {value!r}.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise ValueError
    return value


def _int(value: Any) -> int:
    number = int(_digits(value)) if isinstance(value, str) else value
    if isinstance(number, bool) or int(number) != number or abs(number) > LARGEST_INT:
        raise ValueError
    return int(number)


def _float(value: Any) -> float:
    number = float(_digits(value) if isinstance(value, str) else value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError
    return number


def _digits(text: str) -> str:
    if "_" in text:  # Python reads 1_0 as ten; people do not
        raise ValueError
    return text


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in TRUTH:
        raise ValueError
    return TRUTH[value.lower()]


KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "str": (f"text of at most {LONGEST_TEXT} letters in one line", _text),
    "int": ("whole numbers", _int),
    "float": ("numbers", _float),
    "bool": ("true or false", _bool),
}
"""What values of a kind are, in words, and how they are read."""
