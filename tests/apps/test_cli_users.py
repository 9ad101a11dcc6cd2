"""Accounts, as somebody types it; passwords are never words of a command."""

import io
import json
import re
import stat
import sys

import pytest

from schemas import accounts
from schemas.access import ROLES, Account
from schemas.connection import connect, connect_session
from schemas.settings import PROJECT_VARIABLE

pytestmark = pytest.mark.db


@pytest.fixture
def here(database, monkeypatch):
    """Be in the folder of a project; its accounts go at the end."""
    monkeypatch.chdir(database.settings.folder)
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    yield database
    monkeypatch.delenv("MESMERIZE_USER", raising=False)
    owner = connect(database.settings)
    for member in accounts.members(owner):
        accounts.remove_member(owner, member.name)
    if not database.settings.embedded:
        for role in ROLES:
            owner.connection.query(f"DROP ROLE IF EXISTS {owner.settings.schema_prefix}{role}")


@pytest.fixture
def vera(here):
    return f"vera{here.settings.schema_prefix}"


def test_an_account_is_made_listed_changed_and_removed(here, vera, mesmerize):
    assert (
        mesmerize("users", "list")[1] == "No accounts yet; the owner of the server works alone.\n"
    )

    code, out, _ = mesmerize("users", "add", vera, "--role", "viewer")

    assert code == 0
    assert out.startswith(f"{vera} is a viewer of this project.\n")
    if here.settings.embedded:
        assert f"MESMERIZE_USER={vera} mesmerize status" in out
    else:
        (password,) = re.findall("shown this once: (.{20})\n", out)
        assert connect_session(here.settings, Account(vera, password)).connection.role == "viewer"
    assert json.loads(mesmerize("users", "list", "--json")[1]) == [{"name": vera, "role": "viewer"}]
    assert vera in mesmerize("users", "list")[1]
    code, out, _ = mesmerize("users", "role", vera, "analyst")
    assert (code, out) == (
        0,
        f"{vera} is an analyst now; new rights come with its next connection.\n",
    )
    assert mesmerize("users", "remove", vera)[:2] == (0, f"The account {vera} is removed.\n")
    assert json.loads(mesmerize("users", "list", "--json")[1]) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "vera", "--role", "boss"), "the role must be one of viewer, analyst, operator"),
        (("add", "ve ra", "--role", "viewer"), "the name of an account must be"),
        (("remove", "nobody"), "'nobody' has no role in this project; the accounts are: none yet"),
        (("role", "nobody", "viewer"), "'nobody' has no role in this project"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_gets_one_sentence(mesmerize, words, sentence):
    code, _, err = mesmerize("users", *words)

    assert code == 1
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_chosen_password_is_read_and_not_shown(here, vera, mesmerize, monkeypatch):
    if here.settings.embedded:
        code, _, err = mesmerize("users", "password", vera, "--password-stdin")
        assert code == 1
        assert "the embedded server has no passwords" in err
        return
    monkeypatch.setattr(sys, "stdin", io.StringIO("deep blue sea\n"))
    code, out, _ = mesmerize("users", "add", vera, "--role", "viewer", "--password-stdin")
    assert code == 0
    assert "sea" not in out
    assert connect_session(here.settings, Account(vera, "deep blue sea")).connection.role

    monkeypatch.setattr("getpass.getpass", lambda _: "wide green lake")
    assert mesmerize("users", "password", vera, "--ask")[0] == 0
    assert connect_session(here.settings, Account(vera, "wide green lake")).connection.role

    answers = iter(["wide green lake", "wide green bake"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    code, _, err = mesmerize("users", "password", vera, "--ask")
    assert code == 1
    assert "the two passwords differ; nothing was changed" in err


def test_ones_own_new_password_is_kept_by_the_folder(here, vera, mesmerize, tmp_path, monkeypatch):
    """A viewer joins with a folder of their own, and changes the password there."""
    if here.settings.embedded:
        pytest.skip("the embedded server has no passwords")
    info = here.connection.conn_info
    owner = here.settings
    accounts.add_member(here, vera, "viewer", "deep blue sea")
    monkeypatch.setenv("DJ_PASS", "deep blue sea")
    server = f"mysql://{vera}@{info['host']}:{info['port']}"
    code, _, err = mesmerize(
        "init", tmp_path / "mine", "--server", server, "--prefix", owner.schema_prefix
    )
    assert code == 0, err
    monkeypatch.delenv("DJ_PASS")
    monkeypatch.chdir(tmp_path / "mine")
    assert mesmerize("status")[0] == 0

    assert mesmerize("users", "password")[0] == 0

    assert mesmerize("status")[0] == 0
    file = tmp_path / "mine" / ".secrets" / "database.password"
    assert file.read_text() != "deep blue sea"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir()} == {".gitignore", file.name}
    code, _, err = mesmerize("ingest", "x.tif", "--animal", "a", "--session", "b", "--trial", "c")
    assert code == 1
    code, _, err = mesmerize("users", "add", "somebody", "--role", "admin")
    assert code == 1
    assert err == (
        f"Error: the account {vera!r} is a viewer and may not manage accounts; "
        "an admin of the project can do it, or give the account another role.\n"
    )
    code, _, err = mesmerize("params", "delete", "motion", "default")
    assert code == 1
    assert "is a viewer and may not delete rows of the table '#motion_params'" in err


def test_on_the_embedded_server_an_account_guards_against_mistakes(
    embedded, mesmerize, monkeypatch
):
    monkeypatch.chdir(embedded.settings.folder)
    assert mesmerize("users", "add", "vera", "--role", "viewer")[0] == 0
    monkeypatch.setenv("MESMERIZE_USER", "vera")

    assert mesmerize("status")[0] == 0
    code, _, err = mesmerize("params", "add", "motion", "rigid", "mode=rigid")

    assert code == 1
    assert (
        "the account 'vera' is a viewer and may not add rows to the table '#motion_params'" in err
    )
