"""What people added to ROIs and samples, by a short number of the sample, for filters.

The key of a ROI has five columns, most of them texts. Servers compare a number several times
faster, and a sample has one segmentation: its number and that of the ROI tell the ROI.
"""

from collections.abc import Sequence
from typing import Any

import datajoint as dj

from schemas.connection import Database
from schemas.roi_states import RECORDING

OF_SAMPLE = ("sample_no",)
OF_ROI = ("sample_no", "roi_id")


def numbered_samples(database: Database) -> Any:
    """Return the query of the samples with a number from 1 in ``sample_no``.

    Samples come and go: numbers are the same within one question to the server only.

    Parameters
    ----------
    database : Database
        The connected tables.
    """
    order = ", ".join(map(database.connection.adapter.quote_identifier, RECORDING))
    number = f"ROW_NUMBER() OVER (ORDER BY {order})"
    samples = database.sample.Sample.proj(
        "sample_id", "segmentation_id", "comments", sample_no=number
    )
    return samples.make_subquery()  # counted before, not after, they are joined to others


def numbered(database: Database, rows: Any) -> Any:
    """Return rows of recordings or segmentations with ``sample_no``, as far as they have a sample.

    Parameters
    ----------
    database : Database
        The connected tables.
    rows : query
        With the key of a recording; where it has ``segmentation_id``, it is that of the sample.
    """
    samples = numbered_samples(database)
    # names that rows share with samples, but no reference: a ROI may still be to be measured
    return samples.join(rows, semantic_check=False)


def newest_numbered(database: Database, table: Any, key: Sequence[str]) -> Any:
    """Return the rows of a table of actions that no later row replaces, with ``sample_no``.

    Parameters
    ----------
    database : Database
        The connected tables.
    table : datajoint.Table
        Whose rows have ``action``, and in ``replaces`` that of the row before them.
    key : sequence of str
        The columns that say what of a segmentation a row is of.

    Notes
    -----
    The same rows as `schemas.roi_states.newest_rows`, found otherwise: those that were replaced are
    few and are put into a table in memory, instead of being sought for each row.
    """
    rows = numbered(database, table)
    replaced = rows & "replaces <> 0"
    quote, backend = database.connection.adapter.quote_identifier, rows.connection.adapter.backend
    names = ("sample_no", *key)
    own = ", ".join(map(quote, (*names, "action")))
    return appended(rows, f"NOT {among(own, replaced, (*names, 'replaces'), backend)}")


def among(values: str, rows: Any, names: Sequence[str], backend: str) -> str:
    """Return SQL that values are those of a row, which is either true or false.

    Parameters
    ----------
    values : str
        SQL of the values, none of them null.
    rows : query
        Where they are sought.
    names : sequence of str
        Its columns that they are compared with.
    backend : str
        ``mysql`` or ``postgresql``.
    """
    sql = rows.make_sql(list(names))
    if backend == "mysql":
        # a table in memory, made once; MySQL else may look into the tables for each ROI
        sql = sql.replace("SELECT ", "SELECT /*+ SUBQUERY(MATERIALIZATION) */ ", 1)
    # PostgreSQL joins what is asked for as it is, often badly while it has no statistics
    return f"((({values}) IN ({sql})) IS TRUE)"


def appended(query: Any, sql: str) -> Any:
    """Return a query restricted by SQL, which ``&`` would take for names of columns.

    Parameters
    ----------
    query : query
        Which is not changed.
    sql : str
        The condition; its percent signs are those of `make_sql`.
    """
    restricted = query & "TRUE"
    restricted.restriction.append(sql)
    return restricted


def among_members(database: Database, query: Any, members: Any) -> Any:
    """Return the ROIs of a query of samples that are members of a dataset.

    Parameters
    ----------
    database : Database
        The connected tables.
    query : query
        With `OF_ROI`.
    members : query
        With the key of a ROI: part of ``Dataset.Roi``.
    """
    # left to itself, MySQL may go from each of thousands of members through all ROIs beside it
    values = ", ".join(map(database.connection.adapter.quote_identifier, OF_ROI))
    backend = database.connection.adapter.backend
    return appended(query, among(values, numbered(database, members), OF_ROI, backend))


def tags_numbered(database: Database) -> Any:
    """Return the query of the tags of ROIs of samples, as they are now: ``tag``."""
    table = database.curation.RoiTag()
    return newest_numbered(database, table, ("roi_id", "roi_tag_type_id")) & "tag <> ''"


def verdicts_numbered(database: Database) -> Any:
    """Return the query of what people decided of ROIs of samples: ``state`` and ``reason``."""
    table = database.curation.Action.Verdict()
    return newest_numbered(database, table, ("roi_id",)) & "state <> ''"


def newest_periods(database: Database, *columns: str) -> Any:
    """Return the query of the stimulus periods that count, with their names.

    Parameters
    ----------
    database : Database
        The connected tables.
    columns : str
        What else is told of them.
    """
    maps = database.stimulus.StimulusMap
    newest = dj.U(*RECORDING, "stimulus_type_id").aggr(maps(), version="MAX(version)")
    # the largest version is a number of no lineage
    return maps.Period.proj("name", *columns).restrict(newest, semantic_check=False)
