"""A project folder: its ``mesmerize.toml``, its ``datajoint.json`` and its secrets."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datajoint.settings import Config, read_secret_file

from pipeline.checks import check_in_range
from schemas.worker_settings import WorkerSettings, parse_workers

SETTINGS_FILE = "mesmerize.toml"
DATAJOINT_FILE = "datajoint.json"
SECRETS_FOLDER = ".secrets"
PASSWORD_FILE = "database.password"
PROJECT_VARIABLE = "MESMERIZE_PROJECT"
CAIMAN_VARIABLE = "MESMERIZE_CAIMAN_PYTHON"
STORE = "main"
MEGABYTE = 1_000_000

TEMPLATE = """\
# Settings of this Mesmerize project. The database connection is in datajoint.json and .secrets/.

[server]
embedded = {embedded}          # true: a private PostgreSQL server in this folder

[database]
schema_prefix = "{prefix}"

[store]
location = {store}          # corrected movies and other large arrays; relative to this folder

[compute]
threads = {threads}
memory_mb = 1000            # one job plans its memory to stay below this

[app]
idle_minutes = 60           # on a lab server, who is away for longer signs in again

[caiman]
# python = "/opt/conda/envs/caiman/bin/python"   # has CaImAn; for parameter sets of its method

[workers]
# memory_mb = 12000         # for all jobs of a machine together; without: most of what it has
# beat_s = 10               # a worker that is silent for three times as long is taken for dead
# kills = 3                 # a job that ended its process so often is an error
# patience_s = 600          # how long a finished job waits for a server that is away
# time_limit_s = 86400      # longer jobs are ended and are errors

