"""The accounts of a project's people: made, listed, changed and removed on the server itself."""

import os
import re
import secrets
from typing import NamedTuple

from schemas.access import ROLES, role_name, with_article
from schemas.connection import Database
from schemas.roles import keep_grants, server_of
from schemas.settings import PASSWORD_FILE, SECRETS_FOLDER, ProjectError, Settings

PASSWORD_BYTES = 15
SHORTEST_PASSWORD = 8
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
RESERVED = re.compile(r"root|postgres|public|none|(mysql|pg_|sys|event_).*", re.I)
PREFIX = re.compile(r"[A-Za-z0-9_]+")


class Member(NamedTuple):
    """An account of a project."""

    name: str
    """As its person signs in."""

    role: str
    """One of `schemas.access.ROLES`."""


def members(database: Database) -> list[Member]:
    """List the accounts that have a role in a project, by name.

    Raises
    ------
    NotAllowed
        If this account may not see them.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    highest: dict[str, str] = {}
    found = server_of(connection).members(connection, _role_names(prefix))
    for name, role in sorted(found, key=lambda pair: ROLES.index(pair[1].removeprefix(prefix))):
        highest[name] = role.removeprefix(prefix)
    return [Member(name, role) for name, role in sorted(highest.items())]


def add_member(database: Database, name: str, role: str, password: str = "") -> bool:
    """Make an account with a role; one that the server has already only gets the role.

    Parameters
    ----------
    database : Database
        The connected tables, as an account that may make accounts.
    name : str
        As the person will sign in.
    role : str
        One of `schemas.access.ROLES`.
    password : str
        What it signs in with; the embedded server asks for none.

    Returns
    -------
    bool
        Whether the account is new on the server.

    Raises
    ------
    ProjectError
        If the name, the role or the password cannot be, or the account has a role already.
    NotAllowed
        If this account may not make accounts.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    server = server_of(connection)
    _check_name(name, server.LONGEST_NAME, prefix)
    _check_role(role)
    for member in members(database):
        if member.name == name:
            raise ProjectError(
                f"{name!r} is {with_article(member.role)} already; "
                f"give it another role with: mesmerize users role {name} {role}"
            )
    _make_roles(database)
    is_new = not server.is_account(connection, name)
    if is_new:
        check_password(password, needed=not database.settings.embedded)
        server.create(connection, name, password)
    try:
        server.give(connection, name, role_name(prefix, role), role_name(prefix, ROLES[-1]))
    except BaseException:
        if is_new:
            server.drop(connection, name)
        raise
    return is_new


def change_role(database: Database, name: str, role: str) -> None:
    """Give an account of the project another role.

    Raises
    ------
    ProjectError
        If it is no account of the project, or there is no such role.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    _check_role(role)
    before = find_member(database, name).role
    if before == role:
        return
    _check_not_oneself(database, name)
    server, admin = server_of(connection), role_name(prefix, ROLES[-1])
    server.take(connection, name, role_name(prefix, before), admin)
    server.give(connection, name, role_name(prefix, role), admin)


def remove_member(database: Database, name: str) -> bool:
    """Take an account out of the project.

    Parameters
    ----------
    database : Database
        The connected tables, as an account that may make accounts.
    name : str
        The account.

    Returns
    -------
    bool
        Whether it is gone from the server; one that other projects use stays there.

    Raises
    ------
    ProjectError
        If it is no account of the project, or your own.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    member = find_member(database, name)
    _check_not_oneself(database, name)
    server = server_of(connection)
    server.take(connection, name, role_name(prefix, member.role), role_name(prefix, ROLES[-1]))
    if server.is_used_elsewhere(connection, name):
        return False
    server.drop(connection, name)
    return True


def change_password(database: Database, name: str | None, password: str) -> None:
    """Give an account of the project another password.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str or None
        The account; None: that of the connection.
    password : str
        The new one.

    Raises
    ------
    ProjectError
        If it is no account of the project, or the password is too short.
    """
    server = server_of(database.connection)
    check_password(password, needed=True)
    if name is None:
        server.set_own_password(database.connection, password)
    else:
        server.set_password(database.connection, find_member(database, name).name, password)


def find_member(database: Database, name: str) -> Member:
    """Return an account of the project.

    Raises
    ------
    ProjectError
        If there is none of that name.
    """
    found = {member.name: member for member in members(database)}
    if name not in found:
        names = ", ".join(found) or "none yet"
        raise ProjectError(f"{name!r} has no role in this project; the accounts are: {names}.")
    return found[name]


def new_password() -> str:
    """Return a password that nobody guesses."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def check_password(password: str, *, needed: bool) -> None:
    """Refuse a password that is too short.

    Parameters
    ----------
    password : str
        What somebody chose.
    needed : bool
        Whether there must be one.

    Raises
    ------
    ProjectError
        If it is too short.
    """
    if (needed or password) and len(password) < SHORTEST_PASSWORD:
        raise ProjectError(
            f"a password needs {SHORTEST_PASSWORD} characters or more; this one has "
            f"{len(password)}."
        )


def renew_password(settings: Settings, password: str) -> bool:
    """Keep the new password of the folder's own account where the old one was.

    Parameters
    ----------
    settings : Settings
        The project.
    password : str
        The new one.

    Returns
    -------
    bool
        Whether it was kept; not where the password comes from elsewhere.
    """
    file = settings.folder / SECRETS_FOLDER / PASSWORD_FILE
    if "DJ_PASS" in os.environ or not file.is_file():
        return False
    aside = file.with_name(f"{PASSWORD_FILE}.new")
    aside.touch(mode=0o600)
    aside.write_text(password)
    aside.replace(file)
    return True


def _make_roles(database: Database) -> None:
    """Make the project's roles when the first account needs them, and see to their rights."""
    connection, prefix = database.connection, database.settings.schema_prefix
    server, names = server_of(connection), _role_names(prefix)
    if not PREFIX.fullmatch(prefix) or max(map(len, names)) > server.LONGEST_NAME:
        raise ProjectError(
            "accounts need a schema prefix of letters, digits and underscores, at most "
            f"{server.LONGEST_NAME - max(map(len, ROLES))} of them; got {prefix!r}."
        )
    if not server.exist(connection, names):
        server.make(connection, names, prefix)
    keep_grants(database)


def _role_names(prefix: str) -> list[str]:
    return [role_name(prefix, role) for role in ROLES]


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ProjectError(f"the role must be one of {', '.join(ROLES)}; got {role!r}.")


def _check_name(name: str, longest: int, prefix: str) -> None:
    """Refuse names that the server keeps for itself, or that no command line could take."""
    if not NAME.fullmatch(name) or len(name) > longest:
        raise ProjectError(
            f"the name of an account must be 1 to {longest} letters, digits and _ . - and begin "
            f"with a letter; got {name!r}."
        )
    if RESERVED.fullmatch(name) or name in _role_names(prefix):
        raise ProjectError(f"{name!r} is a name of the server's own; choose another.")


def _check_not_oneself(database: Database, name: str) -> None:
    if name == database.connection.conn_info["user"]:
        raise ProjectError(
            f"{name!r} is the account you are connected with; another admin can change that."
        )
