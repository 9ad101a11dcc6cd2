"""Showing what goes, and asking whether it may."""

import sys
from collections.abc import Mapping

import typer

from apps.tables import all_tables
from schemas.connection import Database
from schemas.settings import ProjectError


def print_going(database: Database, rows: Mapping[str, int]) -> None:
    """Print how many rows of which tables go.

    Parameters
    ----------
    database : Database
        The connected tables.
    rows : mapping
        Number of rows by the table's name in SQL.
    """
    names = {table.full_table_name: name for name, table in all_tables(database)}
    for sql_name, count in rows.items():
        print(f"{names.get(sql_name, sql_name):<28}{count:>8,} rows")


def may_delete(*, yes: bool) -> bool:
    """Return whether somebody says that all that was shown may go.

    Parameters
    ----------
    yes : bool
        Whether that was said already.

    Raises
    ------
    ProjectError
        If there is nobody to ask.
    """
    if not (yes or sys.stdin.isatty()):
        raise ProjectError(
            "nothing was deleted: there is no terminal to ask at; give --yes if all this is to go."
        )
    if yes or typer.confirm("Delete all this?"):
        return True
    print("Nothing was deleted.")
    return False
