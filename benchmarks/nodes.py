"""Time and memory of analysis nodes, each in a process of its own.

``python -m benchmarks.nodes`` prints a table; ``--tslearn PYTHON`` names an interpreter that has
tslearn, for comparison with k-Shape; ``--only NAME`` runs one line of it. ``many_rows`` needs 6 GB
where temporary files go (``TMPDIR``).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.nodes import find_node, run_blocks, run_node
from pipeline.transmission import (
    RECORDING_ID,
    STIMULUS_COLUMNS,
    ArrayColumn,
    ColumnInfo,
    Transmission,
    make_block,
    open_table,
    write_blocks,
)

RATE_HZ = 10.0
MANY_ROWS, MANY_FRAMES = 100_000, 5_000
SIGNAL_NODES = ("butterworth", "derivative", "normalize", "zscore", "absolute_value")

TSLEARN = """
import json, sys, time, numpy as np
from tslearn.clustering import KShape
x = np.load(sys.argv[1])
def fit(seed, iterations=300):
    return KShape(8, max_iter=iterations, tol=1e-6, n_init=1, random_state=seed).fit(x[..., None])
fit(0, 2)
made = []
for seed in range(3):
    begin = time.process_time()
    found = fit(seed)
    made.append((time.process_time() - begin, float(found.inertia_)))
