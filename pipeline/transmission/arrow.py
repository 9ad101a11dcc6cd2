"""Tables as Arrow has them, and back."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.transmission.column import ArrayColumn, ColumnInfo
from pipeline.transmission.table import BLOCK, Transmission

RATE, START = "__rate", "__start"
"""Endings of the names of the columns with rate and start of each array."""


def to_arrow(table: Transmission) -> pa.Table:
    """Return a table as Arrow has it; arrays are not copied."""
    columns: dict[str, Any] = {}
    for name in [*table.columns(), BLOCK]:
        if name in table.arrays:
            array = table.arrays[name]
            kind = pa.string() if array.values.dtype.kind in "OUT" else None
            values = pa.array(array.values, kind)
            columns[name] = pa.ListArray.from_arrays(array.offsets.astype(np.int32), values)
            columns[name + RATE], columns[name + START] = (
                pa.array(array.rate),
                pa.array(array.start),
            )
        else:
            text = table.frame[name].dtype.kind == "O" or table.infos[name].kind == "identifier"
            series = table.frame[name].astype(object) if text else table.frame[name]
            kind = pa.string() if text else None
            columns[name] = pa.array(series, kind, from_pandas=True)
    return pa.table(columns)


def array_from_arrow(rows: pa.Table, name: str, info: ColumnInfo) -> ArrayColumn:
    """Return a column of arrays; numbers are not copied."""
    arrays = rows[name].combine_chunks()
    arrays = arrays.chunk(0) if isinstance(arrays, pa.ChunkedArray) else arrays
    lengths = np.diff(arrays.offsets.to_numpy())
    values = arrays.flatten().to_numpy(zero_copy_only=False)
    rate, start = (rows[name + end].to_numpy() for end in (RATE, START))
    return ArrayColumn.flat(values, lengths, info, rate=rate, start=start)
