"""An example for each node, and tables that are usual, empty, damaged or short."""

from dataclasses import replace

import numpy as np

from tests.pipeline.node_tables import noise, periods, run, table_of

N_ROWS, N_SAMPLES = 12, 60
TAGS = np.array(["a", "b", "c"] * 4, object)
STIMULI = periods(
    ("odour", "A", 0.5, 1.5), ("odour", "B", 2.0, 3.0), ("odour", "A", 3.5, 4.5),
    ("odour", "B", 5.0, 5.9),
)  # fmt: skip


def usual():
    """Return traces with transients."""
    traces = noise(N_ROWS, N_SAMPLES) * 0.3 + 5
    traces[:, 20:30] += 4 * np.exp(-np.arange(10) / 4)
    return made(traces)


def made(traces, **options):
    """Return a table of some traces with tags and stimuli."""
    n_rows = len(traces)
    scalars = {"tag": TAGS[:n_rows], "size": np.arange(n_rows) * 1.5 % 4}
    return replace(table_of(traces, **scalars, **options), stimuli=STIMULI)


def with_nan():
    """Return traces of which one has a NaN and one an infinite value in another row's place."""
    traces = usual().array("_RAW_CURVE").stacked().copy()
    traces[1, 7] = np.nan
    return made(traces)


def unequal():
    """Return traces of several lengths and rates, one of them missing."""
    lengths = [60, 60, 50, 0, 1, 2, 3, 60, 55, 60, 60, 60]
    rates = np.full(N_ROWS, 10.0)
    rates[7] = 20.0
    return made(
        [usual().array("_RAW_CURVE").row(i)[:n] for i, n in enumerate(lengths)], rate_hz=rates
    )


CASES = {
    "usual": usual,
    "no rows": lambda: usual().take(slice(0, 0)),
    "one row": lambda: usual().take(slice(0, 1)),
    "with NaN": with_nan,
    "all NaN": lambda: made(np.full((N_ROWS, N_SAMPLES), np.nan)),
    "constant": lambda: made(np.full((N_ROWS, N_SAMPLES), 5.0)),
    "zero": lambda: made(np.zeros((N_ROWS, N_SAMPLES))),
    "unequal": unequal,
    "one sample": lambda: made(noise(N_ROWS, 1)),
    "float32": lambda: made(noise(N_ROWS, N_SAMPLES).astype(np.float32) + 5),
}

PARAMS = {}
INPUTS = {
    "irfft": lambda table: {"data": run("rfft", table)},
    "merge": lambda table: {"data": [table, run("normalize", table)]},
}


def example(name, table):
    """Return inputs and parameters of a node, made from a table."""
    inputs = INPUTS[name](table) if name in INPUTS else {"data": table}
    return inputs, dict(PARAMS.get(name, {}))
