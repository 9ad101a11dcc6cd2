r"""Regular expressions that mean the same in Python, in MySQL and in PostgreSQL.

Each of the three has a dialect of its own. What is common to all is read here, and written anew
for each: letters, ``.``, sets as ``[a-c]``, ``\d \w \s``, ``^ $``, groups, ``|``, and how often:
``* + ? {2,5}``.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Dialect = Literal["python", "mysql", "postgresql"]
ENDS: dict[Dialect, tuple[str, str]] = {
    "python": (r"\A", r"\Z"),
    "mysql": (r"\A", r"\z"),
    "postgresql": (r"\A", r"\Z"),
}
"""How the begin and the end of a text are written."""

CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f\v"}
TIMES = re.compile(r"[*+?]|\{([0-9]{1,3})(,([0-9]{0,3}))?\}")
MOST_TIMES = 255
TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<one>[^\\])", re.DOTALL
)


Piece = Literal["atom", "begin", "end", "times", "open", "close", "or"]
SIGNS: dict[str, Piece] = {"^": "begin", "$": "end", "(": "open", ")": "close", "|": "or"}


class PatternError(ValueError):
    """A regular expression cannot be read."""

    def __init__(self, sentence: str, place: int) -> None:
        super().__init__(sentence)
        self.place = place
        """Where in it, counted from 0."""


class Part(NamedTuple):
    """A piece of a regular expression."""

    kind: Piece
    """What it is."""

    text: str
    """How every dialect writes it, but for ``begin`` and ``end``."""

    place: int
    """Where it was."""


def write_pattern(pattern: str, dialect: Dialect) -> str:
    r"""Write a regular expression in a dialect.

    Parameters
    ----------
    pattern : str
        Of what is common to all.
    dialect : str
        ``python``, ``mysql`` or ``postgresql``.

    Returns
    -------
    str
        What finds the same texts everywhere; upper and lower case differ, a dot is no line break.

    Raises
    ------
    PatternError
        If it cannot be read.

    Examples
    --------
    >>> write_pattern("^p.*[0-9]$", "python")
    '\\Ap[^\\n]*[0-9]\\Z'
    """
    parts = list(_parts(pattern))
    _check(parts, len(pattern))
    begin, end = ENDS[dialect]
    written = {"begin": begin, "end": end, "open": "(?:"}
    return "".join(written.get(part.kind, part.text) for part in parts)


def _parts(pattern: str) -> Iterator[Part]:
    """Yield the pieces of a pattern."""
    place = 0
    while place < len(pattern):
        times = TIMES.match(pattern, place)
        if times:
            yield Part("times", _checked_times(times), place)
            place = times.end()
            continue
        found = TOKEN.match(pattern, place)
        if found is None:
            raise PatternError("nothing follows the backslash", place)
        yield _part(found, place)
        place = found.end()


def _part(found: re.Match[str], place: int) -> Part:
    """Return the piece that was found at a place."""
    if found["escaped"]:
        return Part("atom", _escaped(found["escaped"], place), place)
    if found["set"]:
        return Part("atom", _set(found["set"], place), place)
    letter = found["one"]
    if letter == "[":
        raise PatternError("the bracket [ is never closed", place)
    if letter == ".":
        return Part("atom", r"[^\n]", place)
    kind = SIGNS.get(letter, "atom")
    return Part(kind, _literal(letter) if kind == "atom" else letter, place)


def _escaped(letter: str, place: int) -> str:
    r"""Return what a letter after a backslash stands for."""
    if letter.lower() in CLASSES:
        negated = "^" if letter.isupper() else ""
        return f"[{negated}{CLASSES[letter.lower()]}]"
    if letter.isalnum():
        known = ", ".join(f"\\{name}" for name in "dwsDWS")
        raise PatternError(f"\\{letter} is not known here; known are {known}", place)
    return _literal(letter)


def _set(text: str, place: int) -> str:
    """Return a set of letters as every dialect reads it."""
    negated = "^" if text.startswith("[^") else ""
    inside = text[1 + len(negated) : -1]
    letters, at = "", 0
    while at < len(inside):
        found = TOKEN.match(inside, at)
        escaped = found["escaped"] if found else None
        if escaped and escaped in CLASSES:
            letters, at = letters + CLASSES[escaped], at + 2
            continue
        if escaped and escaped.isalnum():
            raise PatternError(f"\\{escaped} is not known in brackets", place)
        first, at = _letter(inside, at)
        if inside[at : at + 1] == "-" and at + 1 < len(inside):
            last, at = _letter(inside, at + 1)
            if last < first:
                raise PatternError(f"{first}-{last} is no range: it ends before it begins", place)
            letters += f"{_literal(first)}-{_literal(last)}"
        else:
            letters += _literal(first)
    if not letters:
        raise PatternError("the brackets [] are empty", place)
    return f"[{negated}{letters}]"


def _letter(text: str, at: int) -> tuple[str, int]:
    """Return a letter of a set, which a backslash may precede, and the place after it."""
    return (text[at + 1], at + 2) if text[at] == "\\" else (text[at], at + 1)


def _literal(letter: str) -> str:
    """Write a letter that stands for itself."""
    plain = letter.isalnum() or letter in "_ " or not letter.isascii()
    return letter if plain else f"\\{letter}" if letter.isprintable() else f"\\u{ord(letter):04x}"


def _checked_times(found: re.Match[str]) -> str:
    """Return how often something may come, or refuse it."""
    low, high = found[1], found[3]
    if max(int(low or 0), int(high or 0)) > MOST_TIMES or (high and int(high) < int(low)):
        raise PatternError(f"{found[0]} cannot be: at most {{0,{MOST_TIMES}}}", found.start())
    return found[0]


def _check(parts: list[Part], length: int) -> None:
    """Refuse groups that are not closed, empty ones, and a number of times of nothing."""
    opened: list[Part] = []
    before = "open"
    for part in [*parts, Part("or", "|", length)]:
        if part.kind == "times" and before not in ("atom", "close"):
            raise PatternError(
                f"{part.text} has nothing before it that could be repeated; "
                f"for the sign itself, write \\{part.text[0]}",
                part.place,
            )
        if part.kind in ("close", "or") and before in ("open", "or"):
            raise PatternError("one side is empty here", part.place)
        if part.kind == "open":
            opened.append(part)
        elif part.kind == "close" and not opened:
            raise PatternError("this bracket ) was never opened", part.place)
        elif part.kind == "close":
            opened.pop()
        before = part.kind
    if opened:
        raise PatternError("this bracket ( is never closed", opened[-1].place)
