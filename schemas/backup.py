"""A backup: one archive with all rows, the settings and the store, and the checksum of each part.

It does not depend on the kind of server: what was saved from a laptop can be restored on a lab
server. The recorded movies are not in it, nor any password.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from pipeline.blocks import Progress, no_progress
from pipeline.versions import software_versions
from schemas.connection import STEPS, Database
from schemas.dump import Column, columns_of, lines_of, snapshot
from schemas.references import storing_columns
from schemas.settings import DATAJOINT_FILE, MEGABYTE, SETTINGS_FILE, ProjectError

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20
SUFFIX = ".mesmerize.tar"
LIVING = (("worker", "worker"),)
"""Tables of what runs just now, by schema and name."""


class Saved(NamedTuple):
    """What a backup holds."""

    path: Path
    """The archive."""

    rows: int
    """Of all tables."""

    size_bytes: int
    """Of the archive."""


def save_backup(
    database: Database, target: Path, *, store: bool = True, progress: Progress = no_progress
) -> Saved:
    """Write a backup of a project.

    Parameters
    ----------
    database : Database
        The connected tables; work may go on meanwhile.
    target : Path
        The archive, or a folder that it is put into.
    store : bool
        Whether corrected movies, arrays and matrices are in it too.
    progress : callable
        Told what is written.

    Returns
    -------
    Saved
        Where it is, and what it holds.

    Raises
    ------
    ProjectError
        If there is such a file already, or an object that a row refers to is missing.

    Notes
    -----
    Rows are of one moment. The archive has its name only when it is whole.
    """
    path = _archive_path(database, target)
    with (
        _aside(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        parts: dict[str, str] = {}
        counts, objects = _save_tables(database, tar, parts, progress)
        _save_settings(database, tar, parts)
        if store:
            _save_objects(database, tar, parts, sorted(objects), progress)
        _add(tar, MANIFEST, io.BytesIO(_manifest(database, parts, counts, store=store)))
    return Saved(path, sum(counts.values()), path.stat().st_size)


def remove_old_backups(database: Database, folder: Path, keep: int) -> list[Path]:
    """Remove the oldest backups of this project in a folder; return which.

    Parameters
    ----------
    database : Database
        The project.
    folder : Path
        Where `save_backup` put them under names of its own.
    keep : int
        How many stay.
    """
    found = sorted(folder.glob(f"{database.settings.folder.name}-[0-9]*{SUFFIX}"))
    old = found[: max(0, len(found) - max(1, keep))]
    for path in old:
        path.unlink()
    return old


def project_tables(database: Database) -> Iterator[tuple[str, str]]:
    """Yield the tables to be saved, parents first: the schema's name here, the table's there.

    Parameters
    ----------
    database : Database
        The connected tables.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    schemas = {f"{prefix}{name}": name for name in database.modules}
    connection.dependencies.load(schema_names=set(schemas))
    for full_name in connection.dependencies.topo_sort():
        schema, table = connection.adapter.split_full_table_name(full_name)
        if schema in schemas and (schemas[schema], table) not in LIVING:
            yield schemas[schema], table
    for step, computed in database.steps():
        yield STEPS[step][0], computed().jobs.table_name


