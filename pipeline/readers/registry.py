"""The file formats that movies are read from: a function for each suffix."""

from collections.abc import Callable
from pathlib import Path

from pipeline.readers.stack import Stack

Reader = Callable[[Path, str | None], list[Stack]]
"""``reader(path, item)`` returns the stacks of a file in their order in time; ``item`` is what the
user wrote after ``::`` to choose one of several."""

READERS: dict[str, Reader] = {}
"""Reader of each suffix, in lower case with its dot."""

ITEM_SEPARATOR = "::"
ZARR_MARKERS = ("zarr.json", ".zarray", ".zgroup")


def register_reader(*suffixes: str) -> Callable[[Reader], Reader]:
    """Return a decorator that makes a function the reader of some suffixes.

    Parameters
    ----------
    *suffixes : str
        Such as ``".tif"``; case is ignored.

    Returns
    -------
    callable
        The decorator; it returns the function unchanged.

    Raises
    ------
    ValueError
        If a suffix has a reader already, or no dot.
    """
    for suffix in suffixes:
        if not suffix.startswith(".") or suffix.lower() in READERS:
            raise ValueError(
                f"a reader needs suffixes with a dot that no other reader has ({readable()}); "
                f"got {suffix!r}."
            )

    def register(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(map(str.lower, suffixes), reader))
        return reader

    return register


def readable() -> str:
    """Return the suffixes that can be read, for a message."""
    return ", ".join(sorted(READERS))


def read_stacks(location: str | Path) -> list[Stack]:
    """Read the stacks of one file.

    Parameters
    ----------
    location : str or Path
        A file, or a Zarr folder; ``file::item`` chooses a data set of HDF5 and Zarr, or the number
        of a series of TIFF.

    Returns
    -------
    list of Stack
        In their order in time, at least one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is not known, or the file is empty or damaged or holds no movie.
    """
    path, item = split_item(location)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}; check the folder and the name.")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes); copy or export it again.")
    return _reader_of(path)(path, item)


def split_item(location: str | Path) -> tuple[Path, str | None]:
    """Split ``file::item``; a file whose own name has ``::`` in it is taken as it is.

    Parameters
    ----------
    location : str or Path
        What the user wrote.

    Returns
    -------
    tuple of Path and (str or None)
        The file and the item.

    Examples
    --------
    >>> split_item("scan.h5::mov")[1]
    'mov'
    """
    name, separator, item = str(location).rpartition(ITEM_SEPARATOR)
    if not separator or not name or Path(location).exists():
        return Path(location), None
    return Path(name), item


def _reader_of(path: Path) -> Reader:
    """Return the reader of a file by its suffix, of a folder by what is in it."""
    if path.is_dir():
        if any((path / marker).exists() for marker in ZARR_MARKERS):
            return READERS[".zarr"]
        raise ValueError(f"{path.name} is a folder, not a movie; give the files in it.")
    reader = READERS.get(path.suffix.lower())
    if reader is None or path.suffix.lower() == ".zarr":
        raise ValueError(f"{path.name} cannot be read; the suffixes of movies are {readable()}.")
    return reader
