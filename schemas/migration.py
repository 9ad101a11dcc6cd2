"""Tables of an earlier version get the columns that have come since; nothing else changes."""

import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import datajoint as dj
from datajoint.declare import compile_attribute
from datajoint.heading import Heading
from datajoint.utils import from_camel_case

COLUMN = re.compile(r"^\s*(\w+)\s*(=[^:]*)?:")
DONE_ALREADY = re.compile(r"already exists|duplicate column", re.IGNORECASE)


def add_missing_columns(connection: Any, prefix: str, modules: Mapping[str, ModuleType]) -> None:
    """Add to the tables of a project the columns that they lack.

    Rows that are there get the default of a new column, so each needs one: ``null`` where nothing
    can be said of them.

    Parameters
    ----------
    connection : datajoint.Connection
        To the project's server.
    prefix : str
        What the names of its schemas begin with.
    modules : mapping
        The schemas by name, activated.

    Raises
    ------
    datajoint.errors.DataJointError
        If the account may not change tables.
    """
    for table, missing in missing_columns(connection, prefix, modules).items():
        for name, line in missing.items():
            _add(table, name, line)
        table._heading = Heading(table_info=table.heading.table_info)


def missing_columns(
    connection: Any, prefix: str, modules: Mapping[str, ModuleType]
) -> dict[Any, dict[str, str]]:
    """Return what the tables on the server lack, in one question to it.

    Parameters
    ----------
    connection : datajoint.Connection
        To the project's server.
    prefix : str
        What the names of its schemas begin with.
    modules : mapping
        The modules that define the schemas, by name.

    Returns
    -------
    dict
        The lines of the definition by the name of the column, by table; of a table that is not
        there, all.
    """
    schemas = tuple(f"{prefix}{name}" for name in modules)
    found = connection.query(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        f"WHERE table_schema IN ({', '.join(['%s'] * len(schemas))})",
        args=schemas,
    ).fetchall()
    there = set(found)
    lacking = {}
    for schema, module in zip(schemas, modules.values(), strict=True):
        for table_name, table in _tables(module):
            columns = _columns(table).items()
            missing = {
                name: line for name, line in columns if (schema, table_name, name) not in there
            }
            if missing:
                lacking[table] = missing
    return lacking


def _tables(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the tables that a module defines by their names on the server, each before its parts.

    A part learns its name only when its schema is activated, which sessions of the app never do.
    """
    for table in vars(module).values():
        if isinstance(table, type) and table.__module__ == module.__name__:
            if issubclass(table, dj.Table):
                yield table.table_name, table
            for part in vars(table).values():
                if isinstance(part, type) and issubclass(part, dj.Part):
                    yield f"{table.table_name}__{from_camel_case(part.__name__)}", part


def _columns(table: Any) -> dict[str, str]:
    """Return the lines of a definition by the column that they define; references define none."""
    lines = table.definition.splitlines()
    found = ((COLUMN.match(line), line.strip()) for line in lines)
    return {match[1]: line for match, line in found if match}


def _add(table: Any, name: str, line: str) -> None:
    """Add one column."""
    adapter = table.connection.adapter
    _, sql, _, comment = compile_attribute(
        line, in_key=False, foreign_key_sql=[], context={}, adapter=adapter
    )
    statements = [*adapter.get_pending_enum_ddl(table.database)]
    statements += [f"ALTER TABLE {table.full_table_name} ADD {sql}"]
    if comment:
        statements += [adapter.column_comment_ddl(table.full_table_name, name, comment) or ""]
    for statement in filter(None, statements):
        try:
            table.connection.query(statement.replace('"{database}".', f'"{table.database}".'))
        except Exception as error:  # every driver has its own tree of errors
            if not DONE_ALREADY.search(str(error)):  # by another process, just now
                raise
