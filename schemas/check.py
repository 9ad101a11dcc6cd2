"""Rows against files: what is missing, and what has changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datajoint.hash_registry import compute_hash

from pipeline.blocks import Progress, no_progress
from schemas.connection import Database
from schemas.files import checksum, size_bytes
from schemas.references import references, storing_tables
from schemas.settings import ProjectError


class Fault(NamedTuple):
    """A row whose file is not as the row says."""

    table: str
    """As ``session.Recording.File``, or a table's name in SQL."""

    key: dict[str, Any]
    """Primary key of the row."""

    path: str
    """The file."""

    what: str
    """What is wrong with it."""


def check_recordings(
    database: Database, *, checksums: bool = False, progress: Progress = no_progress
) -> Iterator[Fault]:
    """Compare the files of recordings with their rows.

    Parameters
    ----------
    database : Database
        The connected tables.
    checksums : bool
        Read all files, and compare their content too.
    progress : callable
        Told what is read.

    Yields
    ------
    Fault
        A file that is missing or has changed.
    """
    table = database.session.Recording.File
    for row in table().to_dicts():
        key = {name: row[name] for name in table.primary_key}
        try:
            path = database.settings.resolve(row["root"], row["path"])
        except ProjectError as error:
            yield Fault("session.Recording.File", key, row["path"], str(error))
            continue
        what = _recording_fault(path, row, progress if checksums else None)
        if what:
            yield Fault("session.Recording.File", key, str(path), what)


def _recording_fault(path: Path, row: dict[str, Any], progress: Progress | None) -> str:
    """Say what is wrong with a file of a recording; "": nothing."""
    if not path.exists():
        return "is missing"
    size = size_bytes(path)
    if size != row["size_bytes"]:
        return f"has {size} bytes instead of {row['size_bytes']}"
    if progress is not None and checksum(path, progress) != row["checksum"]:
        return "has another content than when it was ingested"
    return ""


def check_store(
    database: Database, *, checksums: bool = False, progress: Progress = no_progress
) -> Iterator[Fault]:
    """Compare what rows say of objects in the store with the store.

    Parameters
    ----------
    database : Database
        The connected tables.
    checksums : bool
        Read all arrays, and compare their content too; of movies, sizes are compared.
    progress : callable
        Told how many references of a table were looked at.

    Yields
    ------
    Fault
        An object that is missing or has changed.
    """
    store = database.settings.store.resolve()
    looked_at: set[str] = set()
    for table in storing_tables(database):
        total = len(table)
        for done, (key, said) in enumerate(references(table)):
            progress(f"objects of {table.table_name}", done, total)
            if said["path"] in looked_at:
                continue
            looked_at.add(said["path"])
            path = store / said["path"]
            what = _object_fault(store, path, said, checksums=checksums)
            if what:
                yield Fault(f"{table.database}.{table.table_name}", key, str(path), what)


def _object_fault(store: Path, path: Path, said: dict[str, Any], *, checksums: bool) -> str:
    """Say what is wrong with an object; "": nothing."""
    if not path.resolve().is_relative_to(store):
        return "lies outside the store"
    if not path.exists():
        return "is missing"
    size = size_bytes(path)
    if said.get("size") is not None and size != said["size"]:
        return f"has {size} bytes instead of {said['size']}"
    if checksums and "hash" in said and compute_hash(path.read_bytes()) != said["hash"]:
        return "has another content than was stored"
    return ""
