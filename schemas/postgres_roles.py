"""Roles and accounts as PostgreSQL knows them; the same functions as `schemas.mysql_roles`.

The admin role owns the tables, so that an admin may do anything with those that another one made.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg2.extensions import encrypt_password

READERS_NEED_REFERENCES = True
"""Without it, the information schema does not tell a reader which columns are keys."""

LONGEST_NAME = 63


def exist(connection: Any, roles: Sequence[str]) -> bool:
    """Return whether the roles were made."""
    return is_account(connection, roles[0])


def make(connection: Any, roles: Sequence[str], prefix: str) -> None:  # noqa: ARG001
    """Make the roles, each with the rights of the one before it, the last one an admin's."""
    names = [connection.adapter.quote_identifier(role) for role in roles]
    for role, name in zip(roles, names, strict=True):
        if not is_account(connection, role):
            connection.query(f"CREATE ROLE {name} NOLOGIN")
    *others, admin = names
    for lower, upper in zip(others, others[1:], strict=False):
        connection.query(f"GRANT {lower} TO {upper}")
    connection.query(f"GRANT {', '.join(others)} TO {admin} WITH ADMIN OPTION")
    (here,) = connection.query("SELECT current_database()").fetchone()
    connection.query(
        f"GRANT CREATE ON DATABASE {connection.adapter.quote_identifier(here)} TO {admin}"
    )


def prepare(connection: Any, roles: Sequence[str], schemas: Iterable[str]) -> None:
    """Let readers into the schemas, and give what this account made to the admin role."""
    quote = connection.adapter.quote_identifier
    viewer, admin = roles[0], roles[-1]
    places = tuple(schemas)
    marks = ", ".join(["%s"] * len(places))
    closed = connection.query(
        f"SELECT nspname FROM pg_namespace WHERE nspname IN ({marks}) "
        "AND NOT has_schema_privilege(%s, oid, 'USAGE')",
        args=(*places, viewer),
    ).fetchall()
    for (schema,) in closed:
        connection.query(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {quote(viewer)}")
    own = "r.rolname <> %s AND pg_has_role(current_user, r.oid, 'USAGE')"
    for (schema,) in connection.query(
        "SELECT nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner "
        f"WHERE nspname IN ({marks}) AND {own}",
        args=(*places, admin),
    ).fetchall():
        connection.query(f"ALTER SCHEMA {quote(schema)} OWNER TO {quote(admin)}")
    for schema, table in connection.query(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"JOIN pg_roles r ON r.oid = c.relowner WHERE c.relkind = 'r' AND n.nspname IN ({marks}) "
        f"AND {own}",
        args=(*places, admin),
    ).fetchall():
        connection.query(f"ALTER TABLE {quote(schema)}.{quote(table)} OWNER TO {quote(admin)}")


def held(
    connection: Any, roles: Sequence[str], schemas: Iterable[str]
) -> set[tuple[str, str, str, str, str]]:
    """Return the rights that roles hold: role, privilege, schema, table, column."""
    names, places = tuple(roles[:-1]), tuple(schemas)
    where = (
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = a.grantee "
        f"WHERE r.rolname IN ({', '.join(['%s'] * len(names))}) AND c.relkind = 'r' "
        f"AND n.nspname IN ({', '.join(['%s'] * len(places))})"
    )
    found = connection.query(
        "SELECT r.rolname, a.privilege_type, n.nspname, c.relname, '' "
        f"FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a {where} "
        "UNION SELECT r.rolname, a.privilege_type, n.nspname, c.relname, t.attname "
        "FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid "
        f"CROSS JOIN LATERAL aclexplode(t.attacl) a {where}",
        args=(names + places) * 2,
    )
    return {tuple(map(str, row)) for row in found.fetchall()}


def members(connection: Any, roles: Sequence[str]) -> list[tuple[str, str]]:
    """Return the accounts that have one of the roles, and which."""
    marks = ", ".join(["%s"] * len(roles))
    found = connection.query(
        "SELECT u.rolname, r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
        f"JOIN pg_roles u ON u.oid = m.member WHERE r.rolname IN ({marks}) AND u.rolcanlogin "
        "AND m.inherit_option",
        args=tuple(roles),
    ).fetchall()
    return [(str(user), str(role)) for user, role in set(found)]


def is_account(connection: Any, name: str) -> bool:
    """Return whether the server has an account, or a role, of that name."""
    found = connection.query("SELECT COUNT(*) FROM pg_roles WHERE rolname = %s", args=(name,))
    return bool(found.fetchone()[0])


def create(connection: Any, name: str, password: str) -> None:
    """Make an account, which may nothing yet."""
    connection.query(f"CREATE ROLE {connection.adapter.quote_identifier(name)} LOGIN")
    if password:
        set_password(connection, name, password)


def give(connection: Any, name: str, role: str, admin: str) -> None:
    """Give a role to an account."""
    quote = connection.adapter.quote_identifier
    if role == admin:
        if (name, admin) in _kept(connection):
            connection.query(f"REVOKE {quote(name)} FROM {quote(admin)}")
        connection.query(f"ALTER ROLE {quote(name)} CREATEROLE")
        connection.query(f"GRANT {quote(role)} TO {quote(name)} WITH ADMIN OPTION")
        return
    connection.query(f"GRANT {quote(role)} TO {quote(name)}")
    if (name, admin) in _kept(connection):
        return
    # any admin may then change or remove it, not only the one who made it
    connection.query(
        f"GRANT {quote(name)} TO {quote(admin)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
    )


def take(connection: Any, name: str, role: str, admin: str) -> None:
    """Take a role from an account, at once."""
    quote = connection.adapter.quote_identifier
    connection.query(f"REVOKE {quote(role)} FROM {quote(name)}")
    if role == admin:
        connection.query(f"ALTER ROLE {quote(name)} NOCREATEROLE")
        connection.query(f"REASSIGN OWNED BY {quote(name)} TO {quote(admin)}")


def is_used_elsewhere(connection: Any, name: str) -> bool:
    """Return whether an account has other roles than those that were taken from it."""
    found = connection.query(
        "SELECT COUNT(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member "
        "WHERE u.rolname = %s AND m.inherit_option",
        args=(name,),
    )
    return bool(found.fetchone()[0])


def drop(connection: Any, name: str) -> None:
    """Remove an account."""
    connection.query(f"DROP ROLE {connection.adapter.quote_identifier(name)}")


def set_password(connection: Any, name: str, password: str) -> None:
    """Give an account another password; the server is told its hash alone."""
    # the driver's own connection says which hash the server wants
    hashed = encrypt_password(password, name, scope=connection._conn, algorithm="scram-sha-256")  # noqa: SLF001
    connection.query(
        f"ALTER ROLE {connection.adapter.quote_identifier(name)} PASSWORD %s", args=(hashed,)
    )


def set_own_password(connection: Any, password: str) -> None:
    """Give the account of this connection another password."""
    set_password(connection, connection.conn_info["user"], password)


def _kept(connection: Any) -> set[tuple[str, str]]:
    """Return the accounts that roles may change: account, role."""
    found = connection.query(
        "SELECT r.rolname, u.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
        "JOIN pg_roles u ON u.oid = m.member"
    ).fetchall()
    return {(str(account), str(role)) for account, role in found}
