"""One result: computed from files into files, by blocks of rows where a node allows it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.flow.planning import Planned, Wire
from pipeline.flow.stored import Layers, StoredTable, open_stored
from pipeline.nodes import Node, find_node, run_blocks, run_node
from pipeline.nodes import Result as NodeResult
from pipeline.params import params_from_dict
from pipeline.transmission import ROW_ID, Transmission, write_blocks, write_table

SUFFIX = ".parquet"
TABLE = "out"
"""The one table of a result with which flowcharts begin."""


class Made(NamedTuple):
    """A result that is there."""

    folder: Path
    """From `compute_result`."""

    bases: Mapping[str, Sequence[str] | None]
    """The table, as of a `Wire`, whose rows each of its tables has; None: rows of its own."""


def compute_result(planned: Planned, inputs: Mapping[str, Sequence[Layers]], folder: Path) -> None:
    """Compute what a node makes, into a new folder with a file for each table.

    Parameters
    ----------
    planned : Planned
        The node.
    inputs : mapping
        The files of what flows in, by port.
    folder : Path
        Is made; each file is there as a whole or not at all.

    Raises
    ------
    ValueError
        If the node was planned with another version of its function, or refuses the data.

    Notes
    -----
    A node that works row by row takes as much memory as a few blocks of rows, whatever their
    number; another one as much as the columns that it needs, and the rows that it passes on.
    """
    node = find_node(planned.node)
    if node.version != planned.version:
        raise ValueError(
            f"{node.name} is installed in version {node.version}, and was asked for in version "
            f"{planned.version}; submit the flowchart again."
        )
    params = params_from_dict(node.params, planned.params)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        tables = {
            port: [stack.enter_context(open_stored(layers)) for layers in given]
            for port, given in inputs.items()
        }
        if node.by_row and [len(given) for given in tables.values()] == [1]:
            _compute_blocks(node, params, planned, tables, folder)
        else:
            _compute_whole(node, params, planned, tables, folder)


def layers_of(wire: Wire, find: Callable[[str], Made]) -> list[Path]:
    """Return the files of a table that was made, the newest first.

    Parameters
    ----------
    wire : Wire
        The table; "" stands for the first of a result.
    find : callable
        Told the key of a result; returns where it is.
    """
    made = find(wire.key)
    table = wire.table or next(iter(made.bases))
    base = made.bases[table]
    older = layers_of(Wire(*base), find) if base else []
    return [made.folder / f"{table}{SUFFIX}", *older]


def _compute_blocks(
    node: Node,
    params: Any,
    planned: Planned,
    tables: Mapping[str, list[StoredTable]],
    folder: Path,
) -> None:
    """Compute block by block."""
    ((stored,),) = tables.values()
    (result,) = node.results
    blocks = run_blocks(node, params, stored.blocks(_needed(node, params, planned, stored)))
    kept = _kept(result, params, planned)
    write_blocks(folder / f"{result.name}{SUFFIX}", map(kept, blocks))


def _compute_whole(
    node: Node,
    params: Any,
    planned: Planned,
    tables: Mapping[str, list[StoredTable]],
    folder: Path,
) -> None:
    """Compute from all rows at once."""
    many = {port.name: port.many for port in node.ports}
    given = {
        port: [table.read(_needed(node, params, planned, table)) for table in stored]
        for port, stored in tables.items()
    }
    made = run_node(node, params, {p: found if many[p] else found[0] for p, found in given.items()})
    for result in node.results:
        kept = _kept(result, params, planned)
        write_table(folder / f"{result.name}{SUFFIX}", kept(made[result.name]))


def _needed(node: Node, params: Any, planned: Planned, stored: StoredTable) -> list[str] | None:
    """Return the columns that a node has to see; None: all, because it passes its rows on."""
    if any(r.rows != "new" and planned.bases[r.name] is None for r in node.results):
        return None
    named = [getattr(params, one.name) for one in fields(params) if "column" in one.metadata]
    flat = [n for value in named for n in (value if isinstance(value, tuple) else (value,)) if n]
    needs = [name for port in node.ports for name in port.needs]
    there = set(stored.columns())
    return [*dict.fromkeys([*stored.scalars(), *(n for n in (*flat, *needs) if n in there)])]


def _kept(
    result: NodeResult, params: Any, planned: Planned
) -> Callable[[Transmission], Transmission]:
    """Return what leaves of a table what is stored: where it has a base, what the node made."""
    if planned.bases[result.name] is None:
        return lambda table: table
    words = asdict(params)
    made = {ROW_ID, *(output.name.format(**words) for output in result.columns)}
    return lambda table: table.without(*(set(table.columns()) - made))
