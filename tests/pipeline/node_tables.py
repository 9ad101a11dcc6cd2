"""Tables that the tests of nodes work on."""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.nodes import find_node, run_node
from pipeline.transmission import (
    RECORDING_ID,
    ROW_ID,
    STIMULUS_COLUMNS,
    ArrayColumn,
    ColumnInfo,
    Transmission,
    make_block,
)

TIME = ColumnInfo("numeric", "a.u.", "time")
RATE_HZ = 10.0


def table_of(traces, rate_hz=RATE_HZ, start_s=0.0, name="_RAW_CURVE", ids=None, **scalars):
    """Return a table of traces, and of single values: text is categorical."""
    column = ArrayColumn.of(traces, TIME, rate=rate_hz, start=start_s)
    ids = [f"roi{row}" for row in range(len(traces))] if ids is None else ids
    columns = {ROW_ID: (np.array(ids, object), ColumnInfo("identifier"))}
    columns[RECORDING_ID] = (np.array(["r1"] * len(traces), object), ColumnInfo("identifier"))
    for key, given in scalars.items():
        values = np.asarray(given)
        numeric = values.dtype.kind in "iuf"
        kind = ColumnInfo("numeric" if numeric else "categorical")
        columns[key] = (values if numeric else values.astype(object), kind)
    block = make_block("simulated", {"rows": ids})
    table = Transmission.create(block, scalars=columns, arrays={name: column})
    return replace(table, last_output=name)


def periods(*rows):
    """Return stimulus periods of recording r1: (type, name, start_s, end_s) each."""
    return pd.DataFrame([("r1", *row) for row in rows], columns=list(STIMULUS_COLUMNS))


def run(name, table, result="out", **params):
    """Return what a node of one input makes of a table."""
    return run_many(name, {"data": table}, **params)[result]


def run_many(name, inputs, **params):
    """Return what a node makes, by result."""
    node = find_node(name)
    return run_node(node, node.params(**params), inputs)


def noise(n_rows, n_samples, seed=0):
    """Return random traces."""
    return np.random.default_rng(seed).normal(size=(n_rows, n_samples))
