"""Looking at what is there: tables, SQL, the app, the demonstration."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apps import tables
from apps.server import APP_PORT, LOOPBACK, serve
from schemas.connection import connect
from schemas.settings import ProjectError, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def show(
    table: Annotated[
        str | None,
        typer.Argument(help="As `recording` or `Segmentation.Roi`; without: list the tables."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Also < <= > >= !=; may be given several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the rows of a table, or without TABLE, all tables with their names in SQL.

    Example: `mesmerize show Segmentation.Roi --where accepted=1 --where 'snr>5'`
    """
    database = connect()
    if table is None:
        rows = tables.list_tables(database)
    else:
        rows = tables.rows(tables.find_table(database, table), where or ())
    if as_json:
        print(tables.as_json(rows))
        return
    columns = list(rows[0]) if rows else []
    _print_table(columns, [list(row.values()) for row in rows])


def sql(
    statement: Annotated[str, typer.Argument(help="One statement that reads.")],
    as_json: AsJson = False,
) -> None:
    """Run a SELECT; nothing can be changed this way.

    Example: `mesmerize sql "SELECT animal_id, trial FROM mesmerize_session.recording"`
    """
    columns, rows = tables.read_only_sql(connect(), statement)
    if as_json:
        print(tables.as_json([dict(zip(columns, row, strict=True)) for row in rows]))
        return
    _print_table(columns, rows)


def _print_table(columns: list[str], rows: list) -> None:
    """Print rows under their column names, or that there are none."""
    if not rows:
        print("No rows.")
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(tables.cell_text(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def app(
    port: Annotated[int, typer.Option(help="TCP port.")] = APP_PORT,
    address: Annotated[
        str, typer.Option(help="Address to listen on; the default is this machine alone.")
    ] = LOOPBACK,
    certificate: Annotated[
        Path | None, typer.Option(help="File of the TLS certificate, for https.", exists=True)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="File of its private key.", exists=True)] = None,
) -> None:
    """Serve the app to browsers, until Ctrl-C; on a lab server, everybody signs in.

    Example: `mesmerize app --port 8502`
    """
    settings = load_settings()
    if (certificate is None) != (key is None):
        raise ProjectError("https needs both a --certificate and its --key.")
    if settings.embedded:
        connect(settings)  # makes tables that are missing
    tls = (certificate.resolve(), key.resolve()) if certificate and key else None
    serve(settings, port=port, address=address, tls=tls)


def demo(
    folder: Annotated[Path, typer.Option(help="The project folder of the demonstration.")] = Path(
        "demo"
    ),
    app: Annotated[bool, typer.Option(help="Serve the app at the end.")] = True,
    port: Annotated[int, typer.Option(help="TCP port of the app.")] = APP_PORT,
) -> None:
    """Simulate a movie with known cells, take it through every step, and compare.

    Example: `mesmerize demo --no-app`
    """
    from apps.demo import run_demo  # here, because it alone needs the simulator

    settings = run_demo(folder)
    if app:
        serve(settings, port=port, address=LOOPBACK)
