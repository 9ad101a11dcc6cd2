"""Whose a store is: a file in it says so, because two projects would take each other's files."""

import json
import uuid
from pathlib import Path
from typing import Any

from datajoint.errors import DataJointError

from schemas.settings import SETTINGS_FILE, ProjectError, Settings

OWNER_FILE = "mesmerize-store.json"
OF_THE_SYSTEM = "lost+found"
"""What a disk of its own has; names with a dot do not count either."""


def check_place(store: Path, folder: Path) -> None:
    """Refuse a store that a new project cannot have, before anything of the project is made.

    Parameters
    ----------
    store : Path
        Where the store is to be, absolute.
    folder : Path
        Where the project is to be, absolute.

    Raises
    ------
    ProjectError
        If it is no folder, would hold the project itself, lies in another project, holds other
        files, or cannot be made or written.
    """
    if store.exists() and not store.is_dir():
        raise ProjectError(f"the store {store} is a file; name a folder with --store.")
    if folder.is_relative_to(store):
        raise ProjectError(
            f"the store {store} would hold the project {folder} itself; name a folder of its own."
        )
    if said_owner(store) is None:  # else it is compared with the project that the server holds
        _check_foreign_folders(store, folder)
        if store.is_dir() and _has_files(store):
            raise ProjectError(
                f"the store {store} holds files already, and none of them says which project's "
                "they are; name an empty folder."
            )
        _try_to_write(store)


def _check_foreign_folders(store: Path, folder: Path) -> None:
    """Refuse what lies in another project, or in its store."""
    for above in store.parents:
        if above != folder and (above / SETTINGS_FILE).exists():
            raise ProjectError(
                f"the store {store} lies in another project, {above}; name a folder outside of it."
            )
        if said_owner(above) is not None:
            raise ProjectError(
                f"the store {store} lies in {above}, which is the store of another project; name "
                "a folder outside of it."
            )


def _has_files(folder: Path) -> bool:
    """Return whether somebody keeps something in a folder."""
    try:
        return any(
            path.name != OF_THE_SYSTEM and not path.name.startswith(".")
            for path in folder.iterdir()
        )
    except OSError as error:
        raise _unusable(folder, error) from error


def _try_to_write(store: Path) -> None:
    """Refuse a folder that cannot be made or written; it is then as it was."""
    missing = [path for path in (store, *store.parents) if not path.exists()]
    probe = store / f".{uuid.uuid4().hex}"
    try:
        store.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unusable(store, error) from error
    finally:
        for path in missing:
            if path.is_dir():
                path.rmdir()


def _unusable(store: Path, error: OSError) -> ProjectError:
    return ProjectError(
        f"the store {store} cannot be used: {error.strerror}; check its disk and its permissions, "
        "or name another folder."
    )


def said_owner(store: Path) -> dict[str, str] | None:
    """Return what a folder says of the project whose store it is; None: it is no store."""
    try:
        return dict(json.loads((store / OWNER_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def check_owner(settings: Settings, connection: Any) -> None:
    """Refuse a store of another project than the one that the server holds.

    Parameters
    ----------
    settings : Settings
        Of a project folder; its store may be there or not.
    connection : datajoint.Connection
        To the server; the project's tables may be there or not.

    Raises
    ------
    ProjectError
        If the store says that it is another's.
    """
    said = said_owner(settings.store)
    if said is not None and said != owner(settings, connection):
        raise ProjectError(
            f"the store {settings.store} is that of another project, {said.get('project')!r}; "
            "name a folder of its own as [store] in mesmerize.toml, or with mesmerize init --store."
        )


def owner(settings: Settings, connection: Any) -> dict[str, str] | None:
    """Return what tells the project on a server from all others; None: it is not there yet."""
    quote = connection.adapter.quote_identifier
    schema = f"{settings.schema_prefix}project"
    query = f"SELECT project, created FROM {quote(schema)}.{quote('project')}"
    try:
        found = connection.query(query).fetchone()
    except DataJointError:  # no such table
        return None
    return found and {"project": found[0], "made": found[1].isoformat(timespec="seconds")}


def claim(settings: Settings, connection: Any) -> None:
    """Write into the store whose it is, where it does not say so.

    Parameters
    ----------
    settings : Settings
        Of the project.
    connection : datajoint.Connection
        To the server that holds the project.

    Raises
    ------
    OSError
        If the store cannot be written.
    """
    whose = owner(settings, connection)
    if said_owner(settings.store) == whose:
        return
    settings.store.mkdir(parents=True, exist_ok=True)
    written = settings.store / f".{uuid.uuid4().hex}"
    written.write_text(json.dumps(whose, indent=2) + "\n")
    written.replace(settings.store / OWNER_FILE)