print(json.dumps(made))
"""


def traces(n_rows: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """Return smooth activity with transients and noise."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 0.2, (n_rows, n_samples))
    kernel = np.exp(-np.arange(30) / 8.0)
    for row in range(n_rows):
        events = np.zeros(n_samples)
        events[rng.integers(0, n_samples, max(1, n_samples // 100))] = 1
        made[row] += np.convolve(events, kernel)[:n_samples]
    return made


def table_of(values: np.ndarray) -> Transmission:
    """Return a table of traces of one recording."""
    n_rows = len(values)
    recording = (np.full(n_rows, "r1", object), ColumnInfo("identifier"))
    column = ArrayColumn.of(values, ColumnInfo("numeric", "a.u.", "time"), rate=RATE_HZ)
    block = make_block("simulated", {"rows": n_rows})
    table = Transmission.create(
        block, scalars={RECORDING_ID: recording}, arrays={"_RAW_CURVE": column}
    )
    return replace(table, last_output="_RAW_CURVE")


def run(name: str, table: Transmission, **params: Any) -> Transmission:
    """Return what a node makes."""
    node = find_node(name)
    made = run_node(node, node.params(**params), {node.ports[0].name: table})
    return made[node.results[0].name]


def timed(work: Callable[[], object], *, warm: Callable[[], object]) -> dict[str, float]:
    """Return how long work takes on the clock and of the processors, once all is compiled."""
    warm()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    return {"seconds": seconds, "CPU s": cpu}


def cross_correlation() -> dict[str, float]:
    """Measure lags and maxima of 1,000 curves."""
    table, small = table_of(traces(1000, 3000)), table_of(traces(4, 100))
    return timed(
        lambda: run("cross_correlation", table), warm=lambda: run("cross_correlation", small)
    )


def extract_stim() -> dict[str, float]:
    """Measure 1,000 curves by 200 periods."""
    starts = np.arange(200) * 4.0 + 1
    rows = [("r1", "odour", f"s{i % 5}", start, start + 2) for i, start in enumerate(starts)]
    stimuli = pd.DataFrame(rows, columns=list(STIMULUS_COLUMNS))
    table = replace(table_of(traces(1000, 9000)), stimuli=stimuli)
    return timed(
        lambda: run("extract_stim", table, stimulus_type="odour"),
        warm=lambda: run("extract_stim", table.take(slice(0, 1)), stimulus_type="odour"),
    )


def peaks() -> dict[str, float]:
    """Measure detection and features of peaks of 1,000 curves of 10,000 frames."""
    table = table_of(traces(1000, 10_000))

    def work(given: Transmission) -> Transmission:
        smooth = run("butterworth", given, cutoff_hz=1.0)
        return run("peak_features", run("peak_detect", smooth, min_amplitude_rel=0.2))

    made = timed(lambda: work(table), warm=lambda: work(table.take(slice(0, 1))))
    return {**made, "peaks": work(table.take(slice(0, 10))).n_rows / 10}


def earth_mover() -> dict[str, float]:
    """Measure the tree of 1,000 curves of 1,000 frames."""
    table = table_of(traces(1000, 1000))
    return timed(
        lambda: run("linkage", table), warm=lambda: run("linkage", table.take(slice(0, 3)))
    )


def kshape(tslearn: str = "") -> dict[str, float]:
    """Measure k-Shape of 1,000 curves of 500 frames, k = 8, over 3 seeds; tslearn starts once."""
    from pipeline.nodes.clustering import KShapeParams, fit_shapes
    from pipeline.nodes.shape_clusters import z_normalized

    values = z_normalized(list(traces(1000, 500)))
    made = {}
    for name, options in {"": {}, "1 start ": {"n_init": 1}}.items():
        found = []
        for seed in range(3):
            begin = time.process_time()
            fitted = fit_shapes(values, KShapeParams(n_clusters=8, seed=seed, **options))
            found.append((time.process_time() - begin, fitted.inertia))
        made |= _summary(name, found)
    if tslearn:
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/x.npy", values)
            done = subprocess.run(
                [tslearn, "-c", TSLEARN, f"{folder}/x.npy"],
                capture_output=True,
                text=True,
                check=True,
            )
        made |= _summary("tslearn ", json.loads(done.stdout.strip().splitlines()[-1]))
    return made


def _summary(name: str, found: list[Any]) -> dict[str, float]:
    """Return medians of time and inertia."""
    seconds, inertia = np.median(np.array(found), axis=0)
    return {f"{name}CPU s": float(seconds), f"{name}inertia": float(inertia)}


def tvdiff() -> dict[str, float]:
    """Measure the derivative of a trace of 10,000 samples."""
    table, small = table_of(traces(1, 10_000)), table_of(traces(1, 100))
    return timed(lambda: run("tvdiff", table), warm=lambda: run("tvdiff", small))


def many_rows() -> dict[str, float]:
    """Measure 100,000 ROIs of 5,000 frames through five signal nodes, from file to file."""
    some = traces(1000, MANY_FRAMES).astype(np.float32)

    def blocks() -> Any:
        for first in range(0, MANY_ROWS, len(some)):
            table = table_of(some)
            names = np.array([f"roi{first + row}" for row in range(len(some))], object)
            yield table.with_scalar("row_id", names, ColumnInfo("identifier"))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.parquet"
        write_blocks(path, blocks())
        column, begin = "_RAW_CURVE", time.perf_counter()
        for place, name in enumerate(SIGNAL_NODES, start=1):
            node, new = find_node(name), Path(folder) / f"{place}.parquet"
            with open_table(path) as file:
                made = run_blocks(node, node.params(data_column=column), file.blocks([column]))
                output = node.results[0].columns[0].name
                # of each block only what is new is written, as a flowchart does
                write_blocks(new, (block.without(column) for block in made))
            path.unlink()
            path, column = new, output
        return {"seconds": time.perf_counter() - begin}


LINES: dict[str, Callable[..., dict[str, float]]] = {
    "cross_correlation": cross_correlation,
    "extract_stim": extract_stim,
    "peaks": peaks,
    "earth_mover": earth_mover,
    "kshape": kshape,
    "tvdiff": tvdiff,
    "many_rows": many_rows,
}


def measure(name: str, tslearn: str) -> dict[str, float]:
    """Return what a line measures in a new process, and its peak memory."""
    command = [sys.executable, "-m", "benchmarks.nodes", "--child", name, "--tslearn", tslearn]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=LINES)
    parser.add_argument("--child", choices=LINES)
    parser.add_argument("--tslearn", default="")
    args = parser.parse_args()
    if args.child:
        begin_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        options = {"tslearn": args.tslearn} if args.child == "kshape" else {}
        made = LINES[args.child](**options)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({**made, "peak MB": peak_mb, "MB before": begin_mb}))
        return
    for name in [args.only] if args.only else LINES:
        made = measure(name, args.tslearn)
        print(f"{name:<20}", "  ".join(f"{key} {value:.4g}" for key, value in made.items()))


if __name__ == "__main__":
    main()
