"""Peaks and bases that people changed: rows that say who, when and what."""

from collections.abc import Mapping, Sequence
from typing import Any

from datajoint.errors import DuplicateError

from pipeline.nodes.peaks import PeakEditParams
from schemas.connection import Database
from schemas.settings import ProjectError

PEAK_EDIT = "peak_edit"
"""The node that applies the changes."""

Edit = tuple[str, str, int, int | None]
"""The name of a row, ``add_peak``, ``add_base``, ``delete`` or ``move``, the sample, and where it
goes when it is moved."""


def peak_edits(database: Database, result_key: str) -> list[Edit]:
    """Return the changes of the peaks of a result, in the order in which they apply.

    Parameters
    ----------
    database : Database
        The connected tables.
    result_key : str
        Of the result whose peaks were changed.
    """
    rows = database.analysis.PeakEdit & {"result_key": result_key}
    names = ("row_id", "change_made", "sample", "to_sample")
    return [tuple(row[name] for name in names) for row in rows.to_dicts(order_by="edit_id")]


def edit_peaks(
    database: Database, result_key: str, edits: Sequence[Edit], *, after: int | None = None
) -> int:
    """Add changes of the peaks of a result; flowcharts that are submitted from now on apply them.

    Parameters
    ----------
    database : Database
        The connected tables.
    result_key : str
        Of the result whose peaks are changed.
    edits : sequence of Edit
        The changes.
    after : int or None
        How many changes the person saw who makes these; None: all.

    Returns
    -------
    int
        How many changes there are now.

    Raises
    ------
    ProjectError
        If there is no such result, or somebody else changed its peaks meanwhile.
    ValueError
        If a change is none.
    """
    PeakEditParams(edits=tuple(map(tuple, edits)))
    analysis, key = database.analysis, {"result_key": result_key}
    if not analysis.NodeTask() & key:
        raise ProjectError(f"there is no result {result_key!r} whose peaks could be changed.")
    first = 1 + (len(analysis.PeakEdit() & key) if after is None else after)
    names = ("row_id", "change_made", "sample", "to_sample")
    rows = [
        {**key, "edit_id": i, **dict(zip(names, edit, strict=True)), "account": database.account}
        for i, edit in enumerate(edits, start=first)
    ]
    try:
        with database.connection.transaction:
            analysis.PeakEdit().insert(rows)
    except DuplicateError:
        raise ProjectError(
            "somebody else has changed these peaks meanwhile; look at them, then try again."
        ) from None
    return first - 1 + len(rows)


def with_edits(
    database: Database, node: str, params: Mapping[str, Any], key: str
) -> Mapping[str, Any]:
    """Return the parameters of a node with those that are kept as rows: of `peak_edit`, the edits.

    Parameters
    ----------
    database : Database
        The connected tables.
    node : str
        Name of the node.
    params : mapping
        As they are on the flowchart.
    key : str
        Of what flows in.
    """
    found = peak_edits(database, key) if node == PEAK_EDIT else []
    return {**params, "edits": [list(edit) for edit in found]} if found else params
