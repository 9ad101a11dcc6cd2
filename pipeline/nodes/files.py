"""Data: tables from and to files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.nodes.declaration import (
    Node,
    Schema,
    check_fields,
    path,
)
from pipeline.nodes.registry import register
from pipeline.transmission import Transmission, open_table, read_table, write_table


@dataclass(frozen=True, kw_only=True)
class LoadFileParams:
    """Settings of loading a table."""

    path: str = path("read")
    """A Parquet file that `save` or ``write_table`` made."""


def load_file(params: LoadFileParams) -> Transmission:
    """Return the table in a file, with its history.

    Parameters
    ----------
    params : LoadFileParams
        Settings.
    """
    return read_table(Path(params.path))


def _schema(params: LoadFileParams) -> Schema:
    """Return what is known of the table without reading it."""
    with open_table(Path(params.path)) as file:
        return Schema(file.infos, file.last_output, file.holds)


def _checksum(params: LoadFileParams) -> str:
    """Return what stands for the content of the file."""
    if not Path(params.path).is_file():
        raise FileNotFoundError(f"there is no file {params.path!r}; check the folder and the name.")
    with Path(params.path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class SaveParams:
    """Settings of saving a table."""

    path: str = path("write")
    """A name that ends in ``.parquet``."""

    overwrite: bool = False
    """Whether a file of that name may be replaced."""

    def __post_init__(self) -> None:
        check_fields(self)


def save(params: SaveParams, *, data: Transmission) -> Transmission:
    """Write the table to a Parquet file, its history inside, and return it.

    Parameters
    ----------
    params : SaveParams
        Settings.
    data : Transmission
        The table.
    """
    write_table(Path(params.path), data, overwrite=params.overwrite)
    return data


register(
    Node(
        name="load_file",
        title="LoadFile",
        group="Data",
        params=LoadFileParams,
        compute=load_file,
        ports=(),
        fingerprint=_checksum,
        opens=_schema,
        picks=True,
        nan="pass",
    ),
    Node(
        name="save",
        title="Save",
        group="Data",
        params=SaveParams,
        compute=save,
        picks=True,
        nan="pass",
    ),
)
