"""The embedded server: there while somebody uses it, found by all, private, its data kept."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import server
from schemas.settings import ProjectError, load_settings, write_project

USER = """
import sys, psycopg2
from pathlib import Path
from schemas import server
from schemas.settings import load_settings
settings = load_settings(Path(sys.argv[1]))
server.start(settings)
connection = psycopg2.connect(host=server.host(settings.folder), user="postgres", dbname="postgres")
print("in", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path):
    return make(tmp_path / "lab")


def make(folder):
    database = {"backend": "postgresql", "host": "", "port": 5432, "user": "postgres"}
    write_project(folder, database=database, password="", roots={"data": "data"})
    return load_settings(folder)


def user_process(settings):
    """Start another process that uses the server until it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", USER, str(settings.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return process


def running(settings):
    owner = server._server_owner(settings.folder)
    return server._running(settings.folder / server.SERVER_FOLDER, owner)


def finish(process):
    process.communicate("\n", timeout=30)


def test_server_runs_while_it_is_used_and_keeps_its_data(settings):
    server.start(settings)
    assert running(settings)

    server.leave(settings)
    assert not running(settings)
    assert (settings.folder / ".server" / "data" / "PG_VERSION").exists()

    server.start(settings)
    assert running(settings)
    server.leave(settings)


def test_second_process_finds_the_server_and_the_last_one_stops_it(settings):
    server.start(settings)
    other = user_process(settings)
    assert other.stdout.readline() == "in\n"

    server.leave(settings)
    assert running(settings)

    finish(other)
    assert not running(settings)


def test_killed_user_does_not_keep_the_server_alive(settings):
    killed = user_process(settings)
    assert killed.stdout.readline() == "in\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert running(settings)

    server.start(settings)
    server.leave(settings)

    assert not running(settings)


def test_five_processes_at_once_share_one_server(settings):
    processes = [user_process(settings) for _ in range(5)]

    assert [process.stdout.readline() for process in processes] == ["in\n"] * 5

    for process in processes:
        finish(process)
        assert process.returncode == 0
    assert not running(settings)


def test_killed_server_starts_again(settings):
    server.start(settings)
    pid = int((settings.folder / ".server/data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    server.leave(settings)

    server.start(settings)
    try:
        assert running(settings)
    finally:
        server.leave(settings)


def test_server_that_was_killed_under_its_user_starts_again(settings):
    server.start(settings)
    pid = int((settings.folder / ".server/data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)

    server.start(settings)
    try:
        assert running(settings)
    finally:
        server.leave(settings)
    assert not running(settings)


def test_pid_file_of_a_power_cut_does_not_prevent_a_start(settings):
    server.start(settings)
    file = settings.folder / ".server/data/postmaster.pid"
    text = file.read_text()
    server.leave(settings)
    # after a reboot the number is another process's: ours
    file.write_text(text.replace(text.split("\n", 1)[0], str(os.getpid()), 1))

    server.start(settings)
    try:
        assert running(settings)
    finally:
        server.leave(settings)


@pytest.mark.parametrize("name", ["a lab's folder", "x" * 120, "with: colon", "müller"])
def test_any_folder_name_works(tmp_path, name):
    settings = make(tmp_path / name)
    process = user_process(settings)
    try:
        assert process.stdout.readline() == "in\n"
    finally:
        finish(process)


def test_only_the_owner_may_reach_the_server(settings):
    server.start(settings)
    try:
        socket = Path(server.host(settings.folder))
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        configuration = (settings.folder / ".server/data/postmaster.pid").read_text().split("\n")
        assert configuration[5] == ""  # the TCP address it listens on
    finally:
        server.leave(settings)


def test_failed_start_says_the_servers_last_word(settings):
    server.start(settings)
    server.leave(settings)
    (settings.folder / ".server/data/postgresql.conf").write_text("no such setting\n")

    with pytest.raises(ProjectError, match="embedded database server failed"):
        server.start(settings)

    server.leave(settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_has_a_server_too():
    folder = Path("/tmp") / f"mesmerize-user-{os.getpid()}"
    # the interpreter may lie where only root can read: import all, then become the user
    imports, work = USER.split("settings =", 1)
    script = f"{imports}\nimport os; os.setgid(65534); os.setuid(65534)\nsettings ={work}"
    folder.mkdir()
    try:
        settings = make(folder / "lab")
        subprocess.run(["chown", "-R", "65534:65534", folder], check=True)
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, str(settings.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        out, err = process.communicate("\n", timeout=60)
        assert out == "in\n", err
        assert (settings.folder / ".server/data").stat().st_uid == 65534
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
