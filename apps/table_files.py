"""Tables as files that other programs read."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from schemas.settings import ProjectError

SEPARATOR = "; "
"""Between the texts of a list, where a cell holds one text."""

LARGEST_SHEET = 1_048_575
"""Rows that Excel reads, beside the names of the columns."""


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose lists are texts."""
    lists = [name for name in table if table[name].map(lambda cell: isinstance(cell, list)).any()]
    return table.assign(**{name: table[name].map(SEPARATOR.join) for name in lists})


def _write_excel(table: pd.DataFrame, path: Path) -> None:
    """Write a sheet; a text that begins like a formula stays a text."""
    if len(table) > LARGEST_SHEET:
        raise ProjectError(
            f"Excel reads {LARGEST_SHEET:,} rows, and the table has {len(table):,}; "
            "write .parquet or .csv."
        )
    clean = _flat(table).map(
        lambda cell: ILLEGAL_CHARACTERS_RE.sub("\ufffd", cell) if isinstance(cell, str) else cell
    )
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        clean.to_excel(writer, index=False)
        for row in writer.book.active.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.data_type = "s"


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: _flat(table).to_csv(path, index=False),
    ".tsv": lambda table, path: _flat(table).to_csv(path, index=False, sep="\t"),
    ".xlsx": _write_excel,
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}


def check_table_file(path: Path) -> None:
    """Refuse a file that cannot become a table, or is there already.

    Raises
    ------
    ProjectError
        If its name does not end as a table's does, or it exists.
    """
    if path.suffix.lower() not in WRITERS:
        endings = ", ".join(WRITERS)
        raise ProjectError(f"the name of a table ends in one of {endings}; got {path.name!r}.")
    if path.exists():
        raise ProjectError(f"{path} exists already; choose another name.")


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table into a new file, of the kind that its name ends in.

    Raises
    ------
    ProjectError
        If it cannot become one, or is there already.
    """
    check_table_file(path)
    WRITERS[path.suffix.lower()](table, path)


def table_bytes(table: pd.DataFrame, ending: str) -> bytes:
    """Return what a file of a table holds.

    Parameters
    ----------
    table : DataFrame
        The table.
    ending : str
        Of `WRITERS`.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"table{ending}"
        WRITERS[ending](table, path)
        return path.read_bytes()
