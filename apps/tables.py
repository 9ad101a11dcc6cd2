"""Tables and SQL, as a person names them."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from schemas.connection import MODULES, Database
from schemas.settings import ProjectError

COMPARISON = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")
READING = ("select", "with", "show", "explain", "describe", "values", "table")
LONGEST_CELL = 60


def find_table(database: Database, name: str) -> Any:
    """Return a table by its name: ``recording``, ``session.Recording``, ``Segmentation.Roi``.

    Raises
    ------
    ProjectError
        If there is none of that name.
    """
    tables = dict(all_tables(database))
    wanted = name.lower().replace("_", "")
    for full_name, table in tables.items():
        if wanted in (full_name.lower(), full_name.partition(".")[2].lower()):
            return table
    raise ProjectError(f"there is no table {name!r}; there are: {', '.join(tables)}.")


def list_tables(database: Database) -> list[dict[str, Any]]:
    """List the tables: the name here, the name in SQL, the number of rows."""
    return [
        {"table": name, "sql": table.full_table_name, "rows": len(table())}
        for name, table in all_tables(database)
    ]


def all_tables(database: Database) -> Iterator[tuple[str, Any]]:
    """Yield every table and part table with its name."""
    for module in MODULES:
        for name, table in vars(getattr(database, module)).items():
            # a module also holds the tables it imports: those belong to their own schema
            if not isinstance(table, type) or not _is_of_schema(database, module, table):
                continue
            yield f"{module}.{name}", table
            for part in vars(table).values():
                if isinstance(part, type) and _is_of_schema(database, module, part):
                    yield f"{module}.{name}.{part.__name__}", part


def _is_of_schema(database: Database, module: str, table: type) -> bool:
    return getattr(table, "database", None) == f"{database.settings.schema_prefix}{module}"


def rows(table: Any, where: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of a table that fulfil every comparison.

    Parameters
    ----------
    table : datajoint.Table
        From `find_table`.
    where : sequence of str
        Comparisons of a column and a value, as ``animal_id=m1`` or ``snr>=3``; the value is
        taken literally.

    Returns
    -------
    list of dict
        Columns of arrays and objects are left out.

    Raises
    ------
    ProjectError
        If a comparison cannot be read or names no column of the table.
    """
    query = table()
    names = query.heading.names
    plain = [name for name in names if query.heading[name].codec is None]
    for text in where:
        match = COMPARISON.fullmatch(text)
        if match is None or match[1] not in plain:
            raise ProjectError(
                f"--where must be a column, one of = != < <= > >=, and a value; got {text!r}; "
                f"the columns are: {', '.join(plain)}."
            )
        query = query & _comparison(query, *match.groups())
    return query.proj(*plain).to_dicts()


def _comparison(query: Any, column: str, operator: str, value: str) -> Any:
    """Return a restriction whose value cannot be read as SQL."""
    if operator == "=":
        return {column: value}
    quoted = query.connection.adapter.quote_identifier(column)
    literal = value if query.heading[column].numeric and _is_number(value) else _quote(value)
    return f"{quoted} {operator} {literal}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quote(text: str) -> str:
    """Quote text for SQL."""
    if "\\" in text:
        raise ProjectError("a value after --where must not have a backslash.")
    return "'" + text.replace("'", "''") + "'"


def read_only_sql(database: Database, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one reading SQL statement; the server refuses any change.

    Parameters
    ----------
    database : Database
        The connected tables.
    statement : str
        A ``SELECT``, or another statement that reads.

    Returns
    -------
    columns : list of str
        Their names.
    rows : list of tuple
        The values.

    Raises
    ------
    ProjectError
        If the statement is not a single one that reads, or the server refuses it.
    """
    text = statement.strip().removesuffix(";").strip()
    first = text.split(None, 1)[0].lower() if text else ""
    if ";" in text or first.lstrip("(") not in READING:
        raise ProjectError(
            f"only one statement that reads is run here ({', '.join(READING).upper()}); "
            f"got {statement!r}."
        )
    connection = database.connection
    connection.query("START TRANSACTION READ ONLY")
    try:
        cursor = connection.query(text.replace("%", "%%"))
        columns = [str(column[0]) for column in cursor.description or ()]
        return columns, [tuple(row) for row in cursor.fetchall()]
    except Exception as error:  # every driver has its own tree of errors
        reason = str(error.args[0] if len(error.args) == 1 else error).strip()
        raise ProjectError(f"the server refused the statement: {reason}") from error
    finally:
        connection.query("ROLLBACK")


def as_json(value: Any) -> str:
    """Return rows as JSON; dates as ISO text, bytes by their length."""
    return json.dumps(value, default=_plain, indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (bytes, memoryview)):
        return f"<{len(value)} bytes>"
    return str(value)


def cell_text(value: Any) -> str:
    """Return a value short enough for a table on a terminal."""
    plain = _plain(value) if isinstance(value, (date, datetime)) else value
    text = plain if isinstance(plain, str) else json.dumps(plain, default=_plain)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
