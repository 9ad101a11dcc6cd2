"""Tables in Parquet files, read as a whole or in blocks of rows."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.blocks import frame_blocks
from pipeline.transmission.arrow import RATE, START, array_from_arrow
from pipeline.transmission.column import ColumnInfo
from pipeline.transmission.history import HistoryTrace
from pipeline.transmission.parquet import FORMAT, GROUP_BYTES, META
from pipeline.transmission.table import BLOCK, Transmission, concatenate

PICKLED = (".trn", ".ptrn")


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
        self.last_output: str | None = self._meta["last_output"]
        self.holds: str = self._meta["holds"]
        groups = range(file.num_row_groups)
        lengths = [file.metadata.row_group(group).num_rows for group in groups]
        self._edges = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._kept: tuple[object, pa.Table] | None = None

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self._file.metadata.num_rows)

    def row_bytes(self, column: str) -> float:
        """Return what a value of a column takes in memory, on average."""
        about = self._file.metadata
        taken = 0
        for group in range(about.num_row_groups):
            for leaf in map(about.row_group(group).column, range(about.num_columns)):
                if leaf.path_in_schema.split(".")[0] == column:
                    taken += leaf.total_uncompressed_size
        return taken / max(1, self.n_rows)

    def rows(self, rows: slice, columns: Sequence[str] | None = None) -> Transmission:
        """Return some rows; to read a file from front to back in steps costs no more than at once.

        Parameters
        ----------
        rows : slice
            Half-open, within the table.
        columns : sequence of str
            Those that are wanted; None: all.
        """
        wanted = self._stored(columns)
        first = int(np.searchsorted(self._edges, rows.start, "right")) - 1
        last = int(np.searchsorted(self._edges, rows.stop, "left"))
        groups = range(max(0, first), last)
        parts = [self._group(group, wanted) for group in groups] or [self._empty(wanted)]
        offset = int(self._edges[groups.start]) if groups else 0
        return self._table(
            pa.concat_tables(parts).slice(rows.start - offset, rows.stop - rows.start)
        )

    def _group(self, group: int, columns: list[str]) -> pa.Table:
        """Return a group of rows; that which was read last is kept."""
        key = group, tuple(columns)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._file.read_row_group(group, columns=columns, use_threads=False)
        return self._kept[1]

    def _empty(self, columns: list[str]) -> pa.Table:
        """Return a table without rows."""
        return self._file.schema_arrow.empty_table().select(columns)

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
        names = list(self.infos) if columns is None else columns
        row_bytes = math.ceil(sum(map(self.row_bytes, names)))
        blocks = frame_blocks(self.n_rows, frame_bytes=row_bytes, memory_bytes=block_bytes)
        for rows in blocks or [slice(0, 0)]:
            yield self.rows(rows, columns)

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
        arrays = {
            name: array_from_arrow(rows, name, info) for name, info in infos.items() if info.axis
        }
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
