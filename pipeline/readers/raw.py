"""Pixels without a header: raw files with a side file, and the binaries of suite2p.

A side file has the name of the raw file and the suffix ``.json`` or ``.toml``. It tells ``shape``
and ``dtype``, and where known ``axes``, ``rate_hz``, ``pixel_size_um``, ``date`` and
``offset_bytes``. A binary of suite2p has ``ops.npy`` beside it, a pickle, of which the plain
numbers are read and nothing is run.
"""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.numpy_files import read_npy
from pipeline.readers.axes import USUAL_AXES, parse_axes
from pipeline.readers.datasets import NUMBERS, told_by_attributes
from pipeline.readers.header_values import check_bytes, check_rate, read_length
from pipeline.readers.json_values import json_values
from pipeline.readers.lazy import MappedArray
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

SIDE_SUFFIXES = (".json", ".toml")
OPS = "ops.npy"
MAX_SIDE_BYTES = 1 << 24
MAX_OPS_BYTES = 1 << 28
KEYS = ("shape", "dtype", "axes", "rate_hz", "pixel_size_um", "date", "offset_bytes")


@register_reader(".raw", ".bin", ".dat")
def read_raw(path: Path, item: str | None) -> list[Stack]:
    """Read pixels whose shape another file tells.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        Must be None: the file holds one array.

    Returns
    -------
    list of Stack
        One.

    Raises
    ------
    ValueError
        If no side file tells the shape, or the size of the file is not that of the shape.
    """
    if item is not None:
        raise ValueError(f"{path.name} holds one array; leave out '::{item}'.")
    for side in map(path.with_suffix, SIDE_SUFFIXES):
        if side.is_file():
            return [_read_beside(path, side)]
    ops = path.with_name(OPS)
    if ops.is_file():
        return [_read_suite2p(path, ops)]
    raise ValueError(
        f"nothing tells the shape of {path.name}; write {path.stem}.json beside it, such as "
        '{"shape": [1000, 512, 512], "dtype": "uint16", "rate_hz": 30}.'
    )


def _read_beside(path: Path, side: Path) -> Stack:
    """Read a raw file as its side file tells."""
    told = _read_side(side)
    shape, dtype = _shape(told, side), _dtype(told, side)
    offset = told.get("offset_bytes", 0)
    if not isinstance(offset, int) or offset < 0:
        raise ValueError(f"offset_bytes in {side.name} must be 0 or more; got {offset!r}.")
    check_bytes(path, shape, dtype.itemsize, other=offset)
    axes = told.get("axes")
    return Stack(
        name=path.name,
        array=MappedArray(path, shape, dtype, offset),
        axes=_axes(axes, side) if isinstance(axes, str) else USUAL_AXES[len(shape)],
        rate_hz=check_rate(told.get("rate_hz"), side.name),
        pixel_size_um=told_by_attributes(told).get("pixel_size_um", {}),
        metadata={
            "origin": "raw",
            "date": str(told.get("date", "unknown")),
            "orig_meta": json_values(told),
        },
        files=frozenset([path.resolve(), side.resolve()]),
    )


def _read_side(side: Path) -> dict[str, Any]:
    """Return what a side file tells, without keys that nobody knows."""
    if side.stat().st_size > MAX_SIDE_BYTES:
        raise ValueError(f"{side.name} is too large to be a side file of a raw movie.")
    try:
        text = side.read_text(encoding="utf-8-sig")
        told = json.loads(text) if side.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        kind = side.suffix[1:].upper()
        raise ValueError(f"{side.name} is not valid {kind} ({error}); correct it.") from error
    unknown = [key for key in told if key not in KEYS] if isinstance(told, dict) else ["no object"]
    missing = [] if unknown else [key for key in KEYS[:2] if key not in told]
    if unknown or missing:
        wrong = ", ".join(unknown or missing)
        raise ValueError(
            f"{side.name} must tell {', '.join(KEYS)} (the first two at least); "
            f"{'does not know' if unknown else 'missing'}: {wrong}."
        )
    return dict(told)


def _shape(told: dict[str, Any], side: Path) -> tuple[int, ...]:
    axes = told.get("axes")
    lengths = told["shape"] if isinstance(told["shape"], list) else []
    n_axes = [len(axes)] if isinstance(axes, str) else list(USUAL_AXES)
    is_whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in lengths)
    if len(lengths) not in n_axes or not is_whole or math.prod(lengths) >= 1 << 62:
        raise ValueError(
            f"shape in {side.name} must be a list of whole numbers above 0, one for each axis "
            f"(frames, [planes,] rows, columns); got {told['shape']!r}."
        )
    return tuple(lengths)


def _axes(axes: str, side: Path) -> str:
    try:
        return parse_axes(axes)
    except ValueError as error:
        raise ValueError(f"in {side.name}, {error}") from error


def _dtype(told: dict[str, Any], side: Path) -> np.dtype[Any]:
    try:
        dtype = np.dtype(told["dtype"] if isinstance(told["dtype"], str) else "O")
    except (TypeError, ValueError, SyntaxError):
        dtype = np.dtype("O")
    if dtype.kind not in NUMBERS or dtype.subdtype:
        raise ValueError(
            f"dtype in {side.name} must be a type of numbers such as 'uint16', '>u2' (big-endian) "
            f"or 'float32'; got {told['dtype']!r}."
        )
    return dtype


def _read_suite2p(path: Path, ops: Path) -> Stack:
    """Read a registered or raw binary of suite2p."""
    told = _read_ops(ops)
    lengths = {key: read_length(told, key, ops.name) for key in ("nframes", "Ly", "Lx")}
    shape = tuple(lengths.values())
    check_bytes(path, shape, np.dtype(np.int16).itemsize)
    return Stack(
        name=path.name,
        array=MappedArray(path, shape, np.dtype("<i2"), 0),
        axes="TYX",
        rate_hz=check_rate(told.get("fs"), ops.name),
        metadata={
            "origin": "suite2p",
            "date": "unknown",
            "orig_meta": json_values(
                {key: value for key, value in told.items() if isinstance(value, int | float | str)}
            ),
        },
        files=frozenset([path.resolve(), ops.resolve()]),
    )


def _read_ops(ops: Path) -> dict[str, Any]:
    """Return the settings of suite2p as far as they are plain; nothing is unpickled."""
    if ops.stat().st_size > MAX_OPS_BYTES:
        raise ValueError(
            f"{ops.name} has {ops.stat().st_size / 1e6:.0f} MB, too many for settings."
        )
    told = read_npy(ops, records=True)
    if not isinstance(told, dict):
        raise ValueError(  # noqa: TRY004
            f"{ops.name} does not hold the settings of suite2p; give a side file instead."
        )
    return {
        str(key): value.item() if isinstance(value, np.generic) else value
        for key, value in told.items()
    }
