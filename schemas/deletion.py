"""Deleting what nobody wants any more: rows, what was made of them, and their files."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datajoint as dj

from schemas.connection import Database
from schemas.files import size_bytes
from schemas.params import find_params
from schemas.references import references, storing_tables
from schemas.settings import ProjectError
from schemas.store import check_writable


@dataclass(frozen=True)
class Doomed:
    """What a deletion takes."""

    rows: dict[str, int]
    """Number of rows by the table's name in SQL, parents first; tables without any are left out."""

    paths: frozenset[str]
    """Files and folders in the store that the rows refer to, relative to it."""

    stored_bytes: int
    """What these take on the disk."""


def doomed_by(database: Database, tasks: Any) -> Doomed:
    """Tell what goes when tasks are deleted: they, their results, and what was made of these.

    Parameters
    ----------
    database : Database
        The connected tables.
    tasks : query
        A restriction of ``MotionTask`` or of ``SegmentationTask``.

    Returns
    -------
    Doomed
        Nothing is changed yet.

    Raises
    ------
    ProjectError
        If one of the tasks, or of what is made of them, is being computed now, or is what another
        segmentation begins with, or is in a dataset.
    NotAllowed
        If this account may not delete from all the tables that are concerned.
    """
    rows = rows_going_with(tasks)
    tables = list(dj.Diagram.cascade(by_keys(tasks)))
    _check_no_seeds(database, tables)
    _check_no_datasets(database, tables)
    for step, jobs in _jobs(database, tables):
        if jobs.reserved:
            raise ProjectError(
                f"{step.replace('_', ' ')} of what would go is running; wait for its end, "
                "or stop its worker, and delete then."
            )
    paths = frozenset(path for table in tables for path in _paths(table))
    return Doomed(
        rows=rows,
        paths=paths,
        stored_bytes=sum(_stored_bytes(database.settings.store / path) for path in paths),
    )


def delete_tasks(database: Database, tasks: Any) -> int:
    """Delete tasks with all that was made of them, in the database and in the store.

    Parameters
    ----------
    database : Database
        The connected tables.
    tasks : query
        A restriction of ``MotionTask`` or of ``SegmentationTask``.

    Returns
    -------
    int
        Bytes that are free again.

    Raises
    ------
    ProjectError
        If one of them is being computed now, or the store cannot be written.
    NotAllowed
        If this account may not delete from all the tables that are concerned; then nothing goes.

    Notes
    -----
    All rows go in one transaction, and their jobs with them; the files follow when it has ended,
    so that no row is ever without its file. A blob that a remaining row shares, because its
    content is the same, stays.
    """
    check_writable(database.settings)
    with database.connection.transaction:
        tasks = by_keys(tasks)
        doomed = doomed_by(database, tasks)
        for _, jobs in _jobs(database, list(dj.Diagram.cascade(tasks))):
            jobs.delete_quick()
        tasks.delete(transaction=False, prompt=False)
    left = {path for table in storing_tables(database) for path in _paths(table)}
    return sum(_remove(database.settings.store / path) for path in doomed.paths - left)


def delete_params(table: Any, tasks: Any, name: str) -> None:
    """Delete a parameter set that nothing was asked for with.

    Parameters
    ----------
    table : datajoint.Lookup
        ``MotionParams`` or ``SegmentationParams``.
    tasks : datajoint.Table
        The tasks that refer to it.
    name : str
        Name of the set.

    Raises
    ------
    ProjectError
        If there is none of that name, or there are tasks with it.
    NotAllowed
        If this account may not delete it.
    """
    key = find_params(table, name)
    check_allowed([table()])
    count = len(tasks & key)
    if count:
        raise ProjectError(
            f"the parameter set {name!r} has {count} tasks and stays, because their results refer "
            "to it; delete those first with: mesmerize delete"
        )
    (table & key).delete(prompt=False)


def rows_going_with(rows: Any) -> dict[str, int]:
    """Tell which rows go when some are deleted: they, and all that refers to them.

    Parameters
    ----------
    rows : query
        A restriction of a table.

    Returns
    -------
    dict
        Number of rows by the table's name in SQL, parents first; tables without any are left out.

    Raises
    ------
    NotAllowed
        If this account may not delete from all the tables that are concerned.
    """
    tables = list(dj.Diagram.cascade(by_keys(rows)))
    check_allowed(tables)
    counts = {table.full_table_name: len(table) for table in tables}
    return {name: count for name, count in counts.items() if count}


def check_allowed(tables: Iterable[Any]) -> None:
    """Let the server refuse, table by table, to delete; no row is concerned."""
    for table in tables:
        (table & False).delete_quick()


def _check_no_seeds(database: Database, tables: Iterable[Any]) -> None:
    """Refuse that ROIs go with which a segmentation begins that stays."""
    every = database.roi.SegmentationTask()
    for going in tables:
        if going.full_table_name != every.full_table_name:
            continue
        found = going.keys()
        keys = {tuple(key[name] for name in every.primary_key) for key in found}
        for task in (every & "seeded_by IS NOT NULL").to_dicts():
            own = tuple(task[name] for name in every.primary_key)
            if own not in keys and (*own[:-1], task["seeded_by"]) in keys:
                params = database.roi.SegmentationParams & task
                raise ProjectError(
                    f"the segmentation {params.fetch1('name')!r} of trial {task['trial']!r} of "
                    f"animal {task['animal_id']!r} begins with ROIs that would go; delete it first."
                )


def _check_no_datasets(database: Database, tables: Iterable[Any]) -> None:
    """Refuse that ROIs go which a dataset holds: which they are never changes."""
    members = database.analysis.Dataset.Roi().full_table_name
    for going in tables:
        if going.full_table_name == members and going:
            names = (database.analysis.Dataset() & going.proj()).to_arrays("name")
            raise ProjectError(
                f"ROIs that would go are in the datasets {', '.join(map(str, names))}, which never "
                "change; delete these first with: mesmerize datasets delete"
            )


def by_keys(tasks: Any) -> Any:
    """Return the same rows named by their keys: on MySQL no other restriction cascades."""
    return type(tasks)() & tasks.keys()


def _jobs(database: Database, tables: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the steps that compute something of rows, with the jobs of these rows."""
    by_name = {table.full_table_name: table for table in tables}
    for step, computed in database.steps():
        (parent,) = computed().parents(primary=True)
        if parent in by_name:
            yield step, computed().jobs & by_name[parent].keys()


def _paths(table: Any) -> Iterator[str]:
    """Yield the paths in the store that the rows of a table refer to."""
    return (said["path"] for _, said in references(table))


def _stored_bytes(path: Path) -> int:
    """Return what a file or a folder of the store takes; 0 where it is gone already."""
    return size_bytes(path) if path.exists() else 0


def _remove(path: Path) -> int:
    """Remove a file, or a folder with that of its row; return the bytes that are free again."""
    freed_bytes = _stored_bytes(path)
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return freed_bytes
    shutil.rmtree(path)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
    return freed_bytes
