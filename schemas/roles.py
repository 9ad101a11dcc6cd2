"""What each role may do, table by table, and the grants on the server that say so.

A viewer reads. An analyst also enters what people decide: parameter sets, tasks, samples,
comments. An operator also takes movies in, computes, and handles jobs. An admin also deletes,
makes tables and accounts.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas import mysql_roles, postgres_roles
from schemas.access import ROLES, NotAllowed, role_name

ENTERED_BY_OPERATORS = ("animal", "session")
"""Schemas whose rows come with the movies; people add their comments."""

KEPT_BY_WORKERS = ("worker",)
"""Schemas in which the machinery keeps its books."""

WRITTEN_BY_ADMINS = (
    ("project", "project"),
    ("project", "roi_tag_type"),
    ("project", "custom_column"),
)
"""Tables that only an admin writes."""

EDITABLE: dict[tuple[str, str], tuple[str, ...] | None] = {
    ("animal", "animal"): None,
    ("session", "session"): ("comments",),
    ("session", "recording"): ("comments",),
    ("sample", "sample"): None,
    ("sample", "sample_value"): None,
    ("analysis", "dataset"): ("name",),
    ("project", "stimulus_type"): ("label",),
}
"""Columns that an analyst may change, by schema and table; None: all that are no key."""


class Grant(NamedTuple):
    """That a role may do something with a table, or with one column of it."""

    role: str
    """One of `ROLES`."""

    privilege: str
    """``SELECT``, ``INSERT``, ``UPDATE``, ``DELETE`` or ``REFERENCES``."""

    schema: str
    """The schema's name on the server."""

    table: str
    """The table's name on the server."""

    column: str = ""
    """Empty: the whole table."""


def keep_grants(database: Any) -> bool:
    """Give the roles of a project what they lack on its tables, and take what they have too much.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    bool
        Whether there are roles, and this account may see to their rights.
    """
    connection, prefix = database.connection, database.settings.schema_prefix
    if connection.role not in (None, "admin"):
        return False
    server = server_of(connection)
    names = [role_name(prefix, role) for role in ROLES]
    try:
        if not server.exist(connection, names):
            return False
        held = server.held(connection, names, schemas_of(database))
    except NotAllowed:
        return False  # the roles are somebody else's to keep
    server.prepare(connection, names, schemas_of(database))
    held = {Grant(name.removeprefix(prefix), *rest) for name, *rest in held}
    wanted = wanted_grants(database, references=server.READERS_NEED_REFERENCES)
    for verb, to_or_from, grants in (
        ("GRANT", "TO", wanted - held),
        ("REVOKE", "FROM", held - wanted),
    ):
        for statement in _statements(connection, prefix, verb, to_or_from, grants):
            connection.query(statement)
    return True


def server_of(connection: Any) -> Any:
    """Return the module that knows the roles of a connection's kind of server."""
    return mysql_roles if connection.adapter.backend == "mysql" else postgres_roles


def schemas_of(database: Any) -> dict[str, str]:
    """Return the names on the server of the project's schemas, with ours."""
    return {f"{database.settings.schema_prefix}{name}": name for name in database.modules}


def wanted_grants(database: Any, *, references: bool = False) -> set[Grant]:
    """Return the rights that the roles are to have on the tables as they are now.

    Parameters
    ----------
    database : Database
        The connected tables.
    references : bool
        Whether a reader needs ``REFERENCES`` to be told which columns are keys.

    Returns
    -------
    set of Grant
        Those of viewer, analyst and operator; an admin may do anything.
    """
    connection, schemas = database.connection, schemas_of(database)
    placeholders = ", ".join(["%s"] * len(schemas))
    tables = connection.query(
        "SELECT table_schema, table_name FROM information_schema.tables "
        f"WHERE table_schema IN ({placeholders})",
        args=tuple(schemas),
    ).fetchall()
    reading = ("SELECT", "REFERENCES") if references else ("SELECT",)
    wanted = set()
    for schema, table in tables:
        module = schemas[schema]
        wanted |= {Grant("viewer", privilege, schema, table) for privilege in reading}
        wanted |= {Grant(*right, schema, table) for right in _writing(module, table)}
        if (module, table) in EDITABLE:
            columns = EDITABLE[module, table] or _secondary(database, module, table)
            wanted |= {Grant("analyst", "UPDATE", schema, table, name) for name in columns}
    return wanted


def _writing(module: str, table: str) -> Iterable[tuple[str, str]]:
    """Return who may write what in a table, by its schema and its kind."""
    anything = ("INSERT", "UPDATE", "DELETE")
    if table.startswith("~~") or (module in KEPT_BY_WORKERS and not table.startswith("~")):
        return [("operator", privilege) for privilege in anything]
    if table.startswith("~") or (module, table) in WRITTEN_BY_ADMINS:
        return []
    if table.startswith("_") or module in ENTERED_BY_OPERATORS:
        return [("operator", "INSERT")]
    return [("analyst", "INSERT")]


def _secondary(database: Any, module: str, table: str) -> list[str]:
    """Return the columns of a table that are no key."""
    schema = database.modules[module].schema
    return [str(name) for name in schema.get_table(table).heading.secondary_attributes]


def _statements(
    connection: Any, prefix: str, verb: str, to_or_from: str, grants: Iterable[Grant]
) -> Iterable[str]:
    """Yield statements that change grants, one a role and table."""
    quote = connection.adapter.quote_identifier
    by_table: dict[tuple[str, str, str], list[Grant]] = {}
    for grant in sorted(grants):
        by_table.setdefault((grant.role, grant.schema, grant.table), []).append(grant)
    for (role, schema, table), same in by_table.items():
        rights = ", ".join(
            f"{grant.privilege} ({quote(grant.column)})" if grant.column else grant.privilege
            for grant in same
        )
        name = quote(role_name(prefix, role))
        yield f"{verb} {rights} ON {quote(schema)}.{quote(table)} {to_or_from} {name}"
