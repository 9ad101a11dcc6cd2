"""HDF5 files of others: what they claim is doubted before it is read."""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 32_000_000_000
MOST_EXPANSION = 2_000
"""No compression of HDF5 makes data smaller than this; a file that claims so is a trap."""

SMALL_BYTES = 1 << 20

DAMAGE = (OSError, KeyError, IndexError, TypeError, RuntimeError, OverflowError)
"""What h5py raises where a file is not as it should be, besides ValueError."""


def doubted(node: object, name: str) -> h5py.Dataset:
    """Return a data set, unless it lies in another file or claims more than can be.

    Parameters
    ----------
    node : object
        What the file has under a name.
    name : str
        That name, for messages.

    Raises
    ------
    ValueError
        If it claims too much, or leads to another file.
    KeyError
        If there is no such data set.
    """
    if not isinstance(node, h5py.Dataset):
        raise KeyError(f"{name} is missing")
    if node.external or node.is_virtual:
        raise ValueError(f"{name} lies in another file, which is not opened.")
    stored = int(node.id.get_storage_size())
    if node.nbytes > MOST_BYTES or node.nbytes > MOST_EXPANSION * stored + SMALL_BYTES:
        raise ValueError(
            f"{name} claims {node.nbytes / 1e9:.3g} GB, of which {stored / 1e9:.3g} GB are in the "
            "file; the file is damaged."
        )
    return node


def read_array(node: object, name: str) -> NDArray[Any]:
    """Return the values of a data set that `doubted` lets pass.

    Parameters
    ----------
    node : object
        What the file has under a name.
    name : str
        That name, for messages.
    """
    return np.asarray(doubted(node, name)[()])
