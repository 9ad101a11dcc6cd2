"""Throughput and latency of the job queue against the number of workers.

``python -m benchmarks.queue [--jobs 1000] [--server mysql://root@host:port]`` submits jobs that do
nothing and prints, for 1 to 8 workers, the jobs a second, the time that a job costs beside its
work, and how long an attempt is open. A plain ``populate(reserve_jobs=True)`` of DataJoint's own,
in one process and without a process for each job, is the floor of the same run.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import probe
from pipeline.versions import software_versions
from schemas.setup import create_project, parse_server

WORKERS = (1, 2, 4, 8)
HEADER = "| workers | jobs/s | ms/job | attempt, median ms | attempt, 95 % ms |"
RULE = "|--:|--:|--:|--:|--:|"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--server", default=None)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(", ".join(f"{name} {version}" for name, version in software_versions().items()))
    print(f"load before: {os.getloadavg()[0]:.1f}; {options.server or 'embedded server'}\n")
    probe.install()
    with tempfile.TemporaryDirectory() as folder:
        address = parse_server(options.server) if options.server else None
        database = create_project(Path(folder) / "lab", address=address, prefix="benchmark_")
        try:
            _measure(database, options.jobs)
        finally:
            _drop(database)


def _measure(database: Any, jobs: int) -> None:
    """Print a line for each number of workers, and for DataJoint's own populate."""
    print(HEADER, RULE, sep="\n")
    for workers in WORKERS:
        first = probe.submit(jobs)
        processes = [_start(database) for _ in range(workers)]
        if any(process.wait() for process in processes):
            sys.exit("a worker failed")
        print(_line(database, workers, first, jobs), flush=True)
    probe.submit(jobs)
    began = time.monotonic()
    done = probe.Probe().populate(reserve_jobs=True)["success_count"]
    seconds = time.monotonic() - began
    print(f"| populate() | {done / seconds:.1f} | {1000 * seconds / done:.1f} | | |")


def _start(database: Any) -> subprocess.Popen:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.probe", "work"]
    words = [*command, str(database.settings.folder), "1"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)


def _line(database: Any, workers: int, first: int, jobs: int) -> str:
    """Return what the history says of the newest jobs."""
    rows = [
        row
        for row in (database.worker.RunLog() & {"outcome": "done"}).to_dicts()
        if int(row["job_key"]["task_id"]) >= first
    ]
    if len(rows) != jobs or len({row["key_hash"] for row in rows}) != jobs:
        sys.exit(f"{jobs} jobs, but {len(rows)} attempts were done")
    seconds = max(r["ended"] for r in rows) - min(r["started"] for r in rows)
    span_s = seconds.total_seconds()
    open_ms = [1000 * (row["ended"] - row["started"]).total_seconds() for row in rows]
    median, late = np.percentile(open_ms, [50, 95])
    rate, each = jobs / span_s, 1000 * span_s / jobs
    return f"| {workers} | {rate:.1f} | {each:.1f} | {median:.0f} | {late:.0f} |"


def _drop(database: Any) -> None:
    """Leave nothing on a shared server."""
    if not database.settings.embedded:
        for name in reversed(list(database.modules)):
            database.connection.query(f"DROP DATABASE `benchmark_{name}`")


if __name__ == "__main__":
    main()
