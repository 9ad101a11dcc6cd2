"""Transmission: the table that goes from node to node, with its history."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.transmission.column import ArrayColumn, ColumnInfo, Rows, join_arrays
from pipeline.transmission.history import Block, HistoryTrace

ROW_ID = "row_id"
RECORDING_ID = "recording_id"
BLOCK = "_BLOCK_"
HIDDEN = (BLOCK,)
STIMULUS_COLUMNS = (RECORDING_ID, "type", "name", "start_s", "end_s")


@dataclass(frozen=True, kw_only=True, eq=False)
class Transmission:
    """A table with single values and arrays, which knows what they are and whence they come.

    Nothing in it is changed in place: each operation returns another table that shares what
    stayed the same.
    """

    frame: pd.DataFrame
    """Single values, a row each; among them ``row_id`` and ``_BLOCK_``, the key of the block."""

    infos: Mapping[str, ColumnInfo]
    """Kind and unit of each column of single values."""

    arrays: Mapping[str, ArrayColumn]
    """Columns of arrays by name."""

    history: HistoryTrace
    """All that the rows went through."""

    last_output: str | None = None
    """The column that was made last; nodes take it where none is named."""

    holds: str = "rows"
    """What it is a table of: ``rows`` of any kind, or what only some nodes make and understand, as
    ``linkage``."""

    stimuli: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=STIMULUS_COLUMNS))
    """Stimulus periods of the recordings, in seconds: see `STIMULUS_COLUMNS`."""

    @classmethod
    def create(
        cls,
        source: Block,
        *,
        scalars: Mapping[str, tuple[ArrayLike, ColumnInfo]] | None = None,
        arrays: Mapping[str, ArrayColumn] | None = None,
        stimuli: pd.DataFrame | None = None,
    ) -> "Transmission":
        """Return a new table whose rows begin with one block.

        Parameters
        ----------
        source : Block
            Tells where the values come from.
        scalars : mapping
            Values and kind of the columns with one value a row. ``row_id`` names the rows for
            ever; where it is missing, they are numbered. ``recording_id`` ties them to stimuli.
        arrays : mapping
            The columns of arrays.
        stimuli : pandas.DataFrame
            With `STIMULUS_COLUMNS`.
        """
        columns = {name: np.asarray(values) for name, (values, _) in (scalars or {}).items()}
        lengths = {len(values) for values in columns.values()}
        lengths |= {column.n_rows for column in (arrays or {}).values()}
        if len(lengths) > 1:
            raise ValueError(f"all columns must have as many rows; got {sorted(lengths)}.")
        n_rows = lengths.pop() if lengths else 0
        columns.setdefault(ROW_ID, np.array([str(row) for row in range(n_rows)], object))
        frame = pd.DataFrame(columns, index=pd.RangeIndex(n_rows))
        frame[BLOCK] = pd.Categorical([source.key] * n_rows, categories=[source.key])
        infos = {name: info for name, (_, info) in (scalars or {}).items()}
        infos[ROW_ID] = infos[BLOCK] = ColumnInfo("identifier")
        history = HistoryTrace({source.key: source})
        table = cls(frame=frame, infos=infos, arrays=dict(arrays or {}), history=history)
        return table if stimuli is None else replace(table, stimuli=stimuli)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    @property
    def row_ids(self) -> NDArray[np.object_]:
        """The lasting name of each row."""
        return self.frame[ROW_ID].to_numpy(object)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The keys of the blocks that the rows are in."""
        return tuple(self.frame[BLOCK].cat.categories)

    def derived(
        self,
        *,
        scalars: Mapping[str, tuple[Any, ColumnInfo]] | None = None,
        arrays: Mapping[str, ArrayColumn] | None = None,
        holds: str = "rows",
    ) -> "Transmission":
        """Return a table of other rows that was made of this one.

        Parameters
        ----------
        scalars : mapping
            Values and kind of the columns with one value a row.
        arrays : mapping
            The columns of arrays.
        holds : str
            What it is a table of.
        """
        first = self.history.block(self.blocks[0])
        new = Transmission.create(first, scalars=scalars, arrays=arrays, stimuli=self.stimuli)
        return replace(new, history=self.history, holds=holds)

    def columns(self) -> dict[str, ColumnInfo]:
        """Return what is known of each column, without the values."""
        infos = {name: info for name, info in self.infos.items() if name not in HIDDEN}
        return infos | {name: column.info for name, column in self.arrays.items()}

    def scalar(self, name: str) -> NDArray[Any]:
        """Return the values of a column with one value a row.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        if name not in self.infos:
            raise ValueError(self._no_column(name, "with one value a row", self.infos))
        return self.frame[name].to_numpy()

    def array(self, name: str) -> ArrayColumn:
        """Return a column of arrays.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        if name not in self.arrays:
            raise ValueError(self._no_column(name, "of arrays", self.arrays))
        return self.arrays[name]

    def with_scalar(self, name: str, values: Any, info: ColumnInfo) -> "Transmission":
        """Return the table with one more column of single values, the last output from now on."""
        arrays = {other: column for other, column in self.arrays.items() if other != name}
        frame = self.frame.assign(**{name: values})
        infos = {**self.infos, name: info}
        return replace(self, frame=frame, infos=infos, arrays=arrays, last_output=name)

    def with_array(self, name: str, column: ArrayColumn) -> "Transmission":
        """Return the table with one more column of arrays, the last output from now on."""
        if column.n_rows != self.n_rows:
            raise ValueError(f"{name} has {column.n_rows} arrays for {self.n_rows} rows.")
        plain = self.without(name) if name in self.infos else self
        return replace(plain, arrays={**plain.arrays, name: column}, last_output=name)

    def without(self, *names: str) -> "Transmission":
        """Return the table without some columns."""
        return replace(
            self,
            frame=self.frame.drop(columns=[name for name in names if name in self.infos]),
            infos={name: info for name, info in self.infos.items() if name not in names},
            arrays={name: column for name, column in self.arrays.items() if name not in names},
            last_output=None if self.last_output in names else self.last_output,
        )

    def take(self, rows: Rows) -> "Transmission":
        """Return the table with some of its rows, in the order asked for; a slice copies little."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        if len(frame):  # a table without rows keeps its past
            frame[BLOCK] = frame[BLOCK].cat.remove_unused_categories()
        arrays = {name: column.take(rows) for name, column in self.arrays.items()}
        return replace(self, frame=frame, arrays=arrays)

    def provenance(self, row: int) -> list[Block]:
        """Return what one row went through, from its recording on."""
        return self.history.line(str(self.frame[BLOCK].iloc[row]))

    def checksum(self) -> str:
        """Return 64 hexadecimal digits of all values, names, units and keys; times are left out."""
        digest = hashlib.sha256(repr(sorted(self.columns().items())).encode())
        for name in sorted(self.infos):
            digest.update(repr(_plain(self.frame[name])).encode())
        for name, column in sorted(self.arrays.items()):
            parts = (column.offsets, column.rate, column.start, column.values)
            digest.update(name.encode())
            for part in parts:
                text = part.dtype.kind in "OU"
                digest.update(repr(part.tolist()).encode() if text else _data(part).data)
        digest.update(self.stimuli.to_csv(index=False).encode())
        return digest.hexdigest()

    @staticmethod
    def _no_column(name: str, what: str, there: Mapping[str, Any]) -> str:
        """Return what is wrong with a name."""
        names = ", ".join(sorted(set(there) - set(HIDDEN))) or "none"
        return f"there is no column {name!r} {what}; there are: {names}."


def _plain(values: pd.Series) -> list[Any]:
    """Return values as Python has them, however they are stored; None where one is missing."""
    return [value if there else None for value, there in zip(values, values.notna(), strict=True)]


def _data(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of an array, without a copy where it lies in one piece."""
    return np.ascontiguousarray(values).view(np.uint8)


