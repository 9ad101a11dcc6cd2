"""Tables of an earlier version get the columns that have come since; nothing else changes."""

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import datajoint as dj
from datajoint.declare import compile_attribute
from datajoint.heading import Heading

COLUMN = re.compile(r"^\s*(\w+)\s*(=[^:]*)?:")
DONE_ALREADY = re.compile(r"already exists|duplicate column", re.IGNORECASE)


def add_missing_columns(module: ModuleType) -> None:
    """Add to the tables of a schema the columns that they lack.

    Rows that are there get the default of a new column, so each needs one: ``null`` where nothing
    can be said of them.

    Parameters
    ----------
    module : module
        One of the schemas, activated.

    Raises
    ------
    datajoint.errors.DataJointError
        If the account may not change tables.
    """
    for table in _tables(module):
        missing = _missing(table, table.heading.names)
        for name, line in missing.items():
            _add(table, name, line)
        if missing:
            table._heading = Heading(table_info=table.heading.table_info)


def lacks_columns(defined: ModuleType, found: ModuleType) -> bool:
    """Return whether tables on the server lack columns.

    Parameters
    ----------
    defined : module
        One of the schemas.
    found : module
        The same, as the server describes it.
    """
    for table in _tables(defined):
        there: Any = found
        for name in table.__qualname__.split("."):
            there = getattr(there, name)
        if _missing(table, there.heading.names):
            return True
    return False


def _tables(module: ModuleType) -> Iterator[Any]:
    """Yield the tables that a module defines, each before its parts."""
    for table in vars(module).values():
        if isinstance(table, type) and table.__module__ == module.__name__:
            if issubclass(table, dj.Table):
                yield table
            for part in vars(table).values():
                if isinstance(part, type) and issubclass(part, dj.Part):
                    yield part


def _missing(table: Any, names: list[str]) -> dict[str, str]:
    """Return the lines of the definition whose columns are not among the names."""
    lines = table.definition.splitlines()
    found = ((COLUMN.match(line), line.strip()) for line in lines)
    return {match[1]: line for match, line in found if match and match[1] not in names}


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
