"""What a flowchart costs: memory of a long chain on many ROIs, and the overhead of each node.

``python -m benchmarks.flow [--rois 100000] [--frames 5000] [--folder F]``; the folder needs seven
times the size of the traces.
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from pipeline.flow import Flow, Results, Source, plan, require
from pipeline.flow.building import LOAD
from pipeline.flow.flowchart import Flowchart
from pipeline.flow.running import compute_all
from pipeline.nodes import find_node, run_node, schema_of
from pipeline.transmission import ROW_ID, ArrayColumn, ColumnInfo, Transmission, make_block
from pipeline.versions import software_versions

RATE_HZ = 30.0
ROWS_AT_ONCE = 500
KEY = "0" * 32
CHAIN = ("butterworth", "savitzky_golay", "derivative", "normalize", "zscore")
N_SMALL = 40
MEGABYTE = 1e6
KILOBYTE = 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rois", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=5_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(", ".join(f"{name} {version}" for name, version in software_versions().items()))
    print(f"load before: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"overhead of a node: {1000 * _overhead_s(Path(folder) / 'small'):.1f} ms")
        out = Path(folder) / "large"
        out.mkdir()
        Results(out).put_blocks(KEY, _traces(options.rois, options.frames))
        for name in CHAIN:
            arguments = (out, options.frames, CHAIN[: CHAIN.index(name) + 1], options.threads)
            with get_context("spawn").Pool(1) as pool:  # the memory is that of this node alone
                took_s, peak_bytes = pool.apply(_run_chain, arguments)
            print(f"{name:<16}{took_s:7.1f} s {peak_bytes / MEGABYTE:7.0f} MB")


def _traces(n_rois: int, n_frames: int) -> Iterator[Transmission]:
    """Yield noise, block by block."""
    block = make_block("simulated", {"rois": n_rois, "frames": n_frames})
    rng = np.random.default_rng(0)
    for first in range(0, n_rois, ROWS_AT_ONCE):
        n_rows = min(ROWS_AT_ONCE, n_rois - first)
        values = rng.standard_normal((n_rows, n_frames), np.float32)
        ids = np.array([str(first + row) for row in range(n_rows)], object)
        scalars = {ROW_ID: (ids, ColumnInfo("identifier"))}
        column = ArrayColumn.of(values, ColumnInfo("numeric", "a.u.", "time"), rate=RATE_HZ)
        yield Transmission.create(block, scalars=scalars, arrays={"_RAW_CURVE": column})


def _chain(names: tuple[str, ...]) -> Flowchart:
    """Return a flowchart of nodes one after the other."""
    flow = Flow()
    made = flow.load("traces", id=LOAD)
    for name in names:
        made = getattr(flow, name)(made, **({"cutoff_hz": 1.0} if name == CHAIN[0] else {}))
    return flow.chart


def _run_chain(
    folder: Path, n_frames: int, names: tuple[str, ...], threads: int
) -> tuple[float, float]:
    """Compute what of a chain is not there; return seconds, and the peak of memory in bytes."""
    (sample,) = _traces(1, n_frames)
    schema = schema_of(sample)._replace(last_output="_RAW_CURVE")
    results = Results(folder)
    planned = require(plan(_chain(names), {LOAD: Source(KEY, schema)}))
    began_s = time.perf_counter()
    compute_all(results, [p for p in planned if not results.has(p.key)], threads=threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE
    return time.perf_counter() - began_s, peak


def _overhead_s(folder: Path) -> float:
    """Return what a node costs in a flowchart beside what it costs by itself, in seconds."""
    (table,) = _traces(10, 100)
    names = ("normalize", "zscore") * (N_SMALL // 2)
    flow = Flow()
    made = flow.load(table, id=LOAD)
    for name in names:
        made = getattr(flow, name)(made, data_column="_RAW_CURVE")
    flow.run(folder / "warm")
    began_s = time.perf_counter()
    flow.run(folder / "cold", threads=1)
    in_flow_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    for name in names:
        node = find_node(name)
        table = run_node(node, node.params(data_column="_RAW_CURVE"), {"data": table})["out"]
    return (in_flow_s - (time.perf_counter() - began_s)) / N_SMALL


if __name__ == "__main__":
    main()
