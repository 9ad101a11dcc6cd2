"""Zarr folders, the form in which the store keeps corrected movies."""

from pathlib import Path
from typing import Any

import zarr

from pipeline.readers.datasets import choose_dataset, told_by_attributes
from pipeline.readers.json_values import json_values
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack
from pipeline.scaled import unscaled


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
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{path.name} is not a whole Zarr folder ({error}); copy or export it again."
        ) from error
    array: Any = choose_dataset(arrays, item, name=path.name)
    attributes = dict(array.attrs)
    return [
        Stack(
            name=path.name,
            array=unscaled(array),
            metadata={"origin": "Zarr", "orig_meta": json_values(attributes)},
            files=frozenset([path.resolve()]),
            **told_by_attributes(attributes),
        )
    ]


def _arrays(group: zarr.Group) -> dict[str, Any]:
    """Return every array of a group by its path."""
    members = sorted(group.members(max_depth=None))
    return {path: node for path, node in members if isinstance(node, zarr.Array)}
