"""Results in files: each holds what its node made, and finds the rest where it was made before."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.blocks import frame_blocks
from pipeline.transmission import BLOCK, ROW_ID, TableFile, Transmission, concatenate, open_table

BLOCK_BYTES = 32_000_000

Layers = Sequence[Path]
"""The files of one table: the newest first, then those with the columns that it lacks."""


class StoredTable:
    """A table whose columns lie in several files with the same rows."""

    def __init__(self, files: Sequence[TableFile]) -> None:
        self._files = files
        self._of_column: dict[str, TableFile] = {}
        for file in files:
            for name in file.infos:
                self._of_column.setdefault(name, file)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self._files[0].n_rows

    def columns(self) -> list[str]:
        """Return the names of all columns."""
        return list(self._of_column)

    def scalars(self) -> list[str]:
        """Return the names of the columns with one value a row."""
        return [name for name, file in self._of_column.items() if file.infos[name].axis is None]

    def read(self, columns: Sequence[str] | None = None) -> Transmission:
        """Return the table.

        Parameters
        ----------
        columns : sequence of str
            Those that are wanted; None: all.
        """
        return concatenate(list(self.blocks(columns)))

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Transmission]:
        """Yield the table in blocks of rows, in order; at least one, perhaps without rows.

        Parameters
        ----------
        columns : sequence of str
            Those that are wanted; None: all.
        """
        wanted = list(self._of_column) if columns is None else list(columns)
        wanted = [*dict.fromkeys([ROW_ID, *wanted])]
        row_bytes = math.ceil(sum(self._file_of(name).row_bytes(name) for name in wanted))
        blocks = frame_blocks(self.n_rows, frame_bytes=row_bytes, memory_bytes=BLOCK_BYTES)
        for rows in blocks or [slice(0, 0)]:
            yield self._rows(rows, wanted)

    def _rows(self, rows: slice, columns: list[str]) -> Transmission:
        """Return some rows, put together of what lies in each file."""
        newest, *older = self._files
        table = newest.rows(rows, [n for n in columns if self._of_column[n] is newest])
        for file in older:
            names = [name for name in columns if self._of_column[name] is file]
            if names:
                table = _beside(table, file.rows(rows, names), names)
        last = newest.last_output
        return replace(table, last_output=last if last in columns else None)

    def _file_of(self, name: str) -> TableFile:
        """Return the file that holds a column, or refuse a name."""
        if name not in self._of_column:
            there = ", ".join(n for n in self._of_column if n != BLOCK)
            raise ValueError(f"the table has no column {name!r}; it has: {there}.")
        return self._of_column[name]


@contextmanager
def open_stored(layers: Layers) -> Iterator[StoredTable]:
    """Open a table that lies in several files.

    Parameters
    ----------
    layers : sequence of Path
        The newest first.

    Raises
    ------
    ValueError
        If one of them is damaged, or has other rows than the others.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(open_table(path)) for path in layers]
        for path, file in zip(layers, files, strict=True):
            if file.n_rows != files[0].n_rows:
                raise ValueError(
                    f"{path} has {file.n_rows} rows where {files[0].n_rows} belong to it: the file "
                    "was changed or is damaged; delete the result, and it is computed again."
                )
        yield StoredTable(files)


def _beside(table: Transmission, other: Transmission, names: Sequence[str]) -> Transmission:
    """Return a table with some columns of another with the same rows."""
    values = {name: other.frame[name] for name in names if name in other.infos}
    return replace(
        table,
        frame=table.frame.assign(**values),
        infos={**table.infos, **{name: other.infos[name] for name in values}},
        arrays={**table.arrays, **{n: other.arrays[n] for n in names if n in other.arrays}},
    )
