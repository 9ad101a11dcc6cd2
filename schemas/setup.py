"""Making a project: its folder, its tables, its default parameter sets."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.extraction import CnmfParams
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.motion import MotionParams
from schemas import server
from schemas.connection import Database, connect, open_connection
from schemas.params import DEFAULT, ONE_PHOTON, VOLUME, add_params
from schemas.settings import (
    DATAJOINT_FILE,
    SECRETS_FOLDER,
    SETTINGS_FILE,
    ProjectError,
    Settings,
    load_settings,
    write_project,
)
from schemas.store_owner import check_owner, check_place, claim

EMBEDDED = "embedded"
DEFAULT_ROOT = "data"
MYSQL_PORT = 3306


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Where a MySQL server is."""

    host: str
    """Name or address of its machine."""

    port: int
    """Its TCP port."""

    user: str
    """The account to use."""

    password: str | None
    """Its password, when the address has it."""


def parse_server(text: str) -> ServerAddress:
    """Read ``mysql://user@host:port``.

    Raises
    ------
    ProjectError
        If the text is something else.

    Examples
    --------
    >>> parse_server("mysql://anna@labserver").port
    3306
    """
    url = urlsplit(text)
    try:
        port = url.port or MYSQL_PORT
    except ValueError:
        port = 0
    if url.scheme != "mysql" or not url.hostname or not url.username or not port:
        raise ProjectError(
            f"the server must be 'embedded' or mysql://user@host:port; got {text!r}."
        )
    password = unquote(url.password) if url.password is not None else None
    return ServerAddress(
        host=url.hostname, port=port, user=unquote(url.username), password=password
    )


def create_project(
    folder: Path,
    *,
    address: ServerAddress | None = None,
    roots: Mapping[str, str] | None = None,
    prefix: str = "mesmerize_",
    store: Path | None = None,
) -> Database:
    """Make a project folder and its tables, and connect to it.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    address : ServerAddress or None
        A MySQL server; None: the embedded server.
    roots : mapping
        Data roots by name; None: the folder ``data`` of the project.
    prefix : str
        What the names of all schemas begin with.
    store : Path or None
        Folder of corrected movies and large arrays, as on a large disk or a network share; None:
        the folder ``store`` of the project.

    Returns
    -------
    Database
        The connected tables.

    Raises
    ------
    ProjectError
        If the folder holds a project or a DataJoint configuration already or cannot be written, a
        data root does not exist, the store cannot be used or is another project's, or the server
        cannot be reached; then nothing is left behind.
    """
    _check_free(folder, roots or {})
    if store is not None:
        check_place(store.resolve(), folder.resolve())
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder.resolve(), address, roots or {DEFAULT_ROOT: DEFAULT_ROOT}, prefix, store)
        settings = load_settings(folder)
        if store is not None:
            _check_store(settings, store)
        database = connect(settings)
        _fill(database)
        claim(settings, database.connection)
    except BaseException as error:
        with suppress(ProjectError):
            server.leave(load_settings(folder))  # before its data go
        _remove(folder, whole=is_new)
        if isinstance(error, OSError):
            raise ProjectError(f"{folder} cannot be made a project: {error.strerror}.") from error
        raise
    return database


def _check_free(folder: Path, roots: Mapping[str, str]) -> None:
    """Refuse a folder whose configuration would be overwritten, and data roots that are missing."""
    if (folder / SETTINGS_FILE).exists():
        raise ProjectError(f"{folder} is a project already; go into it and work.")
    for name in (DATAJOINT_FILE, SECRETS_FOLDER, server.SERVER_FOLDER):
        if (folder / name).exists():
            raise ProjectError(
                f"{folder} has a {name} already; make the project in another folder."
            )
    for path in roots.values():
        if not Path(path).is_dir():
            raise ProjectError(
                f"the data folder {path} does not exist; make it, or check its name."
            )


def _check_store(settings: Settings, store: Path) -> None:
    """Refuse a store that variables put elsewhere, or that is another project's."""
    if settings.store.resolve() != store.resolve():
        raise ProjectError(
            f"the variable DJ_STORES names another store, {settings.store}; unset it, or leave out "
            "--store."
        )
    connection = open_connection(settings)
    try:
        check_owner(settings, connection)
    finally:
        connection.close()


def _write(
    folder: Path,
    address: ServerAddress | None,
    roots: Mapping[str, str],
    prefix: str,
    store: Path | None,
) -> None:
    """Write the configuration for a MySQL server or for the embedded one."""
    if address is None:
        database = {
            "backend": "postgresql",
            "host": server.host(folder),
            "port": server.PORT,
            "user": server.SUPERUSER,
            "use_tls": False,
        }
    else:
        database = {
            "backend": "mysql",
            "host": address.host,
            "port": address.port,
            "user": address.user,
        }
    password = (address.password or "") if address else ""
    for path in roots.values():
        (folder / path).mkdir(exist_ok=True)  # the default one; given ones exist
    write_project(
        folder,
        database=database,
        password=password,
        roots=roots,
        prefix=prefix,
        store=_place(store.resolve(), folder) if store is not None else "store",
    )


def _place(store: Path, folder: Path) -> str:
    """Return how the settings name a store; inside the project folder, it moves with that."""
    return str(store.relative_to(folder) if store.is_relative_to(folder) else store)


def _fill(database: Database) -> None:
    """Insert what every project begins with; a server that has it keeps it."""
    project = database.project.Project
    if not project():
        project.insert1({"project": database.settings.folder.name[:64]})
    for table, name, params in (
        (database.motion.MotionParams, DEFAULT, MotionParams()),
        (database.roi.SegmentationParams, DEFAULT, CnmfParams()),
        (database.roi.SegmentationParams, ONE_PHOTON, CnmfeParams()),
        (database.roi.SegmentationParams, VOLUME, Cnmf3dParams()),
    ):
        if not table & {"name": name}:
            add_params(table, name, params)


def _remove(folder: Path, *, whole: bool) -> None:
    """Take away what a failed attempt has written."""
    if whole:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in (SETTINGS_FILE, DATAJOINT_FILE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SECRETS_FOLDER, ignore_errors=True)
    shutil.rmtree(folder / server.SERVER_FOLDER, ignore_errors=True)
