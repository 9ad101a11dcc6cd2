"""Batches of mesmerize-core: a table of items, and beside it what CaImAn found in each.

The table is a pickle of pandas. It is read as data, by what pandas from 1.5 to 3 writes of a table:
blocks of columns, of rows of equal type, and the names of the columns. Nothing of it is run.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

import numpy as np

from pipeline.importers.caiman import read_caiman
from pipeline.importers.mesmerize import advice_instead
from pipeline.pickles import Record, read_pickle
from pipeline.readers.json_values import json_values
from pipeline.readers.registry import ITEM_SEPARATOR, split_item
from pipeline.roi_file import RoiFile

SUFFIX = ".pickle"
ALGORITHMS = ("cnmf", "cnmfe")
CORRECTION = "mcorr"
COLUMNS = ("algo", "item_name", "input_movie_path", "params", "outputs", "uuid")
"""Columns that every batch has; those of times and comments are not asked for."""

MAX_BYTES = 1 << 30


class BatchItem(NamedTuple):
    """One run of CaImAn."""

    uuid: str
    """What the program calls it."""

    name: str
    """What a person called it."""

    algorithm: str
    """``mcorr``, ``cnmf`` or ``cnmfe``."""

    movie: str
    """File name of the recorded movie that it is of, before motion correction."""

    result: Path | None
    """The file with the components; None: it finds none, failed, was not run, or its file is not
    there."""

    params: Any
    """What CaImAn was told, as JSON values."""


def is_batch(path: Path) -> bool:
    """Tell whether a file is the table of a batch, an item named or not, or a folder with one.

    Parameters
    ----------
    path : Path
        ``batch.pickle`` or ``batch.pickle::ITEM``, or the folder.
    """
    file, _ = split_item(table_of(path))
    return file.suffix.lower() == SUFFIX and file.is_file()


def table_of(path: Path) -> Path:
    """Return the table in the folder of a batch; anything else as it is.

    Parameters
    ----------
    path : Path
        As of `is_batch`.
    """
    tables = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    return tables[0] if len(tables) == 1 else path


def read_batch(path: Path) -> list[BatchItem]:
    """Return the items of a batch.

    Parameters
    ----------
    path : Path
        Its table; the folders of the items lie beside it.

    Returns
    -------
    list of BatchItem
        In the order of the table.

    Raises
    ------
    ValueError
        If it is damaged, or no table of a batch.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is too large for the table of a batch.")
    try:
        table = _rows(read_pickle(path.read_bytes(), path.name, records=True))
    except ValueError as error:
        raise ValueError(
            f"{path.name} cannot be read as the table of a batch of mesmerize-core ({error}); "
            f"{advice_instead(path)}."
        ) from error
    corrected = {
        _file_name(output): str(row["input_movie_path"])
        for row in table
        if row["algo"] == CORRECTION
        for output in _outputs(row).values()
        if isinstance(output, str)
    }
    return [
        BatchItem(
            uuid=_id(row["uuid"]),
            name=str(row["item_name"]),
            algorithm=str(row["algo"]),
            movie=_recorded(str(row["input_movie_path"]), corrected),
            result=_result(row, path.parent),
            params=json_values(row["params"]),
        )
        for row in table
    ]


def read_batch_item(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read what one item of a batch found.

    Parameters
    ----------
    path : Path
        The table, where only one item found components, or ``batch.pickle::ITEM`` with its name,
        its uuid or the first letters of that.
    frame_shape : tuple of int
        Of the recorded frames.

    Returns
    -------
    RoiFile
        As `pipeline.importers.caiman.read_caiman` returns it, with the item and its parameters in
        ``about``.

    Raises
    ------
    ValueError
        If there is no such item, there are several, or its files are damaged.
    """
    file, wanted = split_item(table_of(path))
    found = [item for item in read_batch(file) if item.result is not None]
    chosen = [
        item
        for item in found
        if not wanted or wanted == item.name or item.uuid.startswith(wanted.lower())
    ]
    if len(chosen) != 1 or chosen[0].result is None:
        _refuse(file, wanted, chosen or found)
    item = chosen[0]
    rois = read_caiman(chosen[0].result, frame_shape)
    about = {**rois.about, "batch_item": item.name, "uuid": item.uuid, "params": item.params}
    return replace(rois, about=about)


def _refuse(file: Path, wanted: str | None, items: list[BatchItem]) -> NoReturn:
    """Say which items can be named."""
    if not items:
        raise ValueError(
            f"{file.name} has no item whose components (.hdf5) lie in a folder beside it; copy the "
            "batch with its folders."
        )
    names = "; ".join(
        f"{file.name}{ITEM_SEPARATOR}{item.uuid[:8]} ({item.name})" for item in items[:9]
    )
    asked = f"no single item {wanted!r}" if wanted else f"{len(items)} items with components"
    raise ValueError(f"{file.name} has {asked}; say which one: {names}.")


def _rows(loaded: Any) -> list[dict[str, Any]]:
    """Return the rows of a table of pandas that was taken down."""
    try:
        manager = loaded.state["_mgr"]
        blocks, (names, _) = manager.arguments[:2]
        columns = dict(zip(_texts(names), _columns(blocks), strict=True))
        found = zip(*(columns[column] for column in COLUMNS), strict=True)
        return [dict(zip(COLUMNS, row, strict=True)) for row in found]
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError("it is not as pandas 1.5 to 3 writes a table") from error


def _columns(blocks: list[Any]) -> Iterator[Any]:
    """Return the values of each column, in the order of the columns."""
    by_place: dict[int, Any] = {}
    for block in blocks:
        values, places, _ = block.arguments
        if isinstance(places, Record):  # a slice
            places = range(*places.arguments)
        if len(places) != len(values):
            raise ValueError("a block of other columns")
        by_place |= dict(zip(map(int, places), values, strict=True))
    return (by_place[place] for place in range(len(by_place)))


def _texts(index: Any) -> list[str]:
    """Return the names in an index: objects, or since pandas 3 the bytes of all, one by one."""
    data = index.arguments[1]["data"]
    if isinstance(data, np.ndarray):
        return [str(name) for name in data]
    _, length, _, offset, buffers, *_ = data.state["_pa_array"].arguments[0]
    ends, text = (buffer.arguments[0] for buffer in buffers[1:])
    places = np.frombuffer(ends, "<i8")[offset : offset + length + 1]
    return [text[a:b].decode() for a, b in zip(places[:-1], places[1:], strict=True)]


def _id(uuid: Any) -> str:
    """Return a uuid, which older batches keep as an object."""
    if isinstance(uuid, Record):
        return str(UUID(int=int(uuid.state["int"])))
    return str(uuid)


def _outputs(row: dict[str, Any]) -> dict[str, Any]:
    return row["outputs"] if isinstance(row["outputs"], dict) else {}


def _file_name(path: Any) -> str:
    """Return the last part of a path of any system."""
    return PurePosixPath(str(path).replace("\\", "/")).name


def _recorded(movie: str, corrected: dict[str, str]) -> str:
    """Return the file name of the movie before its corrections."""
    for _ in range(len(corrected) + 1):
        name = _file_name(movie)
        if name not in corrected:
            return name
        movie = corrected[name]
    return _file_name(movie)


def _result(row: dict[str, Any], folder: Path) -> Path | None:
    """Return where the components of an item lie, beside the table wherever that was moved."""
    told = _outputs(row).get("cnmf-hdf5-path")
    if row["algo"] not in ALGORITHMS or not told:
        return None
    name = _file_name(told)
    places = (folder / _file_name(_id(row["uuid"])) / name, folder / name)
    return next((place for place in places if place.is_file()), None)
