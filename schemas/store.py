"""Folders of the store: made aside, moved to their row's place when it is inserted."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datajoint.storage import build_object_path

from schemas.resources import RESOURCES
from schemas.settings import ProjectError, Settings

INCOMING = "_incoming"


def check_writable(settings: Settings) -> None:
    """Refuse a store that cannot be written, before anything is computed.

    Raises
    ------
    ProjectError
        If the store cannot be written.
    """
    probe = _aside(settings) / uuid.uuid4().hex
    try:
        probe.mkdir(parents=True)
        probe.rmdir()
    except OSError as error:
        raise ProjectError(
            f"the store {settings.store} cannot be written: {error.strerror}; "
            "check its permissions, or [store] in mesmerize.toml."
        ) from error


def _aside(settings: Settings) -> Path:
    """Return where folders are made: in one of the attempt, where a worker's attempt runs."""
    return settings.store / INCOMING / _attempt_id()


def _attempt_id() -> str:
    """Return the worker's attempt that runs here; "": none."""
    resources = RESOURCES.get(None)
    return resources.attempt_id if resources else ""


def aside(settings: Settings) -> list[str]:
    """Return the names of what is aside in the store: attempts, and folders made without one."""
    folder = settings.store / INCOMING
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def clear_aside(settings: Settings, attempt_id: str) -> None:
    """Remove what an attempt that has ended made aside in the store."""
    shutil.rmtree(settings.store / INCOMING / attempt_id, ignore_errors=True)


@contextmanager
def new_folder(settings: Settings, suffix: str) -> Iterator[Path]:
    """Yield a free path in the store for a folder that a computation makes; on failure it goes.

    Raises
    ------
    ProjectError
        If the store cannot be written.
    """
    check_writable(settings)
    folder = _aside(settings) / f"{uuid.uuid4().hex}{suffix}"
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """Yield a new folder in the store for files that are needed for a while; it goes at the end.

    Raises
    ------
    ProjectError
        If the store cannot be written.
    """
    with new_folder(settings, ".tmp") as folder:
        folder.mkdir(parents=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def adopted(table: Any, key: dict[str, Any], field: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Move a folder to the place of a row's ``<object@>`` field and yield what the row stores.

    When the insertion inside the ``with`` fails, the folder goes; that of a worker's attempt goes
    back to where it was, because the worker may insert it again.

    Parameters
    ----------
    table : datajoint.Table
        The table of the row.
    key : dict
        Its primary key.
    field : str
        The ``<object@…>`` attribute.
    folder : Path
        Made in `new_folder` of the same store.
    """
    spec = table.connection._config.get_store_spec(table.heading[field].store)
    path, _ = build_object_path(
        schema=table.database,
        table=table.class_name,
        field=field,
        primary_key=key,
        ext=folder.suffix,
        schema_prefix=spec["schema_prefix"],
    )
    place = Path(spec["location"]) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(place)
    files = [file for file in place.rglob("*") if file.is_file()]
    try:
        yield {
            "path": path,
            "store": table.heading[field].store,
            "size": sum(file.stat().st_size for file in files),
            "ext": folder.suffix,
            "is_dir": True,
            "item_count": len(files),
            "timestamp": datetime.now(UTC).isoformat(),
        }
    except BaseException:
        if _attempt_id():
            place.rename(folder)
        else:
            shutil.rmtree(place, ignore_errors=True)
        raise


def stored_path(settings: Settings, reference: Any) -> Path:
    """Return the folder that a fetched ``<object@>`` value stands for."""
    return settings.store / reference.path
