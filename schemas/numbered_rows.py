"""What people added to ROIs and samples, by a short number of the sample, for filters.

The key of a ROI has five columns, most of them texts. Servers compare a number several times
faster, and a sample has one segmentation: its number and that of the ROI tell the ROI.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import datajoint as dj

from schemas.connection import Database
from schemas.roi_index import read_by_key
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


def newest_numbered(
    database: Database, table: Any, kind: Mapping[str, int], values: Sequence[str]
) -> Any:
    """Return what people did last to each ROI of a sample, with `OF_ROI`.

    Parameters
    ----------
    database : Database
        The connected tables.
    table : datajoint.Table
        A row for each ROI and ``action``, a number that grows.
    kind : mapping
        Which rows of a ROI are of one kind; empty: all are.
    values : sequence of str
        The columns that are told of it.

    Notes
    -----
    The same rows as `schemas.roi_states.newest_rows`, found otherwise: all rows are read once, in
    the order of the key, whatever the server assumes of a table that has just been filled.
    """
    of_roi, action = ", ".join(OF_ROI), database.connection.adapter.quote_identifier("action")
    turn = f"ROW_NUMBER() OVER (PARTITION BY {of_roi} ORDER BY {action} DESC)"
    rows = numbered(database, read_by_key(table) & dict(kind))
    return _of_columns(rows.proj(..., turn=turn), (*OF_ROI, *values, "turn")) & "turn = 1"


def _of_columns(query: Any, names: Sequence[str]) -> Any:
    """Return a query with some columns only: the server would carry all through its memory."""
    narrow = query.make_subquery()
    narrow._support = [f"({query.make_sql(list(names))}) AS narrow"]
    narrow._heading = narrow.heading.select(names)
    return narrow


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


def tags_numbered(database: Database, of_type: Mapping[str, int]) -> Any:
    """Return the query of the tags of ROIs of samples, as they are now: ``tag``.

    Parameters
    ----------
    database : Database
        The connected tables.
    of_type : mapping
        Key of the tag type.
    """
    return newest_numbered(database, database.curation.RoiTag(), of_type, ("tag",)) & "tag <> ''"


def verdicts_numbered(database: Database) -> Any:
    """Return the query of what people decided of ROIs of samples: ``state`` and ``reason``."""
    table = database.curation.Action.Verdict()
    return newest_numbered(database, table, {}, ("state", "reason")) & "state <> ''"


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
