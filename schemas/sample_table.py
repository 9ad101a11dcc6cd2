"""The samples of a project as one table, with a column of its own for each custom column."""

from typing import Any

import pandas as pd

from schemas.connection import Database
from schemas.custom_columns import custom_columns, default_of, value_of
from schemas.roi_states import SEGMENTATION, counts_now
from schemas.sample_replacement import segmentation_names

FACTS = (
    "sample_id",
    "animal_id",
    "session",
    "trial",
    "session_date",
    "segmentation",
    "n_accepted",
    "n_rois",
    "comments",
    "version",
)
"""What is said of the samples of every project."""

DTYPES = {"str": "string", "int": "Int64", "float": "Float64", "bool": "boolean"}
"""Types of columns in which a value may be missing."""


def sample_table(database: Database) -> pd.DataFrame:
    """List the samples.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    DataFrame
        One row each, by SampleID: `FACTS`, where ``segmentation`` is the name of the chosen one,
        and the custom columns in their order, typed; a value that nobody knows is missing.
    """
    query = database.sample.Sample() * database.session.Session.proj("session_date")
    rows = [dict(row) for row in query.to_dicts(order_by="sample_id")]
    table = pd.DataFrame(rows, columns=[*FACTS, "segmentation_id"])
    counts = _by_segmentation(database)
    names = segmentation_names(database)
    recording = table[list(SEGMENTATION)]
    keys = [tuple(map(str, key)) for key in recording.itertuples(index=False)]
    table["segmentation"] = [names.get(key, "") for key in keys]
    for name in ("n_accepted", "n_rois"):
        table[name] = pd.array([counts.get(key, {}).get(name) for key in keys], dtype="Int64")
    return pd.concat([table[list(FACTS)], _custom_values(database, rows)], axis=1)


def _by_segmentation(database: Database) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the numbers of ROIs by the key of their segmentation, as people have left them."""
    table = database.roi.Segmentation.proj("n_accepted", "n_rois")
    found = {tuple(str(row[name]) for name in SEGMENTATION): dict(row) for row in table.to_dicts()}
    for key, (n_accepted, n_rois) in counts_now(database).items():
        found[key] = {"n_accepted": n_accepted, "n_rois": n_rois}
    return found


def _custom_values(database: Database, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the custom columns of samples, typed."""
    recording = database.sample.Sample.primary_key
    table = database.sample.SampleValue()
    names = [*recording, "custom_column_id", *(f"{kind}_value" for kind in DTYPES)]
    # DataJoint decodes each cell by itself: five times as long
    cursor = database.connection.query(f"SELECT {', '.join(names)} FROM {table.full_table_name}")
    n_keys = len(recording) + 1
    entered = {
        row[:n_keys]: dict(zip(names[n_keys:], row[n_keys:], strict=True))
        for row in cursor.fetchall()
    }
    found = {}
    for label, column in custom_columns(database).items():
        number, kind, default = column["custom_column_id"], column["kind"], default_of(column)
        cells = [entered.get((*(row[name] for name in recording), number)) for row in rows]
        values = [default if cell is None else value_of(cell, kind) for cell in cells]
        found[label] = pd.array(values, dtype=DTYPES[kind])
    return pd.DataFrame(found, index=range(len(rows)))
