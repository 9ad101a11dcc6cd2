"""Values that a program stored as a pickle, read without running anything that it says.

A pickle is a program for a small machine, and can call any function of Python. This machine knows
no function: what arrays, dates and paths of other programs are made of is taken down as data, and
all else is refused, or taken down as a `Record` of what would have been called. It is Python's own,
written in Python, because the compiled one reserves whatever memory a file asks for.
"""

import io
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

PLAIN_TYPE = re.compile(
    r"[<>|=]?(?:[?bBhHiIlLqQefdgFDG]|[biuf](?:1|2|4|8|16)|c(?:8|16)|[SUaO]\d{0,9})"
)
"""Types of numbers, text and objects; none with fields."""

MOST_NODES = 20_000_000
DEEPEST = 64
NUMPY_CORES = ("numpy.core", "numpy._core")
REFUSED = ("INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID") + (
    "NEXT_BUFFER",
    "READONLY_BUFFER",
)
"""Instructions that no array needs."""


class Record(NamedTuple):
    """An object that was not made: what it would have been made of."""

    name: str
    """Of its class or function, with the module."""

    arguments: list[Any]
    """What that would have been called with."""

    state: Any
    """What the object would have been filled with; None: nothing."""


class _Made:
    """Stands for any other object."""

    def __init__(self, name: str, arguments: tuple[object, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None

    def __call__(self, *arguments: object) -> "_Made":
        return _Made(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def extend(self, _: object) -> None:
        """Leave out what lies in a list of a kind of its own."""

    def __setitem__(self, _: object, __: object) -> None:
        """Leave out what lies in a dict of a kind of its own."""


class _Type:
    """Stands for `numpy.dtype`: remembers what it is called."""

    def __init__(self, name: object = None, *_: object) -> None:
        if not (isinstance(name, str) and PLAIN_TYPE.fullmatch(name)):
            raise pickle.UnpicklingError(f"a data type {str(name)[:40]!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: object) -> None:
        parts = state if isinstance(state, tuple) else ()
        if parts[1:2] not in (("<",), (">",), ("|",), ("=",)) or any(parts[2:5]):
            raise pickle.UnpicklingError("a data type with fields")
        self.dtype = self.dtype.newbyteorder(parts[1])


class _Array:
    """Stands for `numpy.ndarray`: takes its values as bytes or, of objects, as a list."""

    value: NDArray[Any] | None = None

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):  # noqa: PLR2004 as NumPy writes it
            raise pickle.UnpicklingError("an array of an unknown kind")
        _, shape, kind, by_columns, values = state
        lengths = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
        if not (lengths and isinstance(kind, _Type)):
            raise pickle.UnpicklingError("an array without a shape")
        order: Any = "F" if by_columns else "C"
        self.value = _values(values, kind.dtype).reshape(shape, order=order)


def _values(values: object, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values of an array in the order in which they are stored."""
    if dtype.hasobject and isinstance(values, list):
        array = np.empty(len(values), object)
        array[:] = values
        return array
    if dtype.hasobject or not isinstance(values, bytes):
        raise pickle.UnpicklingError("an array without values")
    return np.frombuffer(values, dtype).copy()


class _Ndarray:
    """What `numpy.ndarray` is called in `_reconstruct`."""


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _from_buffer(
    values: object = None, kind: object = None, shape: object = (), order: object = "C", *_: object
) -> _Array:
    """Stand for an array of numbers that lies in the file as it is."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", values))
    return array


def _scalar(kind: object = None, value: object = None) -> Any:
    if not (isinstance(kind, _Type) and isinstance(value, bytes)):
        raise pickle.UnpicklingError("a number of an unknown type")
    return np.frombuffer(value, kind.dtype, count=1)[0]


def _encode(text: object = "", coding: object = "latin1") -> bytes:
    if not (isinstance(text, str) and coding == "latin1"):
        raise pickle.UnpicklingError(f"text in {str(coding)[:40]!r}")
    return text.encode("latin1")


def _words(*parts: object) -> str:
    """Stand for a date or a path: the words that it is made of."""
    return "/".join(str(part) for part in parts if isinstance(part, str | int))


ALLOWED: dict[tuple[str, str], Callable[..., Any] | type] = {
    **{(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in NUMPY_CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in NUMPY_CORES},
    **{(f"{core}.numeric", "_frombuffer"): _from_buffer for core in NUMPY_CORES},
    ("numpy", "ndarray"): _Ndarray,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): dict,
    **{("datetime", name): _words for name in ("datetime", "date", "timezone", "timedelta")},
    **{("pathlib", name): _words for name in ("PosixPath", "WindowsPath", "Path")},
    **{("pathlib._local", name): _words for name in ("PosixPath", "WindowsPath", "Path")},
}
"""What each name stands for; no other name means anything."""


class _Machine(pickle._Unpickler):
    """A pickle machine that knows data alone."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        code: step
        for code, step in pickle._Unpickler.dispatch.items()
        if code not in {getattr(pickle, name)[0] for name in REFUSED}
    }

    def __init__(self, file: io.BytesIO, *, records: bool) -> None:
        super().__init__(file)
        self.records = records

    def _new_object(self) -> None:
        """Take down an object of a class that is not known."""
        machine: Any = self
        arguments = machine.stack.pop()
        kind = machine.stack.pop()
        if not (isinstance(kind, _Made) and isinstance(arguments, tuple)):
            raise pickle.UnpicklingError("an object of a class")
        machine.append(kind(*arguments))

    dispatch[pickle.NEWOBJ[0]] = _new_object

    def _bytes_that_change(self) -> None:
        """Read no more than there is, whatever length the file claims."""
        machine: Any = self
        (length,) = struct.unpack("<Q", machine.read(8))
        values = machine.read(length)
        if len(values) != length:
            raise pickle.UnpicklingError("bytes that are cut off")
        machine.append(values)

    dispatch[pickle.BYTEARRAY8[0]] = _bytes_that_change

    def _build(self) -> None:
        """Give a state to what takes one, and to nothing else: not to a class or a function."""
        machine: Any = self  # the types of Python's library do not tell what is in a machine
        if not isinstance(machine.stack[-2], _Type | _Array | _Made):
            raise pickle.UnpicklingError("a state of what has none")
        machine.load_build()

    dispatch[pickle.BUILD[0]] = _build

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name, or refuse it."""
        full = f"{module}.{name}"[:80]
        if (module, name) not in ALLOWED and not self.records:
            raise pickle.UnpicklingError(full)
        return ALLOWED.get((module, name)) or _Made(full)


def read_pickle(data: bytes, name: str, *, records: bool = False) -> Any:
    """Return the plain values of a pickle: arrays, numbers, text, lists, dicts.

    Parameters
    ----------
    data : bytes
        The pickle.
    name : str
        Of its file, for messages.
    records : bool
        Return a `Record` in place of each object that is no plain value; otherwise a file with
        such is refused.

    Returns
    -------
    object
        Dates and paths are text, tuples and sets are lists.

    Raises
    ------
    ValueError
        If it is damaged, or holds anything but data.

    Examples
    --------
    >>> read_pickle(pickle.dumps({"fs": 30.0, "made": range(3)}), "ops.npy", records=True)
    {'fs': 30.0, 'made': Record(name='builtins.range', arguments=[0, 3, 1], state=None)}
    """
    try:
        return _plain(_Machine(io.BytesIO(data), records=records).load())
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{name} is damaged, or would run a program when it is opened ({error}); it was not "
            "opened. Write it again with the program that made it."
        ) from None
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        unknown = isinstance(error, KeyError)  # the machine looks instructions up by their number
        reason = "an instruction that no array needs" if unknown else str(error)[:100] or "cut off"
        raise ValueError(f"{name} is damaged ({reason}); copy or write it again.") from None


def _plain(loaded: Any) -> Any:
    """Return what was taken down as the values that it stands for; each object once."""
    done: dict[int, Any] = {}
    nodes = 0

    def plain(value: Any, depth: int) -> Any:
        nonlocal nodes
        if isinstance(value, str | bytes | int | float | complex | np.generic) or value is None:
            return value
        found = done.get(id(value), _Array)
        if found is not _Array:
            return found
        nodes += 1
        if depth > DEEPEST or nodes > MOST_NODES or id(value) in done:
            raise pickle.UnpicklingError("values in values without an end")
        done[id(value)] = _Array  # until it is known: whoever meets it meanwhile is inside of it
        done[id(value)] = result = _unwrapped(value, lambda part: plain(part, depth + 1))
        return result

    return plain(loaded, 0)


def _unwrapped(value: Any, plain: Callable[[Any], Any]) -> Any:
    """Return one value, its parts made plain."""
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array without values")
        if value.value.dtype.hasobject:
            flat = np.empty(value.value.size, object)
            flat[:] = [plain(part) for part in value.value.ravel()]
            return flat.reshape(value.value.shape)
        return value.value
    if isinstance(value, _Made):
        return Record(value.name, [plain(part) for part in value.arguments], plain(value.state))
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    raise pickle.UnpicklingError(f"a {type(value).__name__}")
