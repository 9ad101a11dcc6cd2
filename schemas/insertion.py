"""Inserting what is not there yet, with the right to insert alone."""

from collections.abc import Sequence
from typing import Any

from datajoint.errors import DuplicateError


def insert_new(table: Any, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows whose key is not there yet.

    Parameters
    ----------
    table : datajoint.Table
        Where to.
    rows : sequence of dict
        Whole rows.

    Returns
    -------
    int
        How many were new.

    Notes
    -----
    DataJoint's ``skip_duplicates`` is, on MySQL, an UPDATE of the key, which nobody but an admin
    may do: with it, results could be moved to other recordings.
    """
    names = table.primary_key
    known = {tuple(key[name] for name in names) for key in table.proj().to_dicts()} if rows else ()
    missing = {tuple(row[name] for name in names): row for row in rows}
    new = [row for key, row in missing.items() if key not in known]
    if table.connection.adapter.backend == "postgresql":
        table.insert(new, skip_duplicates=True)  # an error would end the transaction
        return len(new)
    return sum(_insert_one(table, row) for row in new)


def _insert_one(table: Any, row: dict[str, Any]) -> bool:
    """Insert a row; False: somebody else did so a moment ago."""
    try:
        table.insert1(row)
    except DuplicateError:
        return False
    return True
