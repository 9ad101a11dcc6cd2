"""Roles and accounts as MySQL 8 knows them; the same functions as `schemas.postgres_roles`."""

from collections.abc import Iterable, Sequence
from typing import Any

READERS_NEED_REFERENCES = False
EVERYWHERE = "%"
LONGEST_NAME = 32


def exist(connection: Any, roles: Sequence[str]) -> bool:
    """Return whether the roles were made."""
    found = connection.query(
        "SELECT COUNT(*) FROM mysql.role_edges WHERE from_user = %s AND to_user = %s",
        args=(roles[0], roles[1]),
    ).fetchone()
    return bool(found[0])


def make(connection: Any, roles: Sequence[str], prefix: str) -> None:
    """Make the roles, each with the rights of the one before it, the last one an admin's."""
    *others, admin = (_quoted(connection, role) for role in roles)
    everything = "`" + prefix.replace("_", r"\_") + "%%`.*"
    statements = [f"CREATE ROLE IF NOT EXISTS {', '.join([*others, admin])}"]
    statements += [
        f"GRANT {lower} TO {upper}" for lower, upper in zip(others, others[1:], strict=False)
    ]
    statements += [
        f"GRANT {', '.join(others)} TO {admin} WITH ADMIN OPTION",
        f"GRANT ALL ON {everything} TO {admin} WITH GRANT OPTION",
        f"GRANT CREATE USER ON *.* TO {admin}",
        f"GRANT SELECT (Host, User) ON mysql.user TO {admin}",
    ]
    statements += [
        f"GRANT SELECT ON mysql.{table} TO {admin}"
        for table in ("role_edges", "tables_priv", "columns_priv")
    ]
    for statement in statements:
        connection.query(statement)


def prepare(connection: Any, roles: Sequence[str], schemas: Iterable[str]) -> None:
    """Do what comes before the rights on tables: on MySQL, nothing."""


def held(
    connection: Any, roles: Sequence[str], schemas: Iterable[str]
) -> set[tuple[str, str, str, str, str]]:
    """Return the rights that roles hold: role, privilege, schema, table, column."""
    names, places = tuple(roles), tuple(schemas)
    where = f"WHERE user IN ({_places(names)}) AND db IN ({_places(places)})"
    rights = set()
    for user, schema, table, privileges in connection.query(
        f"SELECT user, db, table_name, table_priv FROM mysql.tables_priv {where}",
        args=names + places,
    ):
        rights |= {(user, one, schema, table, "") for one in _upper(privileges)}
    for user, schema, table, column, privileges in connection.query(
        f"SELECT user, db, table_name, column_name, column_priv FROM mysql.columns_priv {where}",
        args=names + places,
    ):
        rights |= {(user, one, schema, table, column) for one in _upper(privileges)}
    return rights


def members(connection: Any, roles: Sequence[str]) -> list[tuple[str, str]]:
    """Return the accounts that have one of the roles, and which."""
    names = tuple(roles)
    found = connection.query(
        "SELECT to_user, from_user FROM mysql.role_edges "
        f"WHERE from_user IN ({_places(names)}) AND to_user NOT IN ({_places(names)})",
        args=names + names,
    ).fetchall()
    return [(str(user), str(role)) for user, role in found]


def is_account(connection: Any, name: str) -> bool:
    """Return whether the server has an account of that name."""
    found = connection.query("SELECT COUNT(*) FROM mysql.user WHERE User = %s", args=(name,))
    return bool(found.fetchone()[0])


def create(connection: Any, name: str, password: str) -> None:
    """Make an account, which may nothing yet."""
    connection.query("CREATE USER %s@%s IDENTIFIED BY %s", args=(name, EVERYWHERE, password))


def give(connection: Any, name: str, role: str, admin: str) -> None:
    """Give a role to an account, from its next connection on."""
    option = " WITH ADMIN OPTION" if role == admin else ""
    account = _quoted(connection, name)
    connection.query(f"GRANT {_quoted(connection, role)} TO {account}{option}")
    # also where the server does not say activate_all_roles_on_login
    connection.query(f"SET DEFAULT ROLE ALL TO {account}")


def take(connection: Any, name: str, role: str, admin: str) -> None:  # noqa: ARG001
    """Take a role from an account, at once."""
    connection.query(f"REVOKE {_quoted(connection, role)} FROM {_quoted(connection, name)}")


def is_used_elsewhere(connection: Any, name: str) -> bool:
    """Return whether an account has other roles than those that were taken from it."""
    found = connection.query(
        "SELECT COUNT(*) FROM mysql.role_edges WHERE to_user = %s", args=(name,)
    )
    return bool(found.fetchone()[0])


def drop(connection: Any, name: str) -> None:
    """Remove an account; its open connections may nothing from then on."""
    connection.query("DROP USER %s@%s", args=(name, EVERYWHERE))


def set_password(connection: Any, name: str, password: str) -> None:
    """Give an account another password."""
    connection.query("ALTER USER %s@%s IDENTIFIED BY %s", args=(name, EVERYWHERE, password))


def set_own_password(connection: Any, password: str) -> None:
    """Give the account of this connection another password."""
    connection.query("ALTER USER USER() IDENTIFIED BY %s", args=(password,))


def _quoted(connection: Any, name: str) -> str:
    """Quote the name of a role or account, which may come from everywhere."""
    return f"{connection.adapter.quote_string(name)}@'%%'"


def _places(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))


def _upper(privileges: Any) -> list[str]:
    """Return the words of a SET column, as GRANT writes them."""
    return [word.upper() for word in str(privileges).split(",") if word]