def concatenate(tables: Sequence[Transmission]) -> Transmission:
    """Return the rows of several tables below each other, with the histories of all.

    Parameters
    ----------
    tables : sequence of Transmission
        At least one. A column that one of them lacks is missing in its rows.

    Raises
    ------
    ValueError
        If a column has another kind, unit or axis in two of them.
    """
    _same_columns(tables)
    infos: dict[str, ColumnInfo] = {}
    for table in tables:
        infos |= table.infos
    frames = [table.frame.drop(columns=BLOCK) for table in tables]
    frame = pd.concat(frames, ignore_index=True).reindex(columns=[n for n in infos if n != BLOCK])
    blocks = pd.api.types.union_categoricals([table.frame[BLOCK] for table in tables])
    frame[BLOCK] = blocks
    names = dict.fromkeys(name for table in tables for name in table.arrays)
    stimuli = [table.stimuli for table in tables if len(table.stimuli)]
    outputs = {table.last_output for table in tables}
    return replace(
        tables[0],
        frame=frame,
        infos=infos,
        arrays={name: join_arrays(_parts(name, tables)) for name in names},
        history=tables[0].history.merge(*(table.history for table in tables[1:])),
        last_output=outputs.pop() if len(outputs) == 1 else None,
        stimuli=pd.concat(stimuli).drop_duplicates(ignore_index=True)
        if stimuli
        else tables[0].stimuli,
    )


def _parts(name: str, tables: Sequence[Transmission]) -> list[ArrayColumn]:
    """Return a column of each table; empty arrays where it has none."""
    info = next(table.arrays[name].info for table in tables if name in table.arrays)
    return [
        table.arrays.get(name) or ArrayColumn.of([None] * table.n_rows, info) for table in tables
    ]


def _same_columns(tables: Sequence[Transmission]) -> None:
    """Refuse tables in which one name means different things."""
    known: dict[str, ColumnInfo] = {}
    for table in tables:
        for name, info in table.columns().items():
            other = known.setdefault(name, info)
            if other != info:
                raise ValueError(
                    f"column {name!r} is {_words(other)} in one table and {_words(info)} in "
                    "another; rename or leave out one of them."
                )


def _words(info: ColumnInfo) -> str:
    """Return what a column is, for a message."""
    unit = f" in {info.unit}" if info.unit else ""
    return f"{info.kind}{unit}, " + (f"along {info.axis}" if info.axis else "one value a row")
