"""What is known of the ROIs of a dataset at a moment, as the table that flowcharts begin with."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.flow.building import LOAD
from pipeline.transmission import (
    RECORDING_ID,
    ROW_ID,
    STIMULUS_COLUMNS,
    ColumnInfo,
    Transmission,
    make_block,
    write_table,
)
from schemas.connection import Database
from schemas.datasets import find_dataset
from schemas.node_files import SEPARATOR
from schemas.numbered_rows import among_members, newest_periods
from schemas.roi_states import RECORDING, ROI, SEGMENTATION
from schemas.roi_table import fetch_rois, roi_table

VERSION = 1


class Taken(NamedTuple):
    """A dataset as it is now."""

    table: Transmission
    """A row for each ROI, without traces; its block says what was loaded."""

    sources: list[dict[str, Any]]
    """Keys of the segmentations that the traces are in."""

    @property
    def key(self) -> str:
        """Stands for the content."""
        return self.table.blocks[0]


def take(database: Database, dataset: str, traces: Sequence[str]) -> Taken:
    """Return what is known of the ROIs of a dataset now, as a table to begin with.

    Parameters
    ----------
    database : Database
        The connected tables.
    dataset : str
        Its name.
    traces : sequence of str
        The kinds of traces that are to be loaded: keys of `pipeline.flow.loading.COLUMNS`.

    Raises
    ------
    ProjectError
        If there is no such dataset.
    """
    key = find_dataset(database, dataset)
    table = roi_table(database)
    members = database.analysis.Dataset.Roi() & key
    found = fetch_rois(table, among_members(database, table.query, members))
    rois = _alike_on_servers(database, members, found)
    rois = rois.sort_values(list(ROI), ignore_index=True)
    sources = rois[list(SEGMENTATION)].drop_duplicates()
    columns = {name: _column(rois[name]) for name in rois if not _is_list(rois[name])}
    columns |= {
        ROW_ID: (_joined(rois, ROI), ColumnInfo("identifier")),
        RECORDING_ID: (_joined(rois, RECORDING), ColumnInfo("identifier")),
        "segmentation": (_joined(rois, SEGMENTATION), ColumnInfo("identifier")),
    }
    del columns["segmentation_id"]
    stimuli = _stimuli(database, rois)
    about = {**key, "traces": list(traces)}
    draft = Transmission.create(make_block(LOAD, about), scalars=columns, stimuli=stimuli)
    about["content"] = draft.checksum()
    block = make_block(LOAD, about, version=VERSION)
    table = Transmission.create(block, scalars=columns, stimuli=stimuli)
    return Taken(table, [dict(row) for row in sources.to_dict("records")])


def keep(database: Database, taken: Taken) -> str:
    """Store what was taken, unless the same is there, and return its id.

    Parameters
    ----------
    database : Database
        The connected tables.
    taken : Taken
        From `take`.
    """
    key = {"snapshot_id": taken.key}
    if not database.analysis.Snapshot() & key:
        about = taken.table.history.block(taken.key).parameters
        row = {"dataset_id": about["dataset_id"], "n_rois": taken.table.n_rows}
        database.analysis.Snapshot().insert1({**key, **row, "rois": _bytes(taken.table)})
        sources = [{**key, **source} for source in taken.sources]
        database.analysis.SnapshotSource().insert(sources)
    return taken.key


def _bytes(table: Transmission) -> np.ndarray:
    """Return the Parquet file of a table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rois.parquet"
        write_table(path, table)
        return np.frombuffer(path.read_bytes(), np.uint8)


def _joined(rois: pd.DataFrame, names: Iterable[str]) -> np.ndarray:
    """Return the values of some columns in one text a row."""
    parts = [rois[name].astype(str) for name in names]
    joined = parts[0].str.cat(parts[1:], sep=SEPARATOR) if len(rois) else parts[0]
    return joined.to_numpy(object)


def _alike_on_servers(database: Database, members: Any, rois: pd.DataFrame) -> pd.DataFrame:
    """Return ROIs whose single-precision numbers have all their digits: MySQL tells but six."""
    query = database.roi.Segmentation.Roi & members.proj()
    names = [n for n in rois if n in query.heading.names and _is_single(query.heading[n])]
    if database.connection.adapter.backend == "mysql":
        told = {f"exact_{name}": f"CAST({name} AS DOUBLE)" for name in names}
        exact = pd.DataFrame(query.proj(**told).to_dicts(), columns=[*query.primary_key, *told])
        kept = rois.drop(columns=names).merge(exact, how="left", on=query.primary_key)
        rois = kept.rename(columns={f"exact_{name}": name for name in names})[list(rois)]
    singles = {name: rois[name].astype(float).astype(np.float32).astype(float) for name in names}
    return rois.assign(**singles)


def _is_single(attribute: Any) -> bool:
    """Return whether numbers of a column have single precision."""
    return attribute.type in ("float", "real", "float4") or attribute.original_type == "float32"


def _is_list(values: pd.Series) -> bool:
    """Return whether the values are lists, as the names of stimuli are: the periods tell more."""
    return len(values) > 0 and isinstance(values.iloc[0], list)


def _column(values: pd.Series) -> tuple[np.ndarray, ColumnInfo]:
    """Return values with their kind; a number that nobody knows is NaN, a text is None."""
    if pd.api.types.is_bool_dtype(values):
        flags = values.astype(object).map({True: "true", False: "false"}, na_action="ignore")
        return _texts(flags), ColumnInfo("categorical")
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(float, na_value=np.nan), ColumnInfo("numeric")
    return _texts(values), ColumnInfo("categorical")


def _texts(values: pd.Series) -> np.ndarray:
    """Return values as text, None where there is none."""
    return (
        values.astype(object)
        .map(str, na_action="ignore")
        .where(values.notna(), None)
        .to_numpy(object)
    )


def _stimuli(database: Database, rois: pd.DataFrame) -> pd.DataFrame:
    """Return the stimulus periods of the recordings of some ROIs, in seconds."""
    periods = newest_periods(database, "start_s", "end_s")
    rows = pd.DataFrame((periods * database.project.StimulusType.proj(type="label")).to_dicts())
    if rows.empty:
        return pd.DataFrame(columns=list(STIMULUS_COLUMNS))
    wanted = rois[list(RECORDING)].drop_duplicates()
    rows = rows.merge(wanted, on=list(RECORDING))
    rows[RECORDING_ID] = _joined(rows, RECORDING)
    order = [RECORDING_ID, "type", "start_s"]
    return rows.sort_values(order, ignore_index=True)[list(STIMULUS_COLUMNS)]
