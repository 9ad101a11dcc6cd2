"""Zarr folders, the form in which the store keeps corrected movies."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.readers.datasets import choose_dataset, told_by_attributes
from pipeline.readers.json_values import json_values
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack
from pipeline.scaled import unscaled

MAX_REASON = 200


DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, OSError, MemoryError)
"""What the library raises on text and bytes that make no sense."""


class WholeArray:
    """An array of which damaged chunks are refused in one sentence."""

    def __init__(self, array: Any, name: str) -> None:
        """Wrap an open array of a folder."""
        self._array = array
        self._name = name
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.chunks: tuple[int, ...] | None = getattr(array, "chunks", None)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._array[index])
        except DAMAGE as error:
            raise ValueError(_damaged(self._name, error)) from error


@register_reader(".zarr")
def read_zarr(path: Path, item: str | None) -> list[Stack]:
    """Read a Zarr array, or the array of a Zarr group that holds the movie.

    Parameters
    ----------
    path : Path
        The folder.
    item : str or None
        Path of the array in the group, where several may be the movie.

    Returns
    -------
    list of Stack
        One.

    Raises
    ------
    ValueError
        If the folder is damaged, holds no movie, or the choice is not clear.
    """
    try:
        node = zarr.open(path, mode="r")
        arrays: dict[str, Any] = {"": node} if isinstance(node, zarr.Array) else _arrays(node)
    except DAMAGE as error:
        raise ValueError(_damaged(path.name, error)) from error
    array: Any = choose_dataset(arrays, item, name=path.name)
    attributes = dict(array.attrs)
    return [
        Stack(
            name=path.name,
            array=WholeArray(unscaled(array), path.name),
            metadata={"origin": "Zarr", "orig_meta": json_values(attributes)},
            files=frozenset([path.resolve()]),
            **told_by_attributes(attributes),
        )
    ]


def _damaged(name: str, error: BaseException) -> str:
    reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
    return f"{name} is not a whole Zarr folder ({reason}); copy or export it again."


def _arrays(group: zarr.Group) -> dict[str, Any]:
    """Return every array of a group by its path."""
    members = sorted(group.members(max_depth=None))
    return {path: node for path, node in members if isinstance(node, zarr.Array)}
