"""The images and what they start: files that fit together, and programs that run without Docker."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.cli.main import COMMANDS
from schemas import accounts
from schemas.access import ROLES
from schemas.connection import MODULES, connect
from schemas.settings import CAIMAN_VARIABLE, load_settings
from schemas.setup import parse_server

DOCKER = Path(__file__).parents[1] / "docker"
ROOT = DOCKER.parent
IMAGES = ("Dockerfile", "caiman.Dockerfile")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
COMPUTE = ["work", "--until-done"]
OURS = {name: s for name, s in COMPOSE["services"].items() if s["image"].startswith("mesmerize")}


def instructions(name):
    """Return the instructions of a Dockerfile: word and rest, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DOCKER / name).read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


@pytest.mark.parametrize("name", IMAGES)
def test_all_that_is_copied_exists(name):
    for word, rest in instructions(name):
        if word == "COPY" and "--from" not in rest:
            *sources, _ = [part for part in rest.split() if not part.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_pinned_and_nobody_is_root(name):
    found = instructions(name)
    stages = [rest.split()[0] for word, rest in found if word == "FROM"]
    arguments = dict(rest.split("=", 1) for word, rest in found if word == "ARG")

    for image in stages:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", arguments.get(image.strip("${}"), image)), image
    assert [rest for word, rest in found if word == "USER"][-1] == "10001"
    assert len(stages) == 2


def test_every_package_is_in_the_image_and_no_secret():
    copied = " ".join(rest for word, rest in instructions("Dockerfile") if word == "COPY")
    for package in ("pipeline", "schemas", "populate_workers", "apps"):
        assert f"{package} {package}" in copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", "docker/secrets"} <= set(ignored)


def test_commands_of_the_services_are_ours():
    texts = [*(" ".join(service["command"]) for service in OURS.values())]
    texts += [" ".join(service.get("healthcheck", {}).get("test", [])) for service in OURS.values()]
    texts += [rest for word, rest in instructions("Dockerfile") if word in ("CMD", "HEALTHCHECK")]
    used = set(re.findall(r'mesmerize"?[, ]+"?(\w+)', " ".join(texts)))
    assert used >= {"app", "work", "backup", "health"}
    assert used - set(COMMANDS) == set()


def test_caiman_is_where_workers_look_for_it():
    found = instructions("caiman.Dockerfile")
    named = dict(rest.split("=", 1) for word, rest in found if word == "ENV")
    installed = next(rest for word, rest in found if word == "RUN")
    prefix = re.search(r"--prefix (\S+)", installed)[1]
    alone = ("image", "build", "profiles")

    assert named == {CAIMAN_VARIABLE: f"{prefix}/bin/python"}
    assert f"--from=caiman {prefix} {prefix}" in " ".join(rest for _, rest in found)
    assert "--channel conda-forge" in installed
    with_caiman, plain = OURS["worker-caiman"], OURS["worker"]
    assert {k: v for k, v in with_caiman.items() if k not in alone} == {
        k: v for k, v in plain.items() if k not in alone
    }
    assert with_caiman["profiles"] == ["caiman"]


def test_secrets_are_files_and_nowhere_else():
    text = (DOCKER / "compose.yaml").read_text()
    assert not re.search(r"PASS(WORD)?: ", text)
    for name, service in COMPOSE["services"].items():
        given = set(service.get("secrets", []))
        files = {
            Path(value).name
            for key, value in service.get("environment", {}).items()
            if key.endswith("_FILE")
        }
        assert files == given, name
        assert given <= set(COMPOSE["secrets"])
    assert "secrets" not in COMPOSE["services"]["app"]
    assert [name for name, s in OURS.items() if "root_password" in s.get("secrets", [])] == [
        "setup"
    ]


def test_volumes_are_declared_and_the_app_changes_none():
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{[^}]*\}", ".", volume).split(":")[0]
            assert source == "." or source in COMPOSE["volumes"], volume
    assert all(volume.endswith(":ro") for volume in COMPOSE["services"]["app"]["volumes"])
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        movies = [volume for volume in service["volumes"] if ":/data" in volume]
        assert all(volume.endswith(":ro") for volume in movies)


