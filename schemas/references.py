"""What rows say of objects in the store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.connection import Database
from schemas.settings import STORE


def storing_tables(database: Database) -> Iterator[Any]:
    """Yield the tables whose rows may refer to the store."""
    for module in database.modules.values():
        for name in module.schema.list_tables():
            table = module.schema.get_table(name)
            if [*table.heading.hash_objects, *table.heading.schema_objects]:
                yield table


def storing_columns(database: Database, module: str, table: str) -> list[str]:
    """Return the columns of a table whose values refer to the store; a queue of jobs has none.

    Parameters
    ----------
    database : Database
        The connected tables.
    module : str
        Name of the schema here.
    table : str
        Name of the table on the server.
    """
    if table.startswith("~"):
        return []
    heading = database.modules[module].schema.get_table(table).heading
    return [str(name) for name in (*heading.hash_objects, *heading.schema_objects)]


def references(table: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the key of each row with what it says of an object; no object is opened.

    Parameters
    ----------
    table : query
        A table of `storing_tables`, or a restriction of it.

    Yields
    ------
    key : dict
        The primary key of the row.
    said : dict
        ``path``, relative to the store, ``size``, and what else DataJoint keeps of it.
    """
    heading = table.heading
    for name in (*heading.hash_objects, *heading.schema_objects):
        for row in table.proj(name).cursor(as_dict=True):
            said = row.pop(name)
            said = json.loads(said) if isinstance(said, str) else said
            if said and said.get("store") in (None, STORE):
                yield row, said


def referenced(database: Database) -> set[Path]:
    """Return where the objects of all rows are."""
    store = database.settings.store.resolve()
    tables = storing_tables(database)
    return {store / said["path"] for table in tables for _, said in references(table)}
