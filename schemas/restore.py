"""Putting a backup into an empty project: checked whole first, then all or nothing."""

import gzip
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from pipeline.blocks import Progress, no_progress
from schemas.backup import CHUNK_BYTES, FORMAT, MANIFEST, project_tables
from schemas.connection import Database
from schemas.dump import Column, columns_of, values_of
from schemas.settings import ProjectError
from schemas.store import check_writable
from schemas.store_owner import claim

INSERT_BYTES = 8_000_000
MOST_AT_ONCE = 500
MADE_WITH_THE_PROJECT = ("project/project", "motion/#motion_params", "roi/#segmentation_params")
"""What an empty project has."""

RESERVED = '"reserved"'
HARMLESS = ("tables/", "store/", "settings/")


class Restored(NamedTuple):
    """What was restored."""

    rows: int
    """Of all tables."""

    files: int
    """In the store."""

    missing_roots: dict[str, str]
    """Data roots that the saved project had and this one has not: name and folder."""


def restore_backup(
    database: Database, archive: Path, *, progress: Progress = no_progress
) -> Restored:
    """Fill an empty project with what a backup holds.

    Parameters
    ----------
    database : Database
        The connected tables of a new project, on any kind of server.
    archive : Path
        Written by `schemas.backup.save_backup`.
    progress : callable
        Told what is read and written.

    Returns
    -------
    Restored
        What was restored.

    Raises
    ------
    ProjectError
        If the project is not empty, or the archive is damaged or of a newer version; then nothing
        is changed.

    Notes
    -----
    Jobs that were running are not restored as such: they wait again.
    """
    _check_empty(database)
    check_writable(database.settings)
    manifest = read_manifest(archive, progress)
    tables = _tables_here(database, manifest)
    made: list[Path] = []
    try:
        with tarfile.open(archive) as tar:
            _restore_store(database, tar, manifest, made, progress)
            rows = _restore_rows(database, tar, tables, progress)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    claim(database.settings, database.connection)  # it is the saved project now
    roots = {n: f for n, f in manifest["roots"].items() if n not in database.settings.roots}
    return Restored(rows, len(made), roots)


def read_manifest(archive: Path, progress: Progress = no_progress) -> dict[str, Any]:
    """Read what a backup holds, and compare every part with its checksum.

    Parameters
    ----------
    archive : Path
        The backup.
    progress : callable
        Told how many parts were read.

    Returns
    -------
    dict
        ``rows`` by table, ``sha256`` by part, ``versions``, ``roots``, and what else was kept.

    Raises
    ------
    ProjectError
        If it is no backup, damaged, or of a newer version.
    """
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if not member.isreg() or content is None or not _is_harmless(member.name):
                    raise ProjectError(f"{archive} holds {member.name!r}, which no backup does.")
                if member.name == MANIFEST:
                    manifest = json.load(content)
                else:
                    found[member.name] = _sha256(content)
                progress("parts of the backup", len(found), 0)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise ProjectError(f"{archive} is no backup, or damaged: {error}") from error
    if manifest is None:
        raise ProjectError(f"{archive} is not whole: its end is missing; use another backup.")
    if manifest.get("format") != FORMAT:
        raise ProjectError(
            f"{archive} has format {manifest.get('format')!r}, and this version reads {FORMAT}; "
            "install the version that made it."
        )
    wrong = sorted(set(found.items()) ^ set(manifest["sha256"].items()))
    if wrong:
        raise ProjectError(f"{archive} is damaged: {wrong[0][0]} is not what was saved.")
    return manifest


def _is_harmless(name: str) -> bool:
    """Return whether the name of a part stays inside its folder."""
    path = PurePosixPath(name)
    is_inside = not path.is_absolute() and ".." not in path.parts
    return name == MANIFEST or (is_inside and name.startswith(HARMLESS))


