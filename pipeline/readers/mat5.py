"""MATLAB files of level 5 (versions 5 to 7): which variables they hold, and small ones whole.

Elements have a type, a length and content, aligned to 8 bytes; variables may be zlib streams
("MAT-File Format", MathWorks, chapter 1).
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.inflate import Inflated

HEADER_BYTES = 128
ALIGNED = 8
MATRIX, COMPRESSED = 14, 15
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
    16: "u1",
    17: "u2",
    18: "u4",
}
"""Types of elements that are numbers or characters."""
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)
KINDS = range(1, 16)
"""Classes of variables; others are objects and functions."""
MAX_DEPTH = 24
MAX_BYTES = 1 << 26
HEAD_BYTES = 512


class Variable(NamedTuple):
    """A variable of the file."""

    name: str
    """What MATLAB calls it."""

    kind: int
    """Its class."""

    shape: tuple[int, ...]
    """Length of each axis; the first runs fastest."""

    order: str
    """Byte order of the file, ``<`` or ``>``."""

    content: Inflated | Path
    """Its element, packed or in the file as it is."""

    start: int
    """Where the element begins in the content."""

    n_bytes: int
    """Length of the element without its tag."""

    def read(self, offset: int, n_bytes: int) -> bytes:
        """Return bytes of the element.

        Parameters
        ----------
        offset : int
            From the end of its tag.
        n_bytes : int
            How many; fewer at its end.
        """
        n_bytes = max(0, min(n_bytes, self.n_bytes - offset))
        if isinstance(self.content, Inflated):
            return bytes(self.content.read(self.start + offset, n_bytes))
        with self.content.open("rb") as file:
            file.seek(self.start + offset)
            return file.read(n_bytes)


class Pixels(NamedTuple):
    """Where the numbers of a variable stand."""

    dtype: np.dtype[Any]
    """As they are stored."""

    offset: int
    """Bytes of the element before them."""


def read_variables(path: Path) -> dict[str, Variable]:
    """Return the variables of a file by their names.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If it is no MATLAB file of level 5, or cut short or damaged.
    """
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128], "")
        if len(header) < HEADER_BYTES or not order:
            raise ValueError(damaged(path, "it does not begin as one"))
        found = {}
        place = HEADER_BYTES
        while place + ALIGNED <= n_bytes:
            file.seek(place)
            kind, length = struct.unpack(f"{order}II", file.read(ALIGNED))
            if kind not in (MATRIX, COMPRESSED) or place + ALIGNED + length > n_bytes:
                raise ValueError(damaged(path, f"it ends or breaks off after {place} bytes"))
            variable = _variable(path, place + ALIGNED, length, order, packed=kind == COMPRESSED)
            found[variable.name] = variable
            place += ALIGNED + length
    return found


def damaged(path: Path, reason: str) -> str:
    """Return the sentence for a file that is not whole.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        What is wrong.
    """
    return f"{path.name} is not a whole MATLAB file ({reason}); copy or export it again."


def _variable(path: Path, start: int, n_bytes: int, order: str, *, packed: bool) -> Variable:
    """Read the head of a variable."""
    content = Inflated(path, start, n_bytes) if packed else path
    if isinstance(content, Inflated):
        kind, n_bytes = struct.unpack(f"{order}II", content.read(0, ALIGNED))
        start = ALIGNED
        if kind != MATRIX:
            raise ValueError(damaged(path, "a packed variable is no array"))
    blank = Variable("", 0, (), order, content, start, n_bytes)
    try:
        flags, shape, name, _ = _head(blank.read(0, HEAD_BYTES), order)
    except (ValueError, struct.error, IndexError) as error:
        raise ValueError(damaged(path, f"a variable is damaged: {error}")) from error
    return blank._replace(name=name, kind=flags, shape=shape)


def _head(data: bytes, order: str) -> tuple[int, tuple[int, ...], str, int]:
    """Return class, shape and name of an array, and where its content begins."""
    place = 0
    fields = []
    for _ in range(3):
        kind, start, length, place = _element(data, place, order)
        fields.append(_numbers(data[start : start + length], kind, order))
        if len(fields) == 1 and int(fields[0][0]) & 0xFF not in KINDS:
            return 0, (0,), "", len(data)  # a function or an object has no shape
    flags, shape, name = fields
    lengths = tuple(int(n) for n in shape)
    if not lengths or min(lengths) < 0 or math.prod(lengths) >= 1 << 62:
        raise ValueError(f"it cannot have the shape {lengths}")
    return int(flags[0]) & 0xFF, lengths, bytes(name.astype(np.uint8)).decode("latin-1"), place


def _element(data: bytes, place: int, order: str) -> tuple[int, int, int, int]:
    """Return type, begin, length of an element and where the next begins."""
    kind, length = struct.unpack_from(f"{order}II", data, place)
    if kind >> 16:  # short elements have their content in the tag
        if kind >> 16 > ALIGNED // 2:
            raise ValueError("a short element is too long")
        return kind & 0xFFFF, place + ALIGNED // 2, kind >> 16, place + ALIGNED
    start = place + ALIGNED
    return kind, start, length, start + length + -length % ALIGNED


def _numbers(data: bytes, kind: int, order: str) -> NDArray[Any]:
    if kind not in NUMBERS:
        raise ValueError(f"an element of type {kind} stands where numbers should")
    return np.frombuffer(data, np.dtype(NUMBERS[kind]).newbyteorder(order))  # type: ignore[arg-type]


def find_pixels(variable: Variable, name: str) -> Pixels:
    """Return where the numbers of an array stand.

    Parameters
    ----------
    variable : Variable
        An array of numbers.
    name : str
        The file, for messages.

    Raises
    ------
    ValueError
        If it is no array of numbers, or has another size than it tells.
    """
    head = variable.read(0, HEAD_BYTES)
    where = f"the variable {variable.name} of {name}"
    try:
        _, _, _, place = _head(head, variable.order)
        kind, start, length, _ = _element(head, place, variable.order)
    except (ValueError, struct.error, IndexError) as error:
        raise ValueError(f"{where} is damaged ({error}); export the file again.") from error
    if variable.kind not in NUMERIC or kind not in NUMBERS:
        raise ValueError(f"{where} is not an array of numbers; choose another.")
    dtype = np.dtype(NUMBERS[kind]).newbyteorder(variable.order)  # type: ignore[arg-type]
    promised = math.prod(variable.shape) * dtype.itemsize
    if length != promised or start + length > variable.n_bytes:
        raise ValueError(
            f"{where} is damaged: {promised:,} bytes of shape {variable.shape} should be in it, "
            f"and there are {min(length, variable.n_bytes - start):,}; copy it again."
        )
    return Pixels(dtype, start)


def read_value(variable: Variable, name: str) -> Any:
    """Return a small variable: settings as nested dicts, lists, text and arrays.

    Parameters
    ----------
    variable : Variable
        Of any class; objects and functions become None.
    name : str
        The file, for messages.

    Returns
    -------
    dict, list, str, ndarray or None
        A struct is a dict, an array of structs a list of dicts, a cell array a list.

    Raises
    ------
    ValueError
        If it is damaged, too large for settings, or nested without end.
    """
    if variable.n_bytes > MAX_BYTES:
        raise ValueError(f"the settings {variable.name} in {name} are too large to be settings.")
    data = variable.read(0, variable.n_bytes)
    try:
        return _value(data, variable.order, MAX_DEPTH)
    except (ValueError, struct.error, IndexError, TypeError, OverflowError) as error:
        raise ValueError(
            f"the settings {variable.name} in {name} are damaged ({error}); copy the file again."
        ) from error


def _value(data: bytes, order: str, depth: int) -> Any:
    """Return the value of an array element."""
    if depth == 0:
        raise ValueError("they are nested without end")
    kind, shape, _, place = _head(data, order)
    if kind == STRUCT:
        return _structs(data, order, depth, place, math.prod(shape))
    if kind == CELL:
        return list(_arrays(data, order, depth, place, math.prod(shape)))
    if kind != CHAR and kind not in NUMERIC:
        return None
    number_type, start, length, _ = _element(data, place, order)
    numbers = _numbers(data[start : start + length], number_type, order)
    if kind == CHAR:
        return "".join(map(chr, numbers.tolist()))
    return numbers.reshape(shape, order="F")


def _structs(data: bytes, order: str, depth: int, place: int, n: int) -> Any:
    """Return a struct as a dict, several as a list."""
    kind, start, length, place = _element(data, place, order)
    width = int(_numbers(data[start : start + length], kind, order)[0])
    _, start, length, place = _element(data, place, order)
    raw = data[start : start + length]
    names = [
        raw[i : i + width].split(b"\0")[0].decode("latin-1") for i in range(0, len(raw), width)
    ]
    values = _arrays(data, order, depth, place, n * len(names))
    structs = [{name: next(values) for name in names} for _ in range(n if names else 0)]
    return structs[0] if n == 1 and structs else structs


def _arrays(data: bytes, order: str, depth: int, place: int, n: int) -> Iterator[Any]:
    """Yield the values of several array elements."""
    for _ in range(n):
        kind, start, length, place = _element(data, place, order)
        if kind != MATRIX or start + length > len(data):
            raise ValueError("an array is missing")
        yield _value(data[start : start + length], order, depth - 1) if length else None
