"""Values that a program stored as a pickle, read without running anything that it says.

A pickle is a program for a small machine, and can call any function of Python. This machine knows
no function: what arrays, dates and paths of other programs are made of is taken down as data, and
all else is refused. It is Python's own, written in Python, because the compiled one reserves
whatever memory a file asks for.
"""

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

PLAIN_TYPE = re.compile(
    r"[<>|=]?(?:[?bBhHiIlLqQefdgFDG]|[biuf](?:1|2|4|8|16)|c(?:8|16)|[SUaO]\d{0,9})"
)
"""Types of numbers, text and objects; none with fields."""

MOST_NODES = 20_000_000
DEEPEST = 64
NUMPY_CORES = ("numpy.core", "numpy._core")
REFUSED = (
    "INST",
    "OBJ",
    "NEWOBJ",
    "NEWOBJ_EX",
    "EXT1",
    "EXT2",
    "EXT4",
    "PERSID",
    "BINPERSID",
    "BYTEARRAY8",
    "NEXT_BUFFER",
    "READONLY_BUFFER",
)
"""Instructions that no array needs."""


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

    def _build(self) -> None:
        """Give a state to what takes one, and to nothing else: not to a class or a function."""
        machine: Any = self  # the types of Python's library do not tell what is in a machine
        if not isinstance(machine.stack[-2], _Type | _Array):
            raise pickle.UnpicklingError("a state of what has none")
        machine.load_build()

    dispatch[pickle.BUILD[0]] = _build

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name, or refuse it."""
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name}"[:80]) from None


def read_pickle(data: bytes, name: str) -> Any:
    """Return the plain values of a pickle: arrays, numbers, text, lists, dicts.

    Parameters
    ----------
    data : bytes
        The pickle.
    name : str
        Of its file, for messages.

    Returns
    -------
    object
        Dates and paths are text.

    Raises
    ------
    ValueError
        If it is damaged, or holds anything but data.
    """
    try:
        return _plain(_Machine(io.BytesIO(data)).load())
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
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    raise pickle.UnpicklingError(f"a {type(value).__name__}")


def read_npy(path: Path) -> Any:
    """Read what ``numpy.save`` wrote, also where it is objects.

    Parameters
    ----------
    path : Path
        A file ``.npy``.

    Returns
    -------
    array or object
        Of an array of objects without axes, the object.

    Raises
    ------
    ValueError
        If there is no such file, or it is damaged, or holds anything but data.
    """
    try:
        with path.open("rb") as file:
            return _read_array(file, path.name)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _read_array(file: Any, name: str) -> Any:
    """Read an array whose numbers lie in the file as they are, or the pickle in their place."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_columns, dtype = read_header(file)
    except (ValueError, KeyError, EOFError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"{name} is not a whole file of numpy.save ({str(error)[:80]}); copy it again."
        ) from None
    body = file.read()
    if dtype.hasobject:
        found = read_pickle(body, name)
        return found.item() if isinstance(found, np.ndarray) and found.shape == () else found
    count = int(np.prod(shape, dtype=object))
    if dtype.itemsize == 0 or count * dtype.itemsize != len(body):
        raise ValueError(
            f"{name} must hold {count} values of {dtype.itemsize} bytes; got {len(body)} bytes. "
            "The file is cut off or damaged; copy it again."
        )
    return np.frombuffer(body, dtype).reshape(shape, order="F" if by_columns else "C")
