"""HDF5 files."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.readers.datasets import choose_dataset, told_by_attributes
from pipeline.readers.json_values import json_values
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack


class Hdf5Array:
    """A data set whose file is open only while it is read."""

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        """Remember where an open data set lies."""
        self._path = path
        self._dataset = str(dataset.name)
        self.shape: tuple[int, ...] = tuple(dataset.shape)
        self.dtype: np.dtype[Any] = dataset.dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            with h5py.File(self._path, "r") as file:
                return np.asarray(file[self._dataset][index])
        except OSError as error:
            raise ValueError(
                f"{self._path.name} cannot be read ({error}); the file is damaged, or its "
                "compression needs a plugin of HDF5."
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
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path.name} is not a whole HDF5 file ({error}); copy or export it again."
        ) from error
    with file:
        dataset = choose_dataset(_datasets(file), item, name=path.name)
        attributes = dict(dataset.attrs)
        array = Hdf5Array(path, dataset)
    array[(slice(0, 1),) * len(array.shape)]  # refuses now what could not be decoded later
    return [
        Stack(
            name=path.name,
            array=array,
            metadata={"origin": "HDF5", "orig_meta": json_values(attributes)},
            files=frozenset([path.resolve()]),
            **told_by_attributes(attributes),
        )
    ]


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return every data set with axes by its path."""
    found: dict[str, h5py.Dataset] = {}

    def visit(path: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and node.shape:
            found[path] = node

    file.visititems(visit)
    return found
