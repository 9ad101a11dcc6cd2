"""Tables as Parquet files, history inside, written and read in blocks of rows."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.transmission.column import ArrayColumn, ColumnInfo
from pipeline.transmission.history import HistoryTrace
from pipeline.transmission.table import BLOCK, Transmission, concatenate

FORMAT = 1
META = b"mesmerize"
RATE, START = "__rate", "__start"
GROUP_BYTES = 32_000_000
PICKLED = (".trn", ".ptrn")


def write_table(path: Path, table: Transmission, *, overwrite: bool = False) -> None:
    """Write a table to a Parquet file, its history inside.

    Parameters
    ----------
    path : Path
        Has its name only when it is whole.
    table : Transmission
        What is written.
    overwrite : bool
        Whether a file of that name may be replaced.
    """
    write_blocks(path, [table], overwrite=overwrite)


def write_blocks(path: Path, tables: Iterable[Transmission], *, overwrite: bool = False) -> None:
    """Write blocks of rows to one Parquet file; only one of them is in memory.

    Parameters
    ----------
    path : Path
        Has its name only when it is whole.
    tables : iterable of Transmission
        Parts of one table in order, with the same columns; at least one.
    overwrite : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    FileExistsError
        If there is a file and it may not be replaced.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name or allow it to be replaced.")
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        _write(Path(scratch), iter(tables))
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def read_table(path: Path, *, columns: Sequence[str] | None = None) -> Transmission:
    """Read a table from a Parquet file.

    Parameters
    ----------
    path : Path
        Made by `write_table`.
    columns : sequence of str
        Those that are wanted; None: all. The names of rows and blocks are always there.

    Raises
    ------
    ValueError
        If the file is no such table, is damaged, or is of a kind that runs code when opened.
    """
    with open_table(path) as file:
        return file.read(columns=columns)


class TableFile:
    """A table in a file, read in blocks of rows."""

    def __init__(self, file: pq.ParquetFile, path: Path) -> None:
        self._file = file
        self._meta = _meta(file, path)
        self.infos = {name: ColumnInfo(*info) for name, info in self._meta["columns"].items()}
        self.history = HistoryTrace.from_json(self._meta["history"])

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self._file.metadata.num_rows)

    def read(self, columns: Sequence[str] | None = None) -> Transmission:
        """Return the table, perhaps only some of its columns."""
        blocks = list(self.blocks(columns=columns))
        return blocks[0] if len(blocks) == 1 else concatenate(blocks)

    def blocks(
        self, columns: Sequence[str] | None = None, *, block_bytes: int = GROUP_BYTES
    ) -> Iterator[Transmission]:
        """Yield the table in blocks of rows, in order; at least one, perhaps without rows.

        Parameters
        ----------
        columns : sequence of str
            Those that are wanted; None: all.
        block_bytes : int
            About the size of a block; one has at least one row.
        """
        wanted = self._stored(columns)
        n_groups = self._file.num_row_groups
        for group in range(n_groups):
            rows = self._file.read_row_group(group, columns=wanted, use_threads=False)
            n_blocks = -(-rows.nbytes // block_bytes)
            length = max(1, -(-rows.num_rows // max(1, n_blocks)))
            for first in range(0, rows.num_rows, length):
                yield self._table(rows.slice(first, length))
        if not self.n_rows:
            yield self._table(self._file.read(columns=wanted))

    def _stored(self, columns: Sequence[str] | None) -> list[str]:
        """Return the columns of the file that hold some columns of the table."""
        names = list(self.infos) if columns is None else [*dict.fromkeys([*columns, "row_id"])]
        unknown = [name for name in names if name not in self.infos]
        if unknown:
            there = ", ".join(self.infos)
            raise ValueError(f"the file has no column {unknown[0]!r}; it has: {there}.")
        arrays = [name for name in names if self.infos[name].axis]
        return [*dict.fromkeys([*names, BLOCK])] + [
            n + end for n in arrays for end in (RATE, START)
        ]

    def _table(self, rows: pa.Table) -> Transmission:
        """Return rows of the file as a table."""
        infos = {n: info for n, info in self.infos.items() if n in rows.column_names}
        scalars = {name: info for name, info in infos.items() if not info.axis}
        frame = rows.select([*scalars, BLOCK]).to_pandas()
        used = frame[BLOCK].astype("category").cat.remove_unused_categories()
        frame[BLOCK] = used if frame.shape[0] else pd.Categorical([], self._meta["blocks"])
        arrays = {name: _from_arrow(rows, name, info) for name, info in infos.items() if info.axis}
        last = self._meta["last_output"]
        return Transmission(
            frame=frame,
            infos={**scalars, BLOCK: ColumnInfo("identifier")},
            arrays=arrays,
            history=self.history,
            last_output=last if last in infos else None,
            holds=self._meta["holds"],
            stimuli=pd.DataFrame(**self._meta["stimuli"]),
        )


@contextmanager
def open_table(path: Path) -> Iterator[TableFile]:
    """Open the table in a Parquet file, to read it in blocks of rows.

    Parameters
    ----------
    path : Path
        Made by `write_table`.

    Raises
    ------
    ValueError
        If the file is no such table, is damaged, or is of a kind that runs code when opened.
    """
    if path.suffix.lower() in PICKLED:
        raise ValueError(
            f"{path.name} is a file of the original Mesmerize; it holds Python objects that may run"
            " any code when opened, and so is never opened. Save its table as Parquet there, by "
            "pandas, or load the experiment from the database."
        )
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}; check the folder and the name.")
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} cannot be read as Parquet: {error}.") from error
    with file:
        yield TableFile(file, path)


def _write(path: Path, tables: Iterator[Transmission]) -> None:
    """Write blocks of rows, and at the end what is known of all."""
    first = next(tables)
    schema = _to_arrow(first).schema
    dictionary = [name for name in first.infos if first.infos[name].kind != "numeric"]
    history, notes = HistoryTrace(), dict[str, dict[str, Any]]()
    heads: dict[str, None] = {}
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=[*dictionary, BLOCK]
    ) as writer:
        for table in _with_first(first, tables):
            for part in _parts(table):
                writer.write_table(_to_arrow(part).cast(schema))
            history = history.merge(table.history)
            heads |= dict.fromkeys(table.blocks)
            for key in table.blocks:
                notes[key] = _sum(notes.get(key, {}), table.history.block(key).notes)
        blocks = {
            key: replace(block, notes=notes.get(key, block.notes))
            for key, block in history.blocks.items()
        }
        writer.add_key_value_metadata({META: _about(first, HistoryTrace(blocks), list(heads))})