def test_ports_are_open_to_this_machine_alone():
    ports = [port for s in COMPOSE["services"].values() for port in s.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_passwords_are_made_up_once(tmp_path):
    command = ["sh", DOCKER / "secrets.sh", tmp_path / "secrets"]
    subprocess.run(command, check=True, capture_output=True)
    made = {p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()}
    subprocess.run(command, check=True, capture_output=True)

    assert made == {p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()}
    assert set(made) == {*COMPOSE["secrets"], ".gitignore"}
    passwords = [text.strip() for name, text in made.items() if name != ".gitignore"]
    assert len(set(passwords)) == 4
    assert min(map(len, passwords)) == 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the services have for a disk."""
    return tmp_path_factory.mktemp("docker")


@pytest.fixture(scope="module")
def machine(folder):
    """What a container gives its program: an environment, and secrets in files."""
    prefix = f"t{os.getpid()}_docker_"
    (folder / "data").mkdir()
    accounts = ("worker", "backup", "admin")
    for name in accounts:
        (folder / f"{name}_password").write_text(f"password of {name}\n")
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "HOME": str(folder),
        "MESMERIZE_PROJECT": str(folder / "project"),
        "MESMERIZE_PREFIX": prefix,
        "MESMERIZE_DATA": str(folder / "data"),
        **{f"{name.upper()}_USER": f"{name}.{prefix}" for name in accounts},
        **{f"{name.upper()}_PASSWORD_FILE": f"{folder}/{name}_password" for name in accounts},
    }


def run(machine, words, **more):
    """Run a command as the entry point of the image does."""
    return subprocess.run(
        ["sh", DOCKER / "entrypoint.sh", *words],
        env={**machine, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_the_entry_point_reads_secrets_from_files(machine, tmp_path):
    show = ["sh", "-c", 'printf %s "$DJ_USER:$DJ_PASS"']
    (tmp_path / "odd").write_text("a b'c\"$HOME`\\\n")

    done = run(machine, show, DJ_USER="vera", DJ_PASS_FILE=str(tmp_path / "odd"))
    missing = run(machine, show, DJ_PASS_FILE=str(tmp_path / "none"))

    assert done.stdout == "vera:a b'c\"$HOME`\\"
    assert missing.returncode == 1
    assert "DJ_PASS_FILE names" in missing.stderr
    assert missing.stdout == ""


@pytest.fixture(scope="module")
def lab(machine, folder):
    """A project on a MySQL server, made as the service `setup` does; it goes at the end."""
    if "MESMERIZE_TEST_MYSQL" not in os.environ:
        pytest.skip("no MySQL server: MESMERIZE_TEST_MYSQL is not set")
    server = parse_server(os.environ["MESMERIZE_TEST_MYSQL"])
    (folder / "root_password").write_text(server.password or "")
    owner = {"DJ_USER": server.user, "DJ_PASS_FILE": str(folder / "root_password")}
    machine = {**machine, "DJ_HOST": server.host, "DJ_PORT": str(server.port)}
    made = run(machine, [str(DOCKER / "setup.sh")], **owner)
    yield machine, owner, made
    database = connect(load_settings(folder / "project"))
    for member in accounts.members(database):
        accounts.remove_member(database, member.name)
    for role in ROLES:
        database.connection.query(f"DROP ROLE {machine['MESMERIZE_PREFIX']}{role}")
    for name in reversed(MODULES):
        database.connection.query(f"DROP DATABASE `{machine['MESMERIZE_PREFIX']}{name}`")


@pytest.mark.db
def test_what_the_services_start_works_together(lab, folder):
    machine, owner, made = lab
    again = run(machine, [str(DOCKER / "setup.sh")], **owner)
    assert made.returncode == again.returncode == 0, made.stderr + again.stderr
    assert (folder / "project" / ".secrets" / "database.password").read_text() == ""
    listed = run(machine, ["mesmerize", "users", "list", "--json"], **owner)
    roles = {m["name"].partition(".")[0]: m["role"] for m in json.loads(listed.stdout)}
    assert roles == {"worker": "operator", "backup": "viewer", "admin": "admin"}

    def account(name):
        return {
            "DJ_USER": machine[f"{name.upper()}_USER"],
            "DJ_PASS_FILE": machine[f"{name.upper()}_PASSWORD_FILE"],
        }

    movie = folder / "data" / "t1.npy"
    np.save(movie, np.random.default_rng(0).poisson(9, (20, 32, 32)).astype(np.uint16))
    where = shlex.split("--animal m1 --session 2026-11-22 --trial t1 --rate-hz 30")
    assert run(machine, ["mesmerize", "health"], **account("worker")).returncode == 0
    taken = run(machine, ["mesmerize", "ingest", str(movie), *where], **account("admin"))
    assert taken.returncode == 0, taken.stderr
    computed = run(machine, ["mesmerize", *COMPUTE], **account("worker"))
    assert computed.returncode == 0, computed.stderr
    counts = json.loads(run(machine, ["mesmerize", "status", "--json"], **account("backup")).stdout)
    assert counts["steps"]["recording_info"]["done"] == 1
    saved = run(machine, ["mesmerize", "backup", str(folder)], **account("backup"))
    assert saved.returncode == 0, saved.stderr
    assert len(list(folder.glob("*.mesmerize.tar"))) == 1
    refused = run(machine, ["mesmerize", "submit", "motion"], **account("backup"))
    assert "is a viewer and may not add rows to the table 'motion_task'" in refused.stderr


@pytest.mark.db
def test_a_health_check_tells_what_is_wrong(lab):
    machine, owner, _ = lab
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    away = run(machine, ["mesmerize", "health"], **owner, DJ_PORT=str(port))
    nobody = run(machine, ["mesmerize", "health"], DJ_USER="nobody-at-all", DJ_PASS="x")
    silent = run(machine, ["mesmerize", "health", "--app", f"http://127.0.0.1:{port}"])

    for done, sentence in (
        (away, "cannot be reached"),
        (nobody, "cannot be reached"),
        (silent, "does not serve"),
    ):
        assert done.returncode == 1
        assert sentence in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    command = ["sh", DOCKER / "entrypoint.sh", "mesmerize", "app", "--port", str(port)]
    with subprocess.Popen(command, env=machine, stdout=subprocess.DEVNULL) as app:
        try:
            for _ in range(150):
                served = run(machine, ["mesmerize", "health", "--app", f"http://127.0.0.1:{port}"])
                if served.returncode == 0:
                    break
                assert app.poll() is None
                time.sleep(0.2)
            assert served.stdout == f"The app at http://127.0.0.1:{port} serves.\n"
        finally:
            app.terminate()
