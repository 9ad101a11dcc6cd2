"""What is in the store and no row refers to: leftovers of jobs that were killed."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from schemas.connection import Database
from schemas.references import referenced
from schemas.settings import STORE, ProjectError
from schemas.store import INCOMING
from schemas.store_owner import check_owner

DAY_S = 86_400.0
MARGIN_S = 300.0
"""How far the clocks of machines that share a store may be apart."""

SIDECAR = ".manifest.json"


class Orphan(NamedTuple):
    """Something in the store that no row refers to."""

    path: Path
    """A file or a folder."""

    size_bytes: int
    """What it takes."""

    age_s: float
    """Time since it was written to, in seconds."""


def find_orphans(database: Database, *, older_than_s: float = DAY_S) -> list[Orphan]:
    """List what is in the store and no row refers to: leftovers of jobs that were killed.

    Parameters
    ----------
    database : Database
        The connected tables.
    older_than_s : float
        What was written to since then, in seconds, may be somebody's work: it is left out, and so
        is all that was written since the first of the running jobs began.

    Returns
    -------
    list of Orphan
        Of this project's schemas, and of what is made aside.
    """
    cutoff_s = time.time() - max(older_than_s, _longest_job_s(database))
    found = list(_candidates(database))  # before the rows: what gets its row meanwhile has one
    kept = referenced(database)
    parents = {parent for path in kept for parent in path.parents}
    orphans = []
    for root, is_pile in found:
        for path in _uncovered(root, kept, parents, whole=not is_pile):
            with suppress(FileNotFoundError):  # it went meanwhile
                written_s = _last_written_s(path)
                if written_s < cutoff_s:
                    orphans.append(Orphan(path, _size_bytes(path), time.time() - written_s))
    return sorted(orphans)


def clean(database: Database, orphans: list[Orphan]) -> int:
    """Remove orphans that are still orphans.

    Parameters
    ----------
    database : Database
        The connected tables.
    orphans : list of Orphan
        From `find_orphans`.

    Returns
    -------
    int
        Bytes that are free again.

    Raises
    ------
    ProjectError
        If jobs run: they may refer at any moment to an array that was stored before. If the store
        is another project's: all in it would seem to be left over.
    NotAllowed
        If this account may not put jobs back: whoever computes cleans up.

    Notes
    -----
    DataJoint does not write an array again whose content is in the store. So everything is moved
    aside first; a job that begins from then on writes its own, and what a job that has ended
    meanwhile refers to is moved back.
    """
    check_owner(database.settings, database.connection)
    for _, table in database.steps():
        (table().jobs & False).delete_quick()
    _check_idle(database)
    store = database.settings.store.resolve()
    aside = store / INCOMING / f"cleaning-{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    moved = []
    try:
        for number, orphan in enumerate(orphans):
            if orphan.path.parent.resolve().is_relative_to(store) and os.path.lexists(orphan.path):
                orphan.path.rename(aside / str(number))
                moved.append((aside / str(number), orphan.path))
        _check_idle(database)
        taken = referenced(database)
    except BaseException:
        _put_back(moved)
        raise
    _put_back([pair for pair in moved if _is_taken(pair[1], taken)])
    freed_bytes = _size_bytes(aside)
    shutil.rmtree(aside)
    for orphan in orphans:
        _prune(orphan.path.parent, store)
    return freed_bytes


def _candidates(database: Database) -> Iterator[tuple[Path, bool]]:
    """Yield the parts of the store that are the project's; True: a pile of single files."""
    store = database.settings.store.resolve()
    spec = database.connection._config.get_store_spec(STORE)  # noqa: SLF001 the session's own
    for name in database.modules:
        schema = f"{database.settings.schema_prefix}{name}"
        for prefix, is_pile in ((spec["schema_prefix"], False), (spec["hash_prefix"], True)):
            root = store / prefix.strip("/") / schema
            if root.is_dir() and not root.is_symlink():
                yield from ((child, is_pile) for child in sorted(root.iterdir()))
    if (store / INCOMING).is_dir():
        yield from ((child, False) for child in sorted((store / INCOMING).iterdir()))


def _uncovered(path: Path, kept: set[Path], parents: set[Path], *, whole: bool) -> Iterator[Path]:
    """Yield what lies at or below a path and belongs to no row; whole folders where one can."""
    if path in kept or Path(str(path).removesuffix(SIDECAR)) in kept:
        return
    is_folder = path.is_dir() and not path.is_symlink()
    if is_folder and (path in parents or not whole):
        for child in sorted(path.iterdir()):
            yield from _uncovered(child, kept, parents, whole=whole)
    else:
        yield path


def _is_taken(path: Path, kept: set[Path]) -> bool:
    """Return whether a row refers to a path or to something below it."""
    return any(one == path or one.is_relative_to(path) for one in kept)


def _longest_job_s(database: Database) -> float:
    """Return how long ago the first of the running jobs began, in seconds; 0: none runs."""
    began = [
        database.connection.query(
            f"SELECT CURRENT_TIMESTAMP(3), MIN(reserved_time) FROM {table().jobs.full_table_name} "
            "WHERE status = 'reserved'"
        ).fetchone()
        for _, table in database.steps()
    ]
    ages = [(now.replace(tzinfo=None) - first).total_seconds() for now, first in began if first]
    return max(ages) + MARGIN_S if ages else 0.0


def _check_idle(database: Database) -> None:
    """Refuse while a job runs."""
    running = sum(len(table().jobs.reserved) for _, table in database.steps())
    if running:
        raise ProjectError(
            f"{running} jobs are running, and nothing was removed; clean up when they have ended."
        )


def _put_back(moved: list[tuple[Path, Path]]) -> None:
    for aside, place in moved:
        if os.path.lexists(place):
            continue  # it was written anew
        place.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(place)


def _prune(folder: Path, store: Path) -> None:
    """Remove folders that are left empty, up to the sections of the store."""
    while folder.is_relative_to(store) and len(folder.relative_to(store).parts) > 1:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _last_written_s(path: Path) -> float:
    """Return when something at or below a path was last written to."""
    newest = path.lstat().st_mtime
    for folder, _, names in os.walk(path):
        newest = max(newest, Path(folder).lstat().st_mtime)
        newest = max([newest, *((Path(folder) / name).lstat().st_mtime for name in names)])
    return newest


def _size_bytes(path: Path) -> int:
    """Return what a path takes; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(
        (Path(folder) / name).lstat().st_size
        for folder, _, names in os.walk(path)
        for name in names
    )
