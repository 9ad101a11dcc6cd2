"""The rows of a table as lines of text, alike for every server, and rows of such lines again.

A line is a JSON list of the values of a row, in the order of the columns. Bytes are
``{"bytes": base64}``, JSON is ``{"json": value}``, times are ISO text. Numbers keep every bit.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pymysql.cursors import SSCursor

ROWS_AT_ONCE = 20
"""A row with traces may have megabytes."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    """As the table says."""

    type: str
    """As its server calls it, without length."""


@contextmanager
def snapshot(connection: Any) -> Iterator[None]:
    """Let all that is read inside the ``with`` be of one moment."""
    if connection.adapter.backend == "mysql":
        connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    else:
        connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        connection.query("ROLLBACK")


def columns_of(connection: Any, schema: str, table: str) -> list[Column]:
    """Return the columns of a table, in their order."""
    found = connection.query(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        args=(schema, table),
    ).fetchall()
    return [Column(str(name), str(kind)) for name, kind in found]


def lines_of(
    connection: Any, schema: str, table: str, columns: list[Column]
) -> Iterator[tuple[list[Any], str]]:
    """Yield the rows of a table, with the line of each; few are in memory at once.

    Parameters
    ----------
    connection : datajoint.Connection
        Inside a `snapshot`.
    schema, table : str
        Their names on the server.
    columns : list of Column
        What to read.

    Yields
    ------
    values : list
        Of a row; JSON is decoded.
    line : str
        For a file.
    """
    for row in _rows(connection, _select(connection, schema, table, columns)):
        values = [_read(value, column) for value, column in zip(row, columns, strict=True)]
        yield values, json.dumps([_write(*pair) for pair in zip(values, columns, strict=True)])


def _select(connection: Any, schema: str, table: str, columns: list[Column]) -> str:
    """Return the statement that reads a table."""
    quote = connection.adapter.quote_identifier
    # MySQL rounds a FLOAT to six digits when it is read as what it is
    names = [
        f"CAST({quote(name)} AS DOUBLE)" if kind == "float" else quote(name)
        for name, kind in columns
    ]
    return f"SELECT {', '.join(names)} FROM {quote(schema)}.{quote(table)}"


def _rows(connection: Any, statement: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a statement while the server still reads."""
    if connection.adapter.backend == "mysql":
        # DataJoint's own cursors hold all rows in memory
        with SSCursor(connection._conn) as cursor:  # noqa: SLF001
            cursor.execute(statement)
            yield from cursor
        return
    connection.query(f"DECLARE dump NO SCROLL CURSOR FOR {statement}")
    while rows := connection.query(f"FETCH {ROWS_AT_ONCE} FROM dump").fetchall():
        yield from rows
    connection.query("CLOSE dump")


def _read(value: Any, column: Column) -> Any:
    """Return a value of a row as Python has it on every server."""
    if column.type == "json" and isinstance(value, (str, bytes)):
        return json.loads(value)
    return bytes(value) if isinstance(value, memoryview) else value


def _write(value: Any, column: Column) -> Any:
    """Return what stands in the line for a value."""
    if value is None:
        return None
    if column.type in ("json", "jsonb"):
        return {"json": value}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


def values_of(line: str, columns: list[Column]) -> list[Any]:
    """Return the values of a line, as the server of the columns takes them.

    Parameters
    ----------
    line : str
        From `lines_of`.
    columns : list of Column
        Of the table that the values go into, in the order of the line.
    """
    return [
        _restored(value, column) for value, column in zip(json.loads(line), columns, strict=True)
    ]


def _restored(value: Any, column: Column) -> Any:
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        return json.dumps(content) if kind == "json" else base64.b64decode(content)
    return bool(value) if column.type == "boolean" and value is not None else value