def _sha256(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _check_empty(database: Database) -> None:
    """Refuse a project that holds anything."""
    quote = database.connection.adapter.quote_identifier
    for module, table in project_tables(database):
        if f"{module}/{table}" in MADE_WITH_THE_PROJECT:
            continue
        schema = f"{database.settings.schema_prefix}{module}"
        name = f"{quote(schema)}.{quote(table)}"
        if database.connection.query(f"SELECT 1 FROM {name} LIMIT 1").fetchone():
            raise ProjectError(
                f"the project is not empty ({module}.{table} has rows); restore into a new one, "
                "made with: mesmerize init"
            )


def _tables_here(database: Database, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the tables that are filled, parents first; refuse rows that have no table here."""
    here = list(project_tables(database))
    names = {f"{module}/{table}" for module, table in here}
    unknown = sorted(
        name for name, count in manifest["rows"].items() if count and name not in names
    )
    if unknown:
        raise ProjectError(
            f"the backup has rows of {unknown[0]}, which this version does not know; install the "
            f"version that made it: {manifest['versions'].get('mesmerize-datajoint')}."
        )
    return [pair for pair in here if f"{pair[0]}/{pair[1]}" in manifest["rows"]]


def _restore_store(
    database: Database,
    tar: tarfile.TarFile,
    manifest: dict[str, Any],
    made: list[Path],
    progress: Progress,
) -> None:
    """Put the objects back; one that lies there already, and is the same, stays."""
    store = database.settings.store.resolve()
    parts = [name for name in manifest["sha256"] if name.startswith("store/")]
    for done, name in enumerate(parts):
        progress("objects", done, len(parts))
        place = store / PurePosixPath(name).relative_to("store")
        if not place.parent.resolve().is_relative_to(store):
            raise ProjectError(f"{place} leads out of the store; nothing was restored.")
        if place.exists():
            with place.open("rb") as there:
                if _sha256(there) != manifest["sha256"][name]:
                    raise ProjectError(f"{place} exists and is another; choose an empty store.")
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(name)
        with place.open("xb") as file:
            made.append(place)
            shutil.copyfileobj(content, file, CHUNK_BYTES)


def _restore_rows(
    database: Database, tar: tarfile.TarFile, tables: list[tuple[str, str]], progress: Progress
) -> int:
    """Insert all rows in one transaction; return how many."""
    connection, total = database.connection, 0
    quote = connection.adapter.quote_identifier
    with connection.transaction:
        for module, table in reversed(tables):
            if f"{module}/{table}" in MADE_WITH_THE_PROJECT:
                schema = quote(f"{database.settings.schema_prefix}{module}")
                connection.query(f"DELETE FROM {schema}.{quote(table)}")
        for done, (module, table) in enumerate(tables):
            progress("tables", done, len(tables))
            schema = f"{database.settings.schema_prefix}{module}"
            content = tar.extractfile(f"tables/{module}/{table}")
            with gzip.GzipFile(fileobj=content) as lines:
                names = json.loads(lines.readline())
                columns = _columns_here(connection, schema, table, names)
                is_queue = table.startswith("~~")
                rows = (line.decode() for line in lines)
                kept = (row for row in rows if not (is_queue and RESERVED in row))
                total += _insert(connection, (schema, table), columns, kept)
    return total


def _columns_here(connection: Any, schema: str, table: str, names: list[str]) -> list[Column]:
    """Return the columns that were saved, with their types here."""
    here = {column.name: column for column in columns_of(connection, schema, table)}
    unknown = [name for name in names if name not in here]
    if unknown:
        raise ProjectError(
            f"the backup has the column {unknown[0]!r} of {table}, which this version does not "
            "know; install the version that made it."
        )
    return [here[name] for name in names]


def _insert(
    connection: Any, where: tuple[str, str], columns: list[Column], lines: Iterator[str]
) -> int:
    """Insert the rows of lines; a statement holds several, but not too many bytes."""
    quote = connection.adapter.quote_identifier
    names = ", ".join(quote(column.name) for column in columns)
    marks = f"({', '.join(['%s'] * len(columns))})"
    into = f"INSERT INTO {quote(where[0])}.{quote(where[1])} ({names}) VALUES "
    total = 0
    for batch in _batches(lines):
        values = [value for line in batch for value in values_of(line, columns)]
        connection.query(into + ", ".join([marks] * len(batch)), args=tuple(values))
        total += len(batch)
    return total


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield lines together that make a statement of a size that servers take."""
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and (size + len(line) > INSERT_BYTES or len(batch) >= MOST_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