[data.roots]                # where movies may be read from: a name and a folder
{roots}
"""


class ProjectError(Exception):
    """The project folder, its server or its files cannot be used; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a project folder says about itself."""

    folder: Path
    """The project folder, absolute."""

    embedded: bool
    """Whether the server is a private one in the folder."""

    schema_prefix: str
    """What the names of all schemas begin with."""

    store: Path
    """Folder of corrected movies and large arrays."""

    threads: int
    """Threads that one job uses."""

    memory_bytes: int
    """Memory that one job plans with."""

    idle_s: float = 3600.0
    """How long a session of the app lasts that nobody uses."""

    caiman_python: Path | None = None
    """The interpreter that has CaImAn; None: none is named."""

    workers: WorkerSettings = WorkerSettings()
    """How workers behave."""

    roots: Mapping[str, Path] = field(default_factory=dict)
    """Folders that movies are read from, by name."""

    def locate(self, path: Path) -> tuple[str, str]:
        """Return the name of the data root that holds a file, and its path relative to it.

        Raises
        ------
        ProjectError
            If the file is outside all roots.
        """
        real = path.resolve()
        for name, root in self.roots.items():
            if real.is_relative_to(root.resolve()):
                return name, real.relative_to(root.resolve()).as_posix()
        allowed = ", ".join(f"{name} = {root}" for name, root in self.roots.items()) or "none"
        raise ProjectError(
            f"{path} is outside the data roots ({allowed}); move it there, "
            f"or add its folder to [data.roots] in {self.folder / SETTINGS_FILE}."
        )

    def resolve(self, root: str, path: str) -> Path:
        """Return where a file of a data root is on this machine.

        Raises
        ------
        ProjectError
            If the root is not configured here, or the path leads out of it.
        """
        if root not in self.roots:
            raise ProjectError(
                f"the data root {root!r} is not configured on this machine; "
                f"add it to [data.roots] in {self.folder / SETTINGS_FILE}."
            )
        folder = self.roots[root].resolve()
        full = (folder / path).resolve()
        if not full.is_relative_to(folder):
            raise ProjectError(f"the path {path!r} leads out of the data root {root!r}.")
        return full


def find_project(start: Path | None = None) -> Path:
    """Return the project folder: the given one, ``$MESMERIZE_PROJECT``, or the nearest above.

    Raises
    ------
    ProjectError
        If there is none.
    """
    given = start or os.environ.get(PROJECT_VARIABLE)
    candidates = [Path(given)] if given else [Path.cwd(), *Path.cwd().parents]
    for folder in candidates:
        if (folder / SETTINGS_FILE).is_file():
            return folder.resolve()
    raise ProjectError(
        f"no {SETTINGS_FILE} in {candidates[0]}{'' if given else ' or above it'}; "
        "make a project with: mesmerize init DIR, or go into its folder."
    )


def load_settings(start: Path | None = None) -> Settings:
    """Read the settings of a project folder.

    Raises
    ------
    ProjectError
        If there is no project, or ``mesmerize.toml`` cannot be used.
    """
    folder = find_project(start)
    file = folder / SETTINGS_FILE
    try:
        settings = _parse(folder, tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ProjectError(f"{file} cannot be used: {error}") from error
    # DataJoint's own configuration may put the store elsewhere
    return replace(settings, store=_store_folder(datajoint_config(settings)))


def _parse(folder: Path, values: dict[str, Any]) -> Settings:
    """Make settings of the tables of ``mesmerize.toml``."""
    compute = values.get("compute", {})
    threads = int(compute.get("threads", os.cpu_count() or 1))
    memory_mb = float(compute.get("memory_mb", 1000))
    check_in_range("threads", threads, 1, 1024)
    check_in_range("memory_mb", memory_mb, 100, 1e7)
    idle_minutes = float(values.get("app", {}).get("idle_minutes", 60))
    check_in_range("idle_minutes", idle_minutes, 0.05, 1440)
    return Settings(
        folder=folder,
        embedded=bool(values.get("server", {}).get("embedded", True)),
        schema_prefix=str(values.get("database", {}).get("schema_prefix", "mesmerize_")),
        store=folder / values.get("store", {}).get("location", "store"),
        threads=threads,
        memory_bytes=int(memory_mb * MEGABYTE),
        idle_s=60 * idle_minutes,
        caiman_python=_caiman_python(folder, values.get("caiman", {}).get("python")),
        workers=parse_workers(values.get("workers", {})),
        roots={k: folder / v for k, v in dict(values.get("data", {}).get("roots", {})).items()},
    )


def _caiman_python(folder: Path, named: str | None) -> Path | None:
    """Return the interpreter that has CaImAn: that of this machine, or that of the project."""
    interpreter = os.environ.get(CAIMAN_VARIABLE) or named
    return folder / Path(interpreter).expanduser() if interpreter else None


def write_project(
    folder: Path,
    *,
    database: Mapping[str, Any],
    password: str,
    roots: Mapping[str, str],
    prefix: str = "mesmerize_",
    store: str = "store",
) -> None:
    """Write the three parts of a new project's configuration.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    database : mapping
        ``backend``, ``host``, ``port``, ``user`` as DataJoint names them; PostgreSQL is the private
        server in the folder.
    password : str
        Goes to ``.secrets/``, readable by the owner alone.
    roots : mapping
        Data roots by name; relative ones are relative to the folder.
    prefix : str
        What the names of all schemas begin with.
    store : str
        Folder of large arrays; a relative one is relative to the project folder.
    """
    secrets = folder / SECRETS_FOLDER
    secrets.mkdir(mode=0o700, parents=True)
    (secrets / PASSWORD_FILE).touch(mode=0o600)
    (secrets / PASSWORD_FILE).write_text(password)
    (secrets / ".gitignore").write_text("*\n")
    configuration = {"database": dict(database), "loglevel": "WARNING"}
    (folder / DATAJOINT_FILE).write_text(json.dumps(configuration, indent=2) + "\n")
    text = TEMPLATE.format(
        embedded=json.dumps(database["backend"] == "postgresql"),
        prefix=prefix,
        store=_quoted(store),
        threads=os.cpu_count() or 1,
        roots="\n".join(f"{name} = {_quoted(path)}" for name, path in roots.items()),
    )
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")


def _quoted(text: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)  # a surrogate pair, as JSON has, is none of TOML


def datajoint_config(settings: Settings) -> Config:
    """Read the connection as DataJoint does: ``DJ_*``, then ``datajoint.json``, then secrets.

    Raises
    ------
    ProjectError
        If ``datajoint.json`` cannot be read.
    """
    file = settings.folder / DATAJOINT_FILE
    config = Config()
    if "DJ_LOG_LEVEL" not in os.environ:
        config.loglevel = "WARNING"  # its own default tells of every file and connection
    try:
        config.load(file)
    except (OSError, ValueError) as error:
        raise ProjectError(f"{file} cannot be used: {error}") from error
    secrets = settings.folder / SECRETS_FOLDER
    if config.database.user is None:
        config.database.user = read_secret_file(secrets, "database.user")
    if config.database.password is None:
        config.database.password = read_secret_file(secrets, PASSWORD_FILE) or ""
    config.stores = _stores(config, settings)
    config.safemode = False  # our own commands ask before they delete
    return config


def _store_folder(config: Config) -> Path:
    """Return where the store is, or refuse one that is not a folder."""
    spec = config.stores[STORE]
    if spec.get("protocol") != "file" or not spec.get("location"):
        raise ProjectError(
            f"the store {STORE!r} must be a folder (protocol 'file' and a location), because "
            f"movies are written into it block by block; got {spec!r}."
        )
    return Path(spec["location"])


def _stores(config: Config, settings: Settings) -> dict[str, Any]:
    """Return the configured stores; where there are none, the folder of ``mesmerize.toml``."""
    stores = json.loads(os.environ.get("DJ_STORES", "{}")) or dict(config.stores)
    if STORE not in stores:
        stores[STORE] = {"protocol": "file", "location": str(settings.store)}
    stores.setdefault("default", STORE)
    return stores
