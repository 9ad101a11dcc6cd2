"""From a project folder to connected tables."""

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import datajoint as dj
from datajoint.errors import DataJointError

from schemas import server
from schemas.access import Account, NotAllowed, ProjectConnection, own_role
from schemas.migration import add_missing_columns, missing_columns
from schemas.resources import RESOURCES, Resources
from schemas.roi_index import part_numbers
from schemas.roles import keep_grants
from schemas.settings import ProjectError, Settings, datajoint_config, load_settings

MODULES = (
    "project",
    "animal",
    "session",
    "motion",
    "given",
    "roi",
    "inspection",
    "curation",
    "sample",
    "stimulus",
    "analysis",
    "worker",
)
"""The schemas, each after those that it refers to."""

STEPS = {
    "recording_info": ("session", "RecordingInfo"),
    "motion_correction": ("motion", "MotionCorrection"),
    "motion_preview": ("motion", "MotionPreview"),
    "seed_inspection": ("inspection", "SeedInspection"),
    "segmentation": ("roi", "Segmentation"),
    "trace": ("roi", "Trace"),
    "edited_rois": ("curation", "EditedRois"),
    "node_result": ("analysis", "NodeResult"),
}
"""The computed tables, in the order in which they depend on each other."""

USER_VARIABLE = "MESMERIZE_USER"


@dataclass(frozen=True)
class Database:
    """The tables of one project over one connection: ``database.session.Recording``."""

    settings: Settings
    """The project."""

    connection: Any
    """The DataJoint connection, of one thread at a time."""

    modules: dict[str, ModuleType]
    """The schemas by name."""

    queues: dict[str, Any] = field(default_factory=dict)
    """DataJoint's queues of the steps, as far as they were asked for."""

    def __getattr__(self, name: str) -> ModuleType:
        try:
            return self.modules[name]
        except KeyError:
            raise AttributeError(f"there is no schema {name!r}") from None

    @property
    def account(self) -> str:
        """Who is connected, as rows say who entered them."""
        return str(self.connection.get_user().partition("@")[0])

    def step(self, name: str) -> Any:
        """Return the computed table of a step."""
        module, table = STEPS[name]
        return getattr(self.modules[module], table)

    def jobs(self, name: str) -> Any:
        """Return the queue of a step; DataJoint reads all dependencies anew to make one."""
        if name not in self.queues:
            self.queues[name] = self.step(name)().jobs
        return self.queues[name]

    def steps(self) -> Iterator[tuple[str, Any]]:
        """Yield the steps and their computed tables in the order of dependency."""
        for name in STEPS:
            yield name, self.step(name)


def open_connection(settings: Settings, account: Account | None = None) -> Any:
    """Connect to the project's server; an embedded one is started when it is not running.

    Parameters
    ----------
    settings : Settings
        The project.
    account : Account or None
        Who connects; None: the account of the project folder, on the embedded server its owner
        or, where it is set, the account that ``MESMERIZE_USER`` names.

    Raises
    ------
    ProjectError
        If the server cannot be reached or refuses the account.
    """
    config = datajoint_config(settings)
    if settings.embedded:
        config.database.backend = "postgresql"
        server.start(settings)
        config.database.host = server.host(settings.folder)  # the folder may have moved
        config.database.port = server.PORT
        config.database.user = os.environ.get(USER_VARIABLE) or server.SUPERUSER
        config.database.use_tls = False
    options = config.database
    if account is not None:
        options.user, options.password = account.user, account.password
    password = options.password.get_secret_value() if options.password else ""
    try:
        connection = ProjectConnection(
            options.host,
            options.user,
            password,
            options.port,
            options.use_tls,
            backend=options.backend,
            config_override=config,
        )
        connection.role = own_role(connection, settings.schema_prefix)
    except Exception as error:  # noqa: BLE001 every driver has its own tree of errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ProjectError(
            f"the database server {options.user}@{options.host}:{options.port} cannot be reached: "
            f"{reason}; check that it runs, and the connection in "
            f"{settings.folder / 'datajoint.json'} and .secrets/."
        ) from error
    return connection


def connect(settings: Settings | None = None, account: Account | None = None) -> Database:
    """Connect this process: the classes of ``schemas`` then stand for the project's tables.

    Schemas, tables and columns that do not exist yet are made, and the roles of the project get
    their rights on them, where the account may do so.

    Parameters
    ----------
    settings : Settings or None
        The project; None: that of the current folder.
    account : Account or None
        Who connects; None: the account of the project folder.

    Returns
    -------
    Database
        The connected tables.

    Raises
    ------
    ProjectError
        If there is no project here, its server cannot be reached or refuses the account, or tables
        or columns are missing that this account may not make.

    Notes
    -----
    One process has one such connection. A program with several users at once gives each a
    connection of its own with `connect_session`.
    """
    settings = settings or load_settings()
    connection = open_connection(settings, account)
    modules = {name: _defined(name) for name in MODULES}
    database = Database(settings, connection, modules)
    try:
        _make_tables(database)
    except DataJointError as error:
        if connection.role in (None, "admin") and not isinstance(error, NotAllowed):
            raise
        raise ProjectError(
            f"tables of {settings.schema_prefix}* or columns of them are missing, and the account "
            f"{connection.conn_info['user']!r} may not make them; an admin makes them by calling "
            "once: mesmerize status"
        ) from error
    RESOURCES.set(Resources(settings=settings))
    keep_grants(database)
    return database


def _make_tables(database: Database) -> None:
    """Let the classes stand for the project's tables, and make what is missing of them."""
    for name, module in database.modules.items():
        module.schema.database = None  # a process may change servers; only tests do
        schema = f"{database.settings.schema_prefix}{name}"
        module.schema.activate(schema, connection=database.connection)
    add_missing_columns(database.connection, database.settings.schema_prefix, database.modules)
    part_numbers(database.roi.Segmentation.Roi())
    for name in STEPS:
        database.jobs(name)  # makes the queue now: two workers that make it at once would clash


def connect_session(settings: Settings, account: Account | None = None) -> Database:
    """Connect one user session of a server process: its tables share nothing with other sessions.

    Parameters
    ----------
    settings : Settings
        The project.
    account : Account or None
        Whose session it is; None: the account of the project folder.

    Raises
    ------
    ProjectError
        If the server cannot be reached or refuses the account, or the tables have not been made
        yet, or lack columns.
    """
    connection = open_connection(settings, account)
    try:
        modules = {
            name: dj.VirtualModule(name, f"{settings.schema_prefix}{name}", connection=connection)
            for name in MODULES
        }
    except DataJointError as error:
        user = connection.conn_info["user"]
        connection.close()
        raise ProjectError(
            f"the account {user!r} finds no tables {settings.schema_prefix}*: an admin gives it a "
            f"role with: mesmerize users add {user}; tables that were never made are made by "
            "calling once: mesmerize status"
        ) from error
    defined = {name: _defined(name) for name in MODULES}
    if missing_columns(connection, settings.schema_prefix, defined):
        connection.close()
        raise ProjectError(
            f"the tables {settings.schema_prefix}* were made by an earlier version; an admin gives "
            "them the new columns by calling once: mesmerize status"
        )
    return Database(settings, connection, modules)


def _defined(name: str) -> ModuleType:
    """Return the module that defines a schema."""
    return importlib.import_module(f"schemas.{name}")
