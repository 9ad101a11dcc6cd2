"""How long a server takes to filter 100,000 ROIs, and to make a dataset of them.

``python -m benchmarks.filters [--rois 500] [--server mysql://root@host:port]`` plants 200 samples
with so many ROIs each, a tag on every second ROI, some of which were replaced, and verdicts, and
prints the median time of counting what each filter finds, and of fetching its first page.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.planted_rois import copy_rois, plant_rois, plant_samples, tag_again, tag_half
from pipeline.versions import software_versions
from schemas.custom_columns import add_custom_column
from schemas.datasets import make_dataset
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.roi_table import Page, count_rois, fetch_rois, roi_table
from schemas.setup import create_project, parse_server

FILTERS = (
    "snr > 5",
    "accepted and snr > 5 and area_px = 50..200",
    "region: pr",
    "region is missing",
    "accepted and not region: pr|mn and comments: focus",
    "reason ~ ^(snr|rval)",
    "dose > 1 or genotype = ko",
)
PREFIX = "benchmark_"
N_ANIMALS, N_TRIALS = 20, 10
N_PIXELS = 130
"""Of a footprint: a row then has 3 kB, as those of cells of 13 pixels across."""

TIMES = 3
HEADER = (
    "| filter | ROIs | count, ms | page of 200, ms | largest SNR first, ms |\n|---|--:|--:|--:|--:|"
)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rois", type=int, default=500)
    parser.add_argument("--server", default=None)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(", ".join(f"{name} {version}" for name, version in software_versions().items()))
    with tempfile.TemporaryDirectory() as folder:
        address = parse_server(options.server) if options.server else None
        database = create_project(Path(folder) / "lab", address=address, prefix=PREFIX)
        try:
            _plant(database, options.rois)
            _measure(database, options.server or "embedded server")
        finally:
            _drop(database)


def _plant(database: Any, n_rois: int) -> None:
    """Fill the project; the ROIs of one sample are copied inside the server."""
    keys = plant_samples(database, n_animals=N_ANIMALS, n_trials=N_TRIALS)
    add_label(database, ROI_TAG_TYPE, "region")
    add_custom_column(database, "dose", "float", 0.5)
    rng = np.random.default_rng(0)
    plant_rois(database, keys[:1], n_rois=n_rois, rng=rng, n_pixels=N_PIXELS)
    copy_rois(database, keys[0], keys[1:])
    tag_half(database, keys)
    tag_again(database, keys)


def _measure(database: Any, server: str) -> None:
    """Print a line for each filter, and one for a dataset."""
    table = roi_table(database)
    print(f"load before: {os.getloadavg()[0]:.1f}; {server}\n{HEADER}")
    for text in FILTERS:
        query = table.chosen(table.parse(text))
        count_ms = _median_ms(lambda query=query: count_rois(table, query))
        pages_ms = [
            _median_ms(lambda query=query, page=page: fetch_rois(table, query, page))
            for page in (Page(200), Page(200, order_by="snr", descending=True))
        ]
        n_rois = count_rois(table, query).rois
        numbers = " | ".join(f"{span_ms:.0f}" for span_ms in (count_ms, *pages_ms))
        print(f"| `{text}` | {n_rois:,} | {numbers} |", flush=True)
    began = time.monotonic()
    made = make_dataset(database, "all", "")
    print(f"\na dataset of {made.n_rois:,} ROIs: {time.monotonic() - began:.1f} s")


def _median_ms(act: Callable[[], Any]) -> float:
    """Return the median time of several times, in milliseconds."""
    spans = []
    for _ in range(TIMES):
        began = time.monotonic()
        act()
        spans.append(1000 * (time.monotonic() - began))
    return median(spans)


def _drop(database: Any) -> None:
    """Leave nothing on a shared server."""
    if not database.settings.embedded:
        for name in reversed(list(database.modules)):
            database.connection.query(f"DROP DATABASE `{PREFIX}{name}`")


if __name__ == "__main__":
    main()
