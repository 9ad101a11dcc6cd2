"""What ROIs are now: found or added, accepted, rejected or left out of analysis, and tagged."""

from collections.abc import Sequence
from typing import Any

import datajoint as dj

from schemas.connection import Database

Key = dict[str, Any]

RECORDING = ("animal_id", "session", "trial")
SEGMENTATION = (*RECORDING, "segmentation_id")
ROI = (*SEGMENTATION, "roi_id")
STATES = ("accepted", "rejected", "excluded")
"""Excluded: a cell, but one that is left out of analysis."""


def current_rois(database: Database) -> Any:
    """Return the query of all ROIs as they are now: as they were found, unless people decided.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    query
        The columns of ``Segmentation.Roi``, whose ``accepted`` and ``reason`` are those of now, and
        ``state``, one of `STATES`; restrict it by ``"accepted"``, as text.
    """
    rois = database.roi.Segmentation.Roi()
    others = [
        name for name in rois.heading.secondary_attributes if name not in ("accepted", "reason")
    ]
    found = rois.proj(*others, found_accepted="accepted", found_reason="reason")
    both = found.join(current_verdicts(database), semantic_check=False, left=True)
    as_found = "CASE WHEN found_accepted THEN 'accepted' ELSE 'rejected' END"
    state = f"COALESCE(NULLIF(verdict, ''), {as_found})"
    return both.proj(
        *others,
        state=state,
        accepted=f"({state} = 'accepted')",
        reason="CASE WHEN COALESCE(verdict, '') = '' THEN found_reason ELSE verdict_reason END",
    )


def counts_now(database: Database) -> dict[tuple[str, ...], tuple[int, int]]:
    """Count the ROIs of the segmentations that people have changed, as they are now.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    dict
        How many are accepted, and how many there are, by the values of `SEGMENTATION`; of other
        segmentations, the row of ``Segmentation`` tells it.
    """
    rois = current_rois(database) & database.curation.Action().proj()
    quote = database.connection.adapter.quote_identifier
    names = ", ".join(map(quote, SEGMENTATION))
    found = database.connection.query(
        f"SELECT {names}, SUM(CASE WHEN accepted THEN 1 ELSE 0 END), COUNT(*) "
        f"FROM ({rois.make_sql([*ROI, 'accepted'])}) AS now_ GROUP BY {names}"
    ).fetchall()
    return {tuple(map(str, row[:-2])): (int(row[-2]), int(row[-1])) for row in found}


def current_verdicts(database: Database) -> Any:
    """Return the query of what people decided of ROIs, as it is now.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    query
        With the key of a ROI: ``verdict``, one of `STATES`, or empty: as it was found again, and
        ``verdict_reason``. ROIs of which nobody decided are not in it.
    """
    newest = newest_rows(database.curation.Action.Verdict(), ROI)
    # one row a ROI already; the key is then that of a ROI
    return dj.U(*ROI).aggr(newest, verdict="MAX(state)", verdict_reason="MAX(reason)")


def current_tags(database: Database) -> Any:
    """Return the query of the tags of all ROIs, as they are now.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    query
        A row for each ROI and tag type that has one: the key of a ROI, ``roi_tag_type_id``,
        ``tag``, and ``action`` that gave it.
    """
    newest = newest_rows(database.curation.RoiTag(), (*ROI, "roi_tag_type_id"))
    return (newest & "tag <> ''").proj("tag")


def newest_rows(table: Any, key: Sequence[str]) -> Any:
    """Return the rows of a table of actions that no later row replaces.

    Parameters
    ----------
    table : datajoint.Table
        Whose rows have ``action``, and in ``replaces`` that of the row before them.
    key : sequence of str
        The columns that say what a row is of.
    """
    quote, name = table.connection.adapter.quote_identifier, table.full_table_name
    same = [f"later.{quote(column)} = {name}.{quote(column)}" for column in key]
    same.append(f"later.{quote('replaces')} = {name}.{quote('action')}")
    newest = table & True
    # not by `&`, which takes names of tables for columns
    newest.restriction.append(
        f"NOT EXISTS (SELECT 1 FROM {name} AS later WHERE {' AND '.join(same)})"
    )
    return newest
