"""NumPy files."""

from pathlib import Path
from tokenize import TokenError

import numpy as np

from pipeline.readers.lazy import MappedArray
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

MAX_REASON = 200


@register_reader(".npy")
def read_npy(path: Path, item: str | None) -> list[Stack]:
    """Read an array that ``numpy.save`` wrote; nothing is unpickled.

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
        If the file is not an array of plain values, or is cut short.
    """
    if item is not None:
        raise ValueError(f"{path.name} holds one array; leave out '::{item}'.")
    try:
        header = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, TypeError, OverflowError, SyntaxError, TokenError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path.name} is not a whole NumPy file of numbers ({reason[:MAX_REASON]}); save it "
            "again with numpy.save."
        ) from error
    array = MappedArray(
        path, header.shape, header.dtype, header.offset, "C" if header.flags.c_contiguous else "F"
    )
    return [Stack(name=path.name, array=array, files=frozenset([path.resolve()]))]
