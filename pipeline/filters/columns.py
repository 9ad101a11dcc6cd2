"""The columns that a filter may name, and what can be asked of each kind."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.filters.tree import Kind, Operator

KINDS: Mapping[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "flag": "yes or no",
    "date": "a day",
    "list": "a list of texts",
}
_ORDER: tuple[Operator, ...] = ("equals", "above", "below", "at least", "at most", "missing")
_WORDS: tuple[Operator, ...] = ("contains", "equals", "matches", "missing")
ALLOWED: Mapping[Kind, tuple[Operator, ...]] = {
    "text": _WORDS,
    "list": _WORDS,
    "number": _ORDER,
    "date": _ORDER,
    "flag": ("equals", "missing"),
}
"""What can be asked of a column; the first is meant where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that can be filtered."""

    name: str
    """In full; the part after its first dot suffices where no other column ends in it."""

    kind: Kind
    """What it holds."""

    help: str = ""
    """What it means, in some words, with the unit."""


class Columns:
    """The columns of a table, found by what people call them."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.by_name = {column.name: column for column in columns}
        """The columns by their full names, in the order of the table."""

    def find(self, name: str) -> Column:
        """Return a column by its full name or, where it is of one alone, by its short one.

        Raises
        ------
        ValueError
            If there is none, or several.
        """
        if name in self.by_name:
            return self.by_name[name]
        found = [full for full in self.by_name if short_name(full) == name]
        if len(found) > 1:
            raise ValueError(f"there are several columns {name!r}; write {' or '.join(found)}")
        if not found:
            raise ValueError(f"there is no column {name!r}{self._meant(name)}")
        return self.by_name[found[0]]

    def _meant(self, name: str) -> str:
        """Return what somebody may have meant, or what there is."""
        names = {short_name(full) for full in self.by_name} | set(self.by_name)
        near = difflib.get_close_matches(name, sorted(names), n=3)
        if near:
            return f"; did you mean {' or '.join(near)}?"
        return f"; there are: {', '.join(self.by_name)}"


def short_name(name: str) -> str:
    """Return the name of a column without what it belongs to.

    Parameters
    ----------
    name : str
        The full name.

    Examples
    --------
    >>> short_name("tag.cell type")
    'cell type'
    """
    return name.partition(".")[2] or name