def _archive_path(database: Database, target: Path) -> Path:
    """Return the name of the archive; refuse one that is taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = (
        target / f"{database.settings.folder.name}-{stamp}{SUFFIX}" if target.is_dir() else target
    )
    if path.exists():
        raise ProjectError(f"{path} exists already; give the backup another name.")
    if not path.parent.is_dir():
        raise ProjectError(f"the folder {path.parent} does not exist; make it first.")
    return path


@contextmanager
def _aside(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that gets its name when all is written and safe on the disk."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ProjectError(f"the backup {path} cannot be written: {error.strerror}.") from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _save_tables(
    database: Database, tar: tarfile.TarFile, parts: dict[str, str], progress: Progress
) -> tuple[dict[str, int], set[str]]:
    """Save all rows, of one moment; return their numbers, and the objects that they refer to."""
    counts: dict[str, int] = {}
    objects: set[str] = set()
    tables = list(project_tables(database))
    with snapshot(database.connection):
        for done, (module, table) in enumerate(tables):
            progress("tables", done, len(tables))
            schema = f"{database.settings.schema_prefix}{module}"
            columns = columns_of(database.connection, schema, table)
            # beside the archive: /tmp may be memory
            with tempfile.TemporaryFile(dir=Path(tar.fileobj.name).parent) as file:
                lines = lines_of(database.connection, schema, table, columns)
                referring = storing_columns(database, module, table)
                counts[f"{module}/{table}"] = _write_lines(file, columns, lines, referring, objects)
                parts[f"tables/{module}/{table}"] = _add(tar, f"tables/{module}/{table}", file)
    return counts, objects


def _write_lines(
    file: IO[bytes],
    columns: list[Column],
    lines: Iterator[tuple[list[Any], str]],
    referring: list[str],
    objects: set[str],
) -> int:
    """Write the lines of a table, compressed, the names of its columns first; count them."""
    names = [column.name for column in columns]
    places = [names.index(name) for name in referring]
    count = 0
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(json.dumps(names).encode() + b"\n")
        for values, line in lines:
            packed.write(line.encode() + b"\n")
            objects |= {values[place]["path"] for place in places if values[place]}
            count += 1
    return count


def _save_settings(database: Database, tar: tarfile.TarFile, parts: dict[str, str]) -> None:
    """Save the settings, without any password."""
    folder = database.settings.folder
    connection = json.loads((folder / DATAJOINT_FILE).read_text())
    connection.get("database", {}).pop("password", None)
    contents = {
        SETTINGS_FILE: (folder / SETTINGS_FILE).read_bytes(),
        DATAJOINT_FILE: json.dumps(connection, indent=2).encode(),
    }
    for name, content in contents.items():
        parts[f"settings/{name}"] = _add(tar, f"settings/{name}", io.BytesIO(content))


def _save_objects(
    database: Database,
    tar: tarfile.TarFile,
    parts: dict[str, str],
    objects: list[str],
    progress: Progress,
) -> None:
    """Save what rows refer to in the store."""
    store = database.settings.store.resolve()
    for done, name in enumerate(objects):
        progress("objects", done, len(objects))
        place = (store / name).resolve()
        if not place.is_relative_to(store) or not place.exists():
            raise ProjectError(
                f"{store / name} is missing from the store; see: mesmerize check; "
                "without the store, a backup is made with --no-store."
            )
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file():
                part = f"store/{file.relative_to(store).as_posix()}"
                with file.open("rb") as content:
                    parts[part] = _add(tar, part, content)


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> str:
    """Add a part to an archive; return the SHA-256 of what was added."""
    info = tarfile.TarInfo(name)
    info.size = content.seek(0, os.SEEK_END)
    info.mtime = int(time.time())
    info.mode = 0o600
    content.seek(0)
    hashing = Hashing(content)
    tar.addfile(info, hashing)
    return hashing.digest.hexdigest()


class Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, and hash what was read."""
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _manifest(
    database: Database, parts: dict[str, str], counts: dict[str, int], *, store: bool
) -> bytes:
    """Return what tells whether an archive is whole, and what made it."""
    settings = database.settings
    facts = {
        "format": FORMAT,
        "project": settings.folder.name,
        "schema_prefix": settings.schema_prefix,
        "server": database.connection.adapter.backend,
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "versions": software_versions(),
        "roots": {name: str(path) for name, path in settings.roots.items()},
        "store": store,
        "rows": counts,
        "sha256": parts,
    }
    return json.dumps(facts, indent=1).encode()


def size_text(size_bytes: int) -> str:
    """Return a size for people.

    Examples
    --------
    >>> size_text(1_500_000)
    '1.5 MB'
    """
    return f"{size_bytes / MEGABYTE:,.1f} MB"
