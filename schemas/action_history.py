"""What was done to the ROIs of a segmentation, by whom and when."""

from collections.abc import Iterable

import pandas as pd

from schemas.connection import Database
from schemas.roi_states import SEGMENTATION, Key


def history(database: Database, segmentation: Key) -> pd.DataFrame:
    """List what was done to the ROIs of a segmentation, the newest first.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.

    Returns
    -------
    DataFrame
        ``action``, ``kind``, ``note``, ``n_rois`` that it concerns, ``account``, ``made``,
        ``undoes`` and ``undone``, whether it was.
    """
    key = {name: segmentation[name] for name in SEGMENTATION}
    rows = (database.curation.Action() & key).to_dicts(order_by="action DESC")
    counts: dict[int, set[int]] = {}
    tables = (database.curation.Action.Verdict(), database.curation.RoiTag())
    for table in (*tables, database.curation.Edit.Roi()):
        for row in (table & key).proj().to_dicts():
            counts.setdefault(row["action"], set()).add(row["roi_id"])
    undone = undone_actions(rows)
    names = ["action", "kind", "note", "n_rois", "account", "made", "undoes", "undone"]
    facts = [
        {**row, "n_rois": len(counts.get(row["action"], ())), "undone": row["action"] in undone}
        for row in rows
    ]
    return pd.DataFrame(facts, columns=names)


def undone_actions(rows: Iterable[Key]) -> set[int]:
    """Return which actions are undone now: an undo that was undone itself does not count."""
    undone: set[int] = set()
    for row in sorted(rows, key=lambda row: row["action"], reverse=True):
        if row["undoes"] is not None and row["action"] not in undone:
            undone.add(row["undoes"])
    return undone