def _with_first(first: Transmission, rest: Iterator[Transmission]) -> Iterator[Transmission]:
    """Yield the first table and then the others."""
    yield first
    yield from rest


def _parts(table: Transmission) -> Iterator[Transmission]:
    """Yield a table in parts of about one group of rows."""
    n_bytes = sum(column.values.nbytes for column in table.arrays.values())
    length = max(1, int(table.n_rows / max(1.0, n_bytes / GROUP_BYTES)))
    for begin in range(0, max(1, table.n_rows), length):
        yield table.take(slice(begin, begin + length))


def _sum(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes of two parts of one block; counts add up."""
    return {
        name: one[name] + value if isinstance(value, int) and name in one else value
        for name, value in {**one, **other}.items()
    } | {name: value for name, value in one.items() if name not in other}


def _about(table: Transmission, history: HistoryTrace, blocks: list[str]) -> str:
    """Return what the file tells of its table."""
    stimuli = table.stimuli.astype(object).where(table.stimuli.notna(), None)
    return json.dumps(
        {
            "format": FORMAT,
            "columns": table.columns(),
            "last_output": table.last_output,
            "holds": table.holds,
            "history": history.to_json(),
            "blocks": blocks,
            "stimuli": {"data": stimuli.to_numpy().tolist(), "columns": list(stimuli.columns)},
        }
    )


def _meta(file: pq.ParquetFile, path: Path) -> dict[str, Any]:
    """Return what the file tells of its table."""
    text = (file.metadata.metadata or {}).get(META)
    if text is None:
        raise ValueError(
            f"{path.name} is a Parquet file without a history; only tables that this program wrote "
            "can be read as such."
        )
    meta: dict[str, Any] = json.loads(text)
    if meta["format"] > FORMAT:
        raise ValueError(f"{path.name} was written by a newer version of this program; update it.")
    return meta


def _to_arrow(table: Transmission) -> pa.Table:
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


def _from_arrow(rows: pa.Table, name: str, info: ColumnInfo) -> ArrayColumn:
    """Return a column of arrays; numbers are not copied."""
    arrays = rows[name].combine_chunks()
    arrays = arrays.chunk(0) if isinstance(arrays, pa.ChunkedArray) else arrays
    lengths = np.diff(arrays.offsets.to_numpy())
    values = arrays.flatten().to_numpy(zero_copy_only=False)
    rate, start = (rows[name + end].to_numpy() for end in (RATE, START))
    return ArrayColumn.flat(values, lengths, info, rate=rate, start=start)
