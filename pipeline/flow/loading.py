"""Traces of ROIs brought together from the segmentations that they belong to."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.flow.computing import SUFFIX, TABLE
from pipeline.transmission import (
    ArrayColumn,
    ColumnInfo,
    Transmission,
    read_table,
    write_blocks,
)

COLUMNS = {
    "raw": ("_RAW_CURVE", "a.u."),
    "denoised": ("_DENOISED", "a.u."),
    "dff": ("_DFOF", "1"),
    "spikes": ("_SPIKES", "a.u."),
    "background": ("_BACKGROUND", "a.u."),
    "neuropil": ("_NEUROPIL", "a.u."),
}
"""Name and unit of the column of each kind of trace."""

DEFAULT_KINDS = ("raw", "dff", "spikes")
ROWS_AT_ONCE = 256


class Segment(NamedTuple):
    """Where the traces of a segmentation are."""

    folder: Path
    """Written by `pipeline.extraction.archive.save_sources`."""

    rate_hz: float
    """Of the traces."""


def load_traces(
    rois: Transmission, segments: Mapping[str, Segment], kinds: tuple[str, ...]
) -> Iterator[Transmission]:
    """Yield ROIs with their traces, in blocks of rows.

    Parameters
    ----------
    rois : Transmission
        A row for each, with the columns ``segmentation`` (a key of ``segments``) and ``roi_id``.
    segments : mapping
        The segmentations.
    kinds : tuple of str
        Keys of `COLUMNS`. A kind that a segmentation lacks is empty in its rows.
    """
    groups = {name: zarr.open_group(segment.folder, mode="r") for name, segment in segments.items()}
    for first in range(0, max(1, rois.n_rows), ROWS_AT_ONCE):
        block = rois.take(slice(first, first + ROWS_AT_ONCE))
        of_row = block.scalar("segmentation")
        rates = np.array([segments[name].rate_hz for name in of_row], float)
        for kind in kinds:
            name, unit = COLUMNS[kind]
            traces = list(_traces(groups, of_row, block.scalar("roi_id"), kind))
            info = ColumnInfo("numeric", unit, "time")
            block = block.with_array(name, ArrayColumn.of(traces, info, rate=rates))
        yield block


def _traces(
    groups: Mapping[str, Any], of_row: NDArray[Any], roi_ids: NDArray[Any], kind: str
) -> Iterator[NDArray[Any] | None]:
    """Yield the trace of each row; None where its segmentation has none of the kind."""
    for name, rows in groupby(range(len(of_row)), key=lambda row: of_row[row]):
        ids = roi_ids[list(rows)].astype(int)
        if kind not in groups[name]:
            yield from [None] * len(ids)
            continue
        yield from groups[name][kind].oindex[ids]


def write_loaded(
    rois: bytes, segments: Mapping[str, Segment], kinds: tuple[str, ...], folder: Path
) -> None:
    """Write ROIs with their traces into a new folder, as a node writes what it makes.

    Parameters
    ----------
    rois : bytes
        A Parquet file with a row for each.
    segments : mapping
        The segmentations by the name that they have there.
    kinds : tuple of str
        Keys of `COLUMNS`.
    folder : Path
        Is made.

    Raises
    ------
    ValueError
        If one of the segmentations is gone.
    """
    folder.mkdir(parents=True)
    aside = folder / "rois"
    aside.write_bytes(rois)
    table = read_table(aside)
    gone = sorted(set(table.scalar("segmentation")) - set(segments))
    if gone:
        raise ValueError(
            f"the segmentation {gone[0]} was deleted, and {len(gone) - 1} others: the ROIs of the "
            "dataset have no traces any more. Make a new dataset of those that are there."
        )
    write_blocks(folder / f"{TABLE}{SUFFIX}", load_traces(table, segments, kinds))
    aside.unlink()
