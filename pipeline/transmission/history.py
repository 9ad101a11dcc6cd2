"""Where values come from: operations, their parameters and versions, as a graph of blocks."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pipeline.versions import software_versions

KEY_DIGITS = 32


def content_key(
    operation: str, version: int, parameters: Mapping[str, Any], inputs: Iterable[str]
) -> str:
    """Return 32 hexadecimal digits that stand for what an operation made of its inputs.

    Parameters
    ----------
    operation : str
        Its name.
    version : int
        Of the function; another one means other results.
    parameters : mapping
        JSON values.
    inputs : iterable of str
        The keys of what it worked on, in order.
    """
    text = json.dumps([operation, version, parameters, list(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows with a common past, named by the last operation that they went through."""

    operation: str
    """Name of the operation."""

    parameters: dict[str, Any]
    """All that defines its result, as JSON values."""

    inputs: tuple[str, ...] = ()
    """Keys of the blocks that it worked on; the first is where the rows come from."""

    version: int = 1
    """Of the function."""

    software: dict[str, str] = field(default_factory=dict)
    """Versions of the packages by name; not part of the key."""

    time: str = ""
    """When, as ISO 8601 in UTC; not part of the key."""

    notes: dict[str, Any] = field(default_factory=dict)
    """What came to light, as how many rows could not be computed; not part of the key."""

    @property
    def key(self) -> str:
        """Stands for the content: equal for equal operations on equal inputs."""
        return content_key(self.operation, self.version, self.parameters, self.inputs)


def make_block(
    operation: str,
    parameters: Mapping[str, Any],
    inputs: Iterable[str] = (),
    *,
    version: int = 1,
    notes: Mapping[str, Any] | None = None,
) -> Block:
    """Return a block that was made now, by the software that runs.

    Parameters
    ----------
    operation : str
        Its name.
    parameters : mapping
        JSON values; arrays are refused.
    inputs : iterable of str
        Keys of the blocks that it worked on.
    version : int
        Of the function.
    notes : mapping
        What came to light.
    """
    try:
        plain = json.loads(json.dumps(dict(parameters), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"parameters of {operation} must be text, numbers, lists or dicts: {error}."
        ) from error
    return Block(
        operation=operation,
        parameters=plain,
        inputs=tuple(inputs),
        version=version,
        software=dict(_software()),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=dict(notes or {}),
    )


@cache
def _software() -> dict[str, str]:
    """Return the versions, looked up once."""
    return software_versions()


@dataclass(frozen=True)
class HistoryTrace:
    """A graph of blocks without circles; each knows those that it was made of."""

    blocks: Mapping[str, Block] = field(default_factory=dict)
    """Blocks by key, each after those that it was made of."""

    def add(self, *blocks: Block) -> "HistoryTrace":
        """Return the history with more blocks.

        Raises
        ------
        ValueError
            If a block was made of one that is not there.
        """
        known = dict(self.blocks)
        for block in blocks:
            missing = [key for key in block.inputs if key not in known]
            if missing:
                raise ValueError(
                    f"{block.operation} was made of block {missing[0]}, which is not known."
                )
            known.setdefault(block.key, block)
        return HistoryTrace(known)

    def merge(self, *others: "HistoryTrace") -> "HistoryTrace":
        """Return one history with the blocks of all."""
        known = dict(self.blocks)
        for other in others:
            for key, block in other.blocks.items():
                known.setdefault(key, block)
        return HistoryTrace(known)

    def block(self, key: str) -> Block:
        """Return the block of a key.

        Raises
        ------
        KeyError
            If there is none.
        """
        if key not in self.blocks:
            raise KeyError(f"there is no block {key!r}; there are {len(self.blocks)} others.")
        return self.blocks[key]

    def line(self, key: str) -> list[Block]:
        """Return the operations that rows of a block went through, the first one first.

        Parameters
        ----------
        key : str
            Of the block.
        """
        found = [self.block(key)]
        while found[-1].inputs:
            found.append(self.block(found[-1].inputs[0]))
        return found[::-1]

    def ancestors(self, keys: Iterable[str]) -> "HistoryTrace":
        """Return the part of the graph that some blocks were made of, themselves included.

        Parameters
        ----------
        keys : iterable of str
            Of the blocks.
        """
        wanted, waiting = set(), list(keys)
        while waiting:
            key = waiting.pop()
            if key not in wanted:
                wanted.add(key)
                waiting += self.block(key).inputs
        return HistoryTrace({key: block for key, block in self.blocks.items() if key in wanted})

    def operations(self, key: str) -> list[str]:
        """Return the names of the operations of `line`."""
        return [block.operation for block in self.line(key)]

    def has_operation(self, key: str, operation: str) -> bool:
        """Return whether rows of a block went through an operation."""
        return operation in self.operations(key)

    def parameters(self, key: str, operation: str) -> dict[str, Any]:
        """Return the parameters of the latest operation of a name.

        Parameters
        ----------
        key : str
            Of the block whose rows went through it.
        operation : str
            Its name.

        Raises
        ------
        KeyError
            If the rows did not go through it.
        """
        for block in reversed(self.line(key)):
            if block.operation == operation:
                return dict(block.parameters)
        done = ", ".join(self.operations(key))
        raise KeyError(f"these rows did not go through {operation!r}; they went through: {done}.")

    def to_json(self) -> str:
        """Return the history as text."""
        return json.dumps({key: asdict(block) for key, block in self.blocks.items()})

    @classmethod
    def from_json(cls, text: str) -> "HistoryTrace":
        """Return the history that a text holds.

        Parameters
        ----------
        text : str
            From `to_json`.

        Raises
        ------
        ValueError
            If a block is not what its key says: the text was changed or damaged.
        """
        history = cls()
        for key, values in json.loads(text).items():
            block = Block(**{**values, "inputs": tuple(values["inputs"])})
            if block.key != key:
                raise ValueError(
                    f"the history was changed: block {key} ({block.operation}) is not what its key "
                    "says. Take an unchanged copy of the file."
                )
            history = history.add(block)
        return history
