"""An example for each node, and tables that are usual, empty, damaged or short."""

import atexit
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.transmission import ArrayColumn, ColumnInfo, write_table
from tests.pipeline.node_tables import noise, periods, run, run_many, table_of

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
    scalars["side"] = np.array(["left", "right"] * 6, object)[:n_rows]
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

FOLDER = Path(tempfile.mkdtemp(prefix="node-examples-"))
atexit.register(shutil.rmtree, FOLDER)


def with_levels(table):
    """Return a table with grey levels."""
    low = np.tile(np.arange(6.0), (table.n_rows, 1))
    item = ColumnInfo("numeric", "", "item")
    named = table.with_array("_RAW_LOW", ArrayColumn.of(low, item))
    named = named.with_array("_RAW_HIGH", ArrayColumn.of(low + 10, item))
    return {"data": replace(named, last_output="_RAW_CURVE")}


def tree_and_links(table):
    """Return a tree and its inconsistency."""
    tree = run("linkage", table)
    return {"linkage": tree, "inconsistency": run_many("inconsistent", {"linkage": tree})["out"]}


def saved():
    """Return the settings of loading a table."""
    path = FOLDER / "usual.parquet"
    write_table(path, usual(), overwrite=True)
    return {"path": str(path)}


PARAMS = {
    "save": {"path": str(FOLDER / "saved.parquet"), "overwrite": True},
    "extract_stim": {"stimulus_type": "odour", "end_offset_s": 0.5},
    "tuning_curves": {"stimulus_type": "odour", "include_unlabelled": True},
    "manual_df_o_f": {"start_s": 0.0, "stop_s": 1.0},
    "kshape_grid": {"most_clusters": 3, "trials": 2},
    "lda": {"train_columns": ("_RAW_CURVE", "size"), "label_column": "tag"},
    "lda_predict": {"train_columns": ("_RAW_CURVE",), "label_column": "tag"},
    "manifold": {"method": "mds"},
    "cluster_metrics": {"label_column": "tag"},
    "proportions": {"x_column": "tag", "y_column": "side"},
    "cross_correlation": {"max_lag_s": 1.0, "significance": True},
    "iloc": {"start": 1, "stop": 5},
    "select_columns": {"columns": ("_RAW_CURVE", "tag")},
    "select_rows": {"column": "size", "operator": ">", "values": (1,)},
    "splice_arrays": {"start": 1.0, "stop": 3.0},
    "text_filter": {"column": "tag", "text": "a"},
    "arg_group_stat": {"data_column": "size", "group_by": "tag"},
    "group_stats": {"function": "nanmean", "group_by": "tag"},
    "group_summary": {"data_column": "size", "group_by": "tag", "unit_column": "side"},
    "group_zscore": {"group_by": "tag"},
}
INPUTS = {
    "irfft": lambda table: {"data": run("rfft", table)},
    "peak_edit": lambda table: {"data": run("peak_detect", table)},
    "peak_features": lambda table: {"data": run("peak_detect", table)},
    "fcluster": lambda table: {"data": table, "linkage": run("linkage", table)},
    "inconsistent": lambda table: {"linkage": run("linkage", table)},
    "max_inconsistent": tree_and_links,
    "max_inc_stat": tree_and_links,
    "lda_predict": lambda table: {"data": table, "train": table},
    "load_file": lambda table: {},
    "normrawminmax": with_levels,
    "join_columns": lambda table: {"data": table, "other": run("normalize", table)},
    "merge": lambda table: {"data": [table, run("normalize", table)]},
}


def example(name, table):
    """Return inputs and parameters of a node, made from a table."""
    inputs = INPUTS[name](table) if name in INPUTS else {"data": table}
    if name == "load_file":
        return inputs, saved()
    return inputs, dict(PARAMS.get(name, {}))
