"""Tables written to Parquet files, history inside, in blocks of rows."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.transmission.arrow import to_arrow
from pipeline.transmission.history import HistoryTrace
from pipeline.transmission.table import BLOCK, Transmission

FORMAT = 1
META = b"mesmerize"
GROUP_BYTES = 32_000_000


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


def _write(path: Path, tables: Iterator[Transmission]) -> None:
    """Write blocks of rows, and at the end what is known of all."""
    first = next(tables)
    schema = to_arrow(first).schema
    dictionary = [name for name in first.infos if first.infos[name].kind != "numeric"]
    history, notes = HistoryTrace(), dict[str, dict[str, Any]]()
    heads: dict[str, None] = {}
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=[*dictionary, BLOCK]
    ) as writer:
        for table in _with_first(first, tables):
            for part in _parts(table):
                writer.write_table(to_arrow(part).cast(schema))
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
