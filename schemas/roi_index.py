"""What MySQL reads tables by: an index with the numbers of ROIs, without footprints, or the key."""

import re
from typing import Any

NAME = "numbers_of_rois"
COLUMNS = (
    "animal_id",
    "session",
    "trial",
    "segmentation_id",
    "accepted",
    "reason",
    "area_px",
    "snr",
    "solidity",
    "rval",
    "noise",
    "baseline",
    "decay_time_s",
    "rise_time_s",
    "centroid_row_px",
    "centroid_col_px",
)
"""What it holds beside the number of the ROI: MySQL takes 16 columns at most."""

DONE_ALREADY = re.compile(r"duplicate key name", re.IGNORECASE)


def index_numbers(rois: Any) -> None:
    """Give the table of ROIs the index, unless it has it or needs none.

    MySQL keeps the footprints between the numbers and would read them all; PostgreSQL keeps them
    elsewhere. Who may not change tables changes none: without the index filters are only slower.

    Parameters
    ----------
    rois : table
        ``Segmentation.Roi``, on the project's server.
    """
    connection = rois.connection
    if not _is_mysql(rois) or connection.role not in (None, "admin"):
        return
    if has_index(rois):
        return
    columns = ", ".join(map(connection.adapter.quote_identifier, COLUMNS))
    try:
        connection.query(f"ALTER TABLE {rois.full_table_name} ADD INDEX {NAME} ({columns})")
    except Exception as error:  # every driver has its own tree of errors
        if not DONE_ALREADY.search(str(error)):  # by another process, just now
            raise


def has_index(rois: Any) -> bool:
    """Return whether the table of ROIs has the index.

    Parameters
    ----------
    rois : table
        ``Segmentation.Roi``, on MySQL.
    """
    found = rois.connection.query(
        "SELECT 1 FROM information_schema.statistics "
        "WHERE table_schema = %s AND table_name = %s AND index_name = %s LIMIT 1",
        args=(rois.database, rois.table_name, NAME),
    )
    return bool(found.fetchall())


def read_by_index(rois: Any) -> Any:
    """Return the table of ROIs as a query that MySQL reads by the index, where there is one.

    Left alone, MySQL reads the rows with their footprints, which follow the key.

    Parameters
    ----------
    rois : table
        ``Segmentation.Roi``.
    """
    return _read_by(rois, NAME) if _is_mysql(rois) and has_index(rois) else rois & True


def read_by_key(table: Any) -> Any:
    """Return a table as a query that MySQL reads in the order of its key.

    Left alone, MySQL goes through another index from row to row, while it has no statistics of a
    table that was just filled.

    Parameters
    ----------
    table : table
        On either server.
    """
    return _read_by(table, "PRIMARY") if _is_mysql(table) else table & True


def _read_by(table: Any, index: str) -> Any:
    """Return a table of MySQL as a query that reads an index."""
    read = table & True
    read._support = [f"{table.full_table_name} FORCE INDEX ({index})"]
    return read


def _is_mysql(table: Any) -> bool:
    """Return whether a table is on MySQL."""
    return bool(table.connection.adapter.backend == "mysql")
