"""Run a node: check what comes in, compute, and write down what was done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from pipeline.nodes.checking import check_inputs, made_columns, output_schemas
from pipeline.nodes.declaration import Node, Result, schema_of
from pipeline.nodes.rowwise import compute_rows
from pipeline.params import params_to_dict
from pipeline.transmission import BLOCK, ArrayColumn, ColumnInfo, Transmission, make_block

Given = Mapping[str, Transmission | Sequence[Transmission]]


def run_node(node: Node, params: Any, inputs: Given) -> dict[str, Transmission]:
    """Return what a node makes, by result, each with its history.

    Parameters
    ----------
    node : Node
        What is computed.
    params : dataclass instance
        Its settings.
    inputs : mapping
        The tables that come in, by port; several where a port takes many. They are not changed.

    Raises
    ------
    ValueError
        If an input or a column is missing or does not fit, or the data cannot be computed.

    Notes
    -----
    Libraries of linear algebra use one thread meanwhile, so that the bits do not depend on it.
    """
    schemas = {
        name: [schema_of(table) for table in _tables(given)] for name, given in inputs.items()
    }
    params = check_inputs(node, params, schemas)
    with _threads().limit(limits=1):
        made = _compute(node, params, inputs)
    schemas_made = output_schemas(node, params, schemas)
    logged = {}
    for result in node.results:
        table = _logged(node, result, params, made[result.name], inputs)
        last = schemas_made[result.name].last_output
        logged[result.name] = replace(table, last_output=last if last in table.columns() else None)
    return logged


def run_blocks(node: Node, params: Any, blocks: Iterator[Transmission]) -> Iterator[Transmission]:
    """Yield what a node makes of blocks of rows, for tables that do not fit into memory.

    Parameters
    ----------
    node : Node
        One with ``by_row``, one input and one result.
    params : dataclass instance
        Its settings.
    blocks : iterator of Transmission
        As `TableFile.blocks` yields them; `write_blocks` takes what is yielded here.

    Raises
    ------
    ValueError
        If the node needs all rows at once.
    """
    if not node.by_row:
        raise ValueError(f"{node.name} needs all rows at once.")
    for block in blocks:
        yield run_node(node, params, {node.ports[0].name: block})[node.results[0].name]


@cache
def _threads() -> ThreadpoolController:
    """Return what limits the threads of libraries; it is slow to find them."""
    return ThreadpoolController()


def _tables(given: Transmission | Sequence[Transmission]) -> list[Transmission]:
    """Return the tables at a port."""
    return [given] if isinstance(given, Transmission) else list(given)


def _compute(node: Node, params: Any, inputs: Given) -> dict[str, Transmission]:
    """Return what the function makes, by result."""
    if not node.on_traces:
        made = node.compute(params, **inputs)
        return made if isinstance(made, dict) else {node.results[0].name: made}
    (table,) = inputs.values()
    assert isinstance(table, Transmission)  # one input, which takes one table
    source = table.array(params.data_column).info
    infos = made_columns(node.results[0], params, source)
    for name, values in compute_rows(node, params, table).items():
        if isinstance(values, ArrayColumn):
            table = table.with_array(name, values.described(**infos[name]._asdict()))
        else:
            table = table.with_scalar(name, values, infos[name])
    return {node.results[0].name: table}


def _logged(
    node: Node, result: Result, params: Any, table: Transmission, inputs: Given
) -> Transmission:
    """Return a table whose rows are in blocks of their own, made of those they were in."""
    parameters = params_to_dict(params)
    if node.fingerprint is not None:
        parameters["fingerprint"] = node.fingerprint(params)
    if len(node.results) > 1:
        parameters["result"] = result.name
    given = [_tables(inputs[port.name]) for port in node.ports if port.name in inputs]
    history = table.history.merge(*(one.history for tables in given for one in tables))
    counted = given[1:] if node.by_row else given
    others = dict.fromkeys(key for tables in counted for one in tables for key in one.blocks)
    invalid = _invalid(table, result, params) if result.rows == "same" else {}
    n_given = sum(one.n_rows for one in given[0]) if given else table.n_rows
    changed = {} if result.rows == "same" else {"rows_in": n_given, "rows_out": table.n_rows}
    made = {
        key: make_block(
            node.name,
            parameters,
            [key, *(other for other in others if other != key)],
            version=node.version,
            notes={"invalid_rows": invalid[key]} if invalid.get(key) else changed,
        )
        for key in table.blocks
    }
    names = {key: block.key for key, block in made.items()}
    frame = table.frame.assign(**{BLOCK: table.frame[BLOCK].cat.rename_categories(names)})
    history = history.add(*made.values()).ancestors(names.values())
    return replace(table, frame=frame, history=history)


def _invalid(table: Transmission, result: Result, params: Any) -> dict[str, int]:
    """Return in how many rows of each block a number that was made is missing."""
    bad = np.zeros(table.n_rows, bool)
    for name, info in made_columns(result, params, ColumnInfo()).items():
        if info.kind != "numeric":
            continue
        if name in table.arrays:
            bad |= _without_numbers(table.arrays[name])
        elif name in table.infos:
            bad |= pd.isna(table.frame[name]).to_numpy()
    keys, counts = np.unique(table.frame[BLOCK][bad].astype(object), return_counts=True)
    return dict(zip(keys.tolist(), counts.tolist(), strict=True))


def _without_numbers(column: ArrayColumn) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which arrays are missing or hold nothing but NaN."""
    if column.values.dtype.kind != "f":
        return np.asarray(column.lengths == 0)
    there = np.concatenate([[0], np.cumsum(~np.isnan(column.values))])
    return np.asarray(there[column.offsets[1:]] == there[column.offsets[:-1]])
