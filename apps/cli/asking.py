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


def may_delete(
    *,
    yes: bool,
    question: str = "Delete all this?",
    done: str = "deleted",
    what: str = "all this is",
) -> bool:
    """Return whether somebody says that all that was shown may go.

    Parameters
    ----------
    yes : bool
        Whether that was said already.
    question : str
        What is asked.
    done : str
        What would become of it.
    what : str
        What is to go, for where there is nobody to ask.

    Raises
    ------
    ProjectError
        If there is nobody to ask.
    """
    if not (yes or sys.stdin.isatty()):
        raise ProjectError(
            f"nothing was {done}: there is no terminal to ask at; give --yes if {what} to go."
        )
    if yes or typer.confirm(question):
        return True
    print(f"Nothing was {done}.")
    return False
