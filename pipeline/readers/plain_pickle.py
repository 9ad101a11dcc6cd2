"""Settings that a program kept as a Python pickle, read without ever running it.

A pickle is a program that makes objects. This interpreter knows the instructions that make plain
values (numbers, text, lists, dicts) and single numbers of NumPy; what any other one would make is
`OPAQUE`. It imports nothing and calls nothing that the file names.
"""

import pickletools
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MAX_BYTES = 1 << 28
ARRAY = "array"
SCALARS = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")


class Named(NamedTuple):
    """A function or class that the file names; never looked up."""

    name: str
    """With its module."""


class Opaque(NamedTuple):
    """A value that is not plain."""

    dtype: str = ""
    """Of a NumPy type, its code; of an array that is still empty, ``array``."""


OPAQUE = Opaque()
MARK = object()


def read_plain(data: bytes, name: str) -> Any:
    """Return what a pickle holds, as far as it is plain.

    Parameters
    ----------
    data : bytes
        The pickle.
    name : str
        The file, for messages.

    Returns
    -------
    object
        Numbers, text, bytes, lists, tuples and dicts; `Named` in place of a function or class,
        `Opaque` in place of all else.

    Raises
    ------
    ValueError
        If it is no whole pickle, or too large for settings.

    Examples
    --------
    >>> import pickle
    >>> read_plain(pickle.dumps({"fs": 30.0, "made": range(3)}), "ops")
    {'fs': 30.0, 'made': Opaque(dtype='')}
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"{name} has {len(data) / 1e6:.0f} MB, too many for settings.")
    machine = _Machine()
    try:
        for instruction, argument, _ in pickletools.genops(data):
            machine.run(instruction.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(
            f"{name} is not a whole file of settings ({error}); copy it again."
        ) from error
    return machine.stack[-1]


class _Machine:
    """The stack and the memory of a pickle that is read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        """Do what an instruction says, as far as that makes plain values."""
        if name in VALUES:
            self.stack.append(VALUES[name](argument))
        elif name in ACTIONS:
            ACTIONS[name](self, argument)
        elif name not in IGNORED:
            raise ValueError(f"it holds {name.lower()}")

    def pop_marked(self) -> list[Any]:
        """Take off all that stands above the last mark."""
        place = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def pop(self, n: int) -> list[Any]:
        """Take off the last values."""
        if len(self.stack) < n:
            raise ValueError("it ends too early")
        values = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return values


def _setitems(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, dict):
        keys = [key if isinstance(key, str | int | bytes) else str(key) for key in values[::2]]
        target.update(zip(keys, values[1::2], strict=True))


def _appends(machine: _Machine, values: list[Any]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(values)


def _reduce(machine: _Machine, _: Any) -> None:
    """Stand for a call: a single number of NumPy is read, anything else is opaque."""
    function, arguments = machine.pop(2)
    name = function.name if isinstance(function, Named) else ""
    machine.stack.append(_made(name, arguments))


def _made(name: str, arguments: Any) -> Any:
    if not isinstance(arguments, tuple) or not arguments:
        return OPAQUE
    if name == "numpy dtype" and isinstance(arguments[0], str):
        return Opaque(arguments[0])
    if name.startswith("numpy") and name.endswith("multiarray _reconstruct"):
        return Opaque(ARRAY)
    if name.startswith("numpy") and name.endswith("multiarray scalar"):
        return _scalar(*arguments[:2])
    return OPAQUE


def _scalar(dtype: Any = None, data: Any = None, *_: Any) -> Any:
    """Return a single number from its bytes."""
    code = dtype.dtype if isinstance(dtype, Opaque) else ""
    if code not in SCALARS or not isinstance(data, bytes) or len(data) != int(code[1]):
        return OPAQUE
    return np.frombuffer(data, f"<{code}")[0].item()


def _build(machine: _Machine, _: Any) -> None:
    """Stand for filling an object: an array of objects becomes their list, or the only one."""
    made, state = machine.pop(2)
    if isinstance(made, Opaque) and isinstance(state, tuple) and len(state) > len("abc"):
        if made.dtype == ARRAY and isinstance(state[-1], list):
            made = state[-1] if state[1] else state[-1][0]
        elif made.dtype != ARRAY and state[1] == ">":
            made = OPAQUE
    machine.stack.append(made)


def _drop(machine: _Machine, _: Any) -> None:
    machine.pop(1)


def _get(machine: _Machine, place: Any) -> None:
    machine.stack.append(machine.memory[int(place)])


def _put(machine: _Machine, place: Any) -> None:
    machine.memory[len(machine.memory) if place is None else int(place)] = machine.stack[-1]


def _tuple(n: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(tuple(machine.pop(n)))


def _named(machine: _Machine, _: Any) -> None:
    machine.stack.append(Named(" ".join(map(str, machine.pop(2)))))


def _opaque(machine: _Machine, _: Any) -> None:
    machine.pop(2)
    machine.stack.append(OPAQUE)


VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
        + ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE")
        + ("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        lambda argument: argument,
    ),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_SET": lambda _: OPAQUE,
    "MARK": lambda _: MARK,
    "GLOBAL": Named,
}

ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "SETITEM": lambda machine, _: _setitems(machine, machine.pop(2)),
    "SETITEMS": lambda machine, _: _setitems(machine, machine.pop_marked()),
    "APPEND": lambda machine, _: _appends(machine, machine.pop(1)),
    "APPENDS": lambda machine, _: _appends(machine, machine.pop_marked()),
    "ADDITEMS": lambda machine, _: machine.pop_marked().clear(),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "DICT": lambda machine, _: machine.stack.append(_pairs(machine.pop_marked())),
    "LIST": lambda machine, _: machine.stack.append(machine.pop_marked()),
    "STACK_GLOBAL": _named,
    "REDUCE": _reduce,
    "NEWOBJ": _opaque,
    "BUILD": _build,
    "POP": _drop,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
}

IGNORED = ("PROTO", "FRAME", "STOP")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return {str(key): value for key, value in zip(values[::2], values[1::2], strict=True)}
