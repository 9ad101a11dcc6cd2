"""MATLAB files of version 7.3, which are HDF5: settings as nested dicts, lists, text and arrays."""

import math
from typing import Any

import h5py
import numpy as np

MAX_DEPTH = 24
MAX_BYTES = 1 << 26
MAX_VALUES = 100_000


def read_value(node: Any, file: h5py.File, depth: int = MAX_DEPTH) -> Any:
    """Return a small variable.

    Parameters
    ----------
    node : h5py.Group or h5py.Dataset
        The variable.
    file : h5py.File
        The open file, to follow references.
    depth : int
        Levels of nesting that are allowed.

    Returns
    -------
    dict, list, str, ndarray or None
        A struct is a dict, an array of structs a list of dicts, a cell array a list. Arrays have
        the axes of MATLAB.

    Raises
    ------
    ValueError
        If it is nested without end, or too large for settings.
    """
    if depth == 0:
        raise ValueError("its settings are nested without end")
    if isinstance(node, h5py.Group):
        return _struct(node, file, depth)
    if not isinstance(node, h5py.Dataset) or node.shape is None:
        return None
    if node.nbytes > MAX_BYTES or node.size > MAX_BYTES:
        raise ValueError(f"its settings {node.name} are too large to be settings")
    if "MATLAB_empty" in node.attrs:
        return np.empty(0)
    if node.dtype == h5py.ref_dtype:
        return [_followed(reference, file, depth) for reference in _references(node)]
    value = np.asarray(node[...]).T
    if node.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, value.ravel(order="F").astype(np.uint32).tolist()))
    return value


def _struct(group: h5py.Group, file: h5py.File, depth: int) -> Any:
    """Return a struct, or an array of structs: all its fields are then as many references."""
    fields = {
        key: group[key] for key in group if isinstance(group.get(key, getlink=True), h5py.HardLink)
    }
    n = {math.prod(node.shape) for node in fields.values() if _is_field_of_array(node)}
    if not fields or len(n) != 1 or not all(map(_is_field_of_array, fields.values())):
        return {key: read_value(node, file, depth - 1) for key, node in fields.items()}
    columns = {key: _references(node) for key, node in fields.items()}
    return [
        {key: _followed(column[i], file, depth) for key, column in columns.items()}
        for i in range(n.pop())
    ]


def _is_field_of_array(node: Any) -> bool:
    """Tell references that stand for the elements of an array of structs from a cell array."""
    return (
        isinstance(node, h5py.Dataset)
        and node.dtype == h5py.ref_dtype
        and "MATLAB_class" not in node.attrs
    )


def _references(node: h5py.Dataset) -> list[Any]:
    if node.size > MAX_VALUES:
        raise ValueError(
            f"its settings {node.name} have {node.size:,} parts, too many for settings"
        )
    return list(np.asarray(node[...]).T.ravel(order="F"))


def _followed(reference: Any, file: h5py.File, depth: int) -> Any:
    return read_value(file[reference], file, depth - 1) if reference else None
