"""HDF5 files."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.readers.datasets import choose_dataset, told_by_attributes
from pipeline.readers.json_values import json_values
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

HDF5_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError)
"""What h5py raises on bytes that make no sense."""

MAX_DEPTH = 32
MAX_OBJECTS = 20_000
MAX_CHUNK_BYTES = 1 << 30


class Hdf5Array:
    """A data set whose file is open only while it is read."""

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        """Remember where an open data set lies, and refuse one that is not whole.

        Raises
        ------
        ValueError
            If parts of it were never written, lie in other files, or are too large to be read
            one by one.
        """
        self._path = path
        self._dataset = str(dataset.name)
        self.shape: tuple[int, ...] = tuple(dataset.shape)
        self.dtype: np.dtype[Any] = dataset.dtype
        self.chunks: tuple[int, ...] | None = dataset.chunks
        _check_stored(path, dataset)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            with h5py.File(self._path, "r") as file:
                return np.asarray(file[self._dataset][index])
        except HDF5_DAMAGE as error:
            raise ValueError(
                f"{self._path.name} cannot be read ({_reason(error)}); the file is damaged, or its "
                "compression needs a plugin of HDF5."
            ) from error

    def try_first(self) -> None:
        """Read one pixel: refuses now what could not be decoded later."""
        self[(slice(0, 1),) * len(self.shape)]


@contextmanager
def open_hdf5(path: Path, kind: str = "HDF5") -> Iterator[h5py.File]:
    """Open a file and refuse in one sentence what damage h5py meets in it.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Name of its format, for the message.

    Raises
    ------
    ValueError
        If the file is damaged. A ``ValueError`` that names the file is passed on as it is.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except HDF5_DAMAGE as error:
        if path.name in str(error) and isinstance(error, ValueError):
            raise
        raise ValueError(
            f"{path.name} is not a whole {kind} file ({_reason(error)}); copy or export it again."
        ) from error


@register_reader(".h5", ".hdf5", ".hdf")
def read_hdf5(path: Path, item: str | None) -> list[Stack]:
    """Read the data set that holds the movie.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        Path of the data set in the file, where several may be the movie.

    Returns
    -------
    list of Stack
        One.

    Raises
    ------
    ValueError
        If the file is damaged, holds no movie, or the choice is not clear.
    """
    with open_hdf5(path) as file:
        dataset = choose_dataset(find_datasets(file, path.name), item, name=path.name)
        attributes = dict(dataset.attrs)
        array = Hdf5Array(path, dataset)
    array.try_first()
    return [
        Stack(
            name=path.name,
            array=array,
            metadata={"origin": "HDF5", "orig_meta": json_values(attributes)},
            files=frozenset([path.resolve()]),
            **told_by_attributes(attributes),
        )
    ]


def find_datasets(group: h5py.Group, name: str) -> dict[str, h5py.Dataset]:
    """Return every data set with axes by its path; links to other files are not followed.

    Parameters
    ----------
    group : h5py.Group
        Where to look, with all groups in it.
    name : str
        Name of the file, for messages.

    Raises
    ------
    ValueError
        If groups are nested too deeply, or there are too many objects to be a recording.
    """
    found: dict[str, h5py.Dataset] = {}
    seen = {hash(group.id)}
    waiting = [("", group, 0)]
    while waiting:
        prefix, parent, depth = waiting.pop()
        if depth > MAX_DEPTH or len(seen) > MAX_OBJECTS:
            raise ValueError(
                f"{name} holds groups within groups without end (deeper than {MAX_DEPTH}, or more "
                f"than {MAX_OBJECTS:,} objects); export the movie into a file of its own."
            )
        for path, node in _members(parent, prefix):
            if hash(node.id) in seen:
                continue
            seen.add(hash(node.id))
            if isinstance(node, h5py.Group):
                waiting.append((f"{path}/", node, depth + 1))
            elif isinstance(node, h5py.Dataset) and node.shape:
                found[path] = node
    return dict(sorted(found.items()))


def _members(group: h5py.Group, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield what lies in a group itself, with its path."""
    for key in group:
        if isinstance(group.get(key, getlink=True), h5py.HardLink):
            yield f"{prefix}{key}", group[key]


def _check_stored(path: Path, dataset: h5py.Dataset) -> None:
    """Refuse pixels that are not in the file: HDF5 would give zeros in their place."""
    where = f"the data set {dataset.name} of {path.name}"
    if dataset.external or dataset.is_virtual:
        raise ValueError(
            f"{where} refers to pixels in other files; give these files, or export the movie whole."
        )
    if not math.prod(dataset.shape):
        return
    if dataset.chunks is None:
        n_stored, n_parts = dataset.id.get_storage_size(), dataset.nbytes
    else:
        parts = zip(dataset.shape, dataset.chunks, strict=True)
        n_stored, n_parts = dataset.id.get_num_chunks(), math.prod(-(-n // c) for n, c in parts)
        _check_chunk(where, math.prod(dataset.chunks) * dataset.dtype.itemsize)
    if n_stored < n_parts:
        raise ValueError(
            f"{where} is not whole: {n_stored} of its {n_parts} pieces were written (was the "
            "recording interrupted?); copy or export it again."
        )


def _check_chunk(where: str, n_bytes: int) -> None:
    if n_bytes > MAX_CHUNK_BYTES:
        raise ValueError(
            f"{where} is stored in pieces of {n_bytes / 1e9:.1f} GB, each of which must be read as "
            "a whole; save it again in chunks of a few frames."
        )


def _reason(error: BaseException) -> str:
    """Return the first line of what a library said, in plain words where it is usual."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    if "signature not found" in said:
        return "it does not begin as one"
    cut = re.search(r"truncated file: eof = (\d+).* stored_eof = (\d+)", said)
    return f"it is cut short: {cut[1]} of {cut[2]} bytes are there" if cut else said
