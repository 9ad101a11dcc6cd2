"""Files of ``numpy.save``, read without running anything that they say."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.pickles import read_pickle


def read_npy(path: Path, *, records: bool = False) -> Any:
    """Read what ``numpy.save`` wrote, also where it is objects.

    Parameters
    ----------
    path : Path
        A file ``.npy``.
    records : bool
        As of `pipeline.pickles.read_pickle`.

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
            return _read_array(file, path.name, records=records)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _read_array(file: Any, name: str, *, records: bool) -> Any:
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
        found = read_pickle(body, name, records=records)
        return found.item() if isinstance(found, np.ndarray) and found.shape == () else found
    count = int(np.prod(shape, dtype=object))
    if dtype.itemsize == 0 or count * dtype.itemsize != len(body):
        raise ValueError(
            f"{name} must hold {count} values of {dtype.itemsize} bytes; got {len(body)} bytes. "
            "The file is cut off or damaged; copy it again."
        )
    return np.frombuffer(body, dtype).reshape(shape, order="F" if by_columns else "C")
