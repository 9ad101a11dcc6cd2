"""How servers read the numbers of ROIs without their footprints, and tables by their key."""

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

SHORT_ROWS = "toast_tuple_target=128"
"""What PostgreSQL is told: the least that it takes, in bytes."""

DONE_ALREADY = re.compile(r"duplicate key name", re.IGNORECASE)


def part_numbers(rois: Any) -> None:
    """Let a server find the numbers of ROIs without their footprints, unless it does already.

    MySQL gets an index of the numbers. PostgreSQL puts footprints elsewhere, of ROIs that come from
    now on: left alone, it moves only so much of a long row that the rest is 2 kB. Who may not
    change tables changes none: filters are only slower.

    Parameters
    ----------
    rois : table
        ``Segmentation.Roi``, on the project's server.
    """
    connection = rois.connection
    if connection.role not in (None, "admin"):
        return
    if not _is_mysql(rois):
        if not _keeps_short_rows(rois):
            connection.query(f"ALTER TABLE {rois.full_table_name} SET ({SHORT_ROWS})")
    elif not has_index(rois):
        columns = ", ".join(map(connection.adapter.quote_identifier, COLUMNS))
        try:
            connection.query(f"ALTER TABLE {rois.full_table_name} ADD INDEX {NAME} ({columns})")
        except Exception as error:  # every driver has its own tree of errors
            if not DONE_ALREADY.search(str(error)):  # by another process, just now
                raise


def _keeps_short_rows(rois: Any) -> bool:
    """Return whether PostgreSQL keeps footprints elsewhere."""
    found = rois.connection.query(
        "SELECT 1 FROM pg_class WHERE oid = %s::regclass AND %s = ANY (reloptions)",
        args=(rois.full_table_name, SHORT_ROWS),
    )
    return bool(found.fetchall())


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
