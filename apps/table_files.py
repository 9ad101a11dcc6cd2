"""Tables as files that other programs read."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from schemas.settings import ProjectError

WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    ".xlsx": lambda table, path: table.to_excel(path, index=False),
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
