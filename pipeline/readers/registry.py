"""The file formats that movies are read from: a function for each suffix."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.readers.plugins import READERS_GROUP, load_plugin, plugin_names
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
    return ", ".join(sorted({*READERS, *plugin_names(READERS_GROUP)}))


def is_readable(path: Path) -> bool:
    """Tell whether the suffix of a file is that of a movie.

    Parameters
    ----------
    path : Path
        The file.
    """
    names = {*READERS, *map(str.lower, plugin_names(READERS_GROUP))}
    return path.suffix.lower() in names


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
    return _checked(_reader_of(path)(path, item), path)


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
    suffix = path.suffix.lower()
    own = None if suffix == ".zarr" else READERS.get(suffix)
    reader: Reader | None = own or (load_plugin(READERS_GROUP, suffix) if suffix else None)
    if reader is None:
        raise ValueError(f"{path.name} cannot be read; the suffixes of movies are {readable()}.")
    return reader


def _checked(stacks: Any, path: Path) -> list[Stack]:
    """Refuse what a reader of another package should not have returned."""
    if not isinstance(stacks, list) or not all(isinstance(stack, Stack) for stack in stacks):
        raise ValueError(  # noqa: TRY004
            f"the reader of {path.suffix} must return a list of Stack; got {type(stacks).__name__}."
        )
    if not stacks:
        raise ValueError(f"{path.name} holds no movie; copy or export it again.")
    return stacks
