"""Samples that go, and come back: their history stays."""

from collections.abc import Mapping
from typing import Any

from schemas.connection import Database
from schemas.custom_columns import fill_values
from schemas.deletion import rows_going_with
from schemas.labels import Key
from schemas.sample_versions import STATE, values_before, write_version
from schemas.samples import check_free, enter_values, find_sample
from schemas.settings import ProjectError


def going_with_sample(database: Database, sample_id: str) -> dict[str, int]:
    """Tell which rows go when a sample is removed; its recording, ROIs and history stay.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        The sample.

    Returns
    -------
    dict
        Number of rows by the table's name in SQL; nothing is changed yet.

    Raises
    ------
    ProjectError
        If there is no such sample.
    NotAllowed
        If this account may not remove it.
    """
    row = find_sample(database, sample_id)
    return rows_going_with(_row(database, row))


def remove_sample(
    database: Database, sample_id: str, *, shown: Mapping[str, int], after: int | None = None
) -> None:
    """Remove a sample; `restore_sample` brings it back.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        The sample.
    shown : mapping
        What the person who decided was shown, from `going_with_sample`.
    after : int or None
        The version that the person saw; None: the newest.

    Raises
    ------
    ProjectError
        If there is no such sample, somebody else has changed it, or something else would go than
        was shown.
    NotAllowed
        If this account may not remove it; then nothing goes.
    """
    with database.connection.transaction:
        row = find_sample(database, sample_id)
        if going_with_sample(database, sample_id) != dict(shown):
            raise ProjectError(
                f"something of the sample {sample_id!r} was changed meanwhile; nothing was "
                "removed: look again at what goes."
            )
        write_version(database, row, "removed", {}, before=row, after=after)
        _row(database, row).delete(transaction=False, prompt=False)


def restore_sample(database: Database, sample_id: str) -> None:
    """Bring a removed sample back as it was.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        The sample.

    Raises
    ------
    ProjectError
        If none of that SampleID was removed, or it is there again already.

    Notes
    -----
    Where its segmentation was deleted meanwhile, it comes back without one.
    """
    versions = (database.sample.SampleVersion() & {"sample_id": sample_id}).to_dicts()
    if not versions:
        raise ProjectError(f"no sample {sample_id!r} was ever removed.")
    newest = max(versions, key=lambda row: (row["entered"], row["version"]))
    key = {name: newest[name] for name in database.sample.Sample.primary_key}
    new = {**key, **{name: newest[name] for name in STATE}}
    check_free(database, new)
    if not database.roi.Segmentation() & new:
        new["segmentation_id"] = None
    with database.connection.transaction:
        values = values_before(database, key, newest["version"] + 1)
        new["version"] = write_version(database, new, "restored", {})
        database.sample.Sample().insert1(new)
        enter_values(database, key, values)
    fill_values(database, key)


def _row(database: Database, row: Key) -> Any:
    """Return the query of one sample."""
    table = database.sample.Sample()
    return table & {name: row[name] for name in table.primary_key}
