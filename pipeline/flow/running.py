"""A flowchart run in this process: each result is a folder of files, computed once."""

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.blocks import DEFAULT_THREADS, Progress, no_progress
from pipeline.flow.computing import SUFFIX, TABLE, Made, compute_result, layers_of
from pipeline.flow.flowchart import Flowchart, FlowchartError, Port
from pipeline.flow.planning import Planned, Source, Wire, plan, require
from pipeline.flow.stored import open_stored
from pipeline.nodes import schema_of
from pipeline.transmission import Transmission, write_blocks

ABOUT = "result.json"


class Results:
    """The results of flowcharts in a folder, by their keys; equal ones are there once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str) -> bool:
        """Return whether a result is there as a whole."""
        return (self.folder / key / ABOUT).exists()

    def layers(self, wire: Wire) -> list[Path]:
        """Return the files of a table, the newest first."""
        return layers_of(wire, self._find)

    def _find(self, key: str) -> Made:
        """Return where a result is."""
        folder = self.folder / key
        return Made(folder, json.loads((folder / ABOUT).read_text())["bases"])

    def read(self, wire: Wire) -> Transmission:
        """Return a table as a whole."""
        with open_stored(self.layers(wire)) as stored:
            return stored.read()

    def put(self, table: Transmission) -> str:
        """Store a table with which flowcharts begin, and return its key."""
        key = table.checksum()[:32]
        self.put_blocks(key, [table])
        return key

    def put_blocks(self, key: str, tables: Iterable[Transmission]) -> None:
        """Store a table with which flowcharts begin under a key, block after block of its rows."""
        if not self.has(key):
            with _whole(self.folder / key) as aside:
                aside.mkdir()
                write_blocks(aside / f"{TABLE}{SUFFIX}", tables)
                _describe(aside, {TABLE: None})

    def compute(self, planned: Planned) -> None:
        """Compute a result that is not there; what flows in must be."""
        inputs = {p: [self.layers(wire) for wire in wires] for p, wires in planned.inputs.items()}
        with _whole(self.folder / planned.key) as aside:
            compute_result(planned, inputs, aside)
            _describe(aside, planned.bases)


class Ran(NamedTuple):
    """What running a flowchart came to."""

    results: Results
    """Where they are."""

    keys: dict[str, str]
    """Of the results, by the id of the node."""

    computed: list[str]
    """Keys of those that were not there before."""

    def table(self, port: str) -> Transmission:
        """Return a table by the id of its node, and after a dot which, where it makes several."""
        step, name = Port.parse(port)
        if step not in self.keys:
            raise ValueError(f"there is no node {step!r}; there are: {', '.join(self.keys)}.")
        return self.results.read(Wire(self.keys[step], name))


def run(
    flowchart: Flowchart,
    tables: Mapping[str, Transmission],
    folder: Path,
    *,
    threads: int = DEFAULT_THREADS,
    progress: Progress = no_progress,
) -> Ran:
    """Compute what a flowchart asks for and is not there.

    Parameters
    ----------
    flowchart : Flowchart
        What is to be computed.
    tables : mapping
        What it begins with, by the id of the node that loads it.
    folder : Path
        Where results are kept, and looked for.
    threads : int
        Nodes that are computed at once, where none waits for another.
    progress : callable
        Told after each node; may raise to cancel.

    Raises
    ------
    FlowchartError
        If a node is wrong, before anything is computed.
    ValueError
        If a node refuses its data; what does not depend on it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(folder)
    sources = {n: Source(results.put(table), schema_of(table)) for n, table in tables.items()}
    found = plan(flowchart, sources)
    todo = [planned for planned in require(found) if not results.has(planned.key)]
    compute_all(results, todo, threads=threads, progress=progress)
    return Ran(results, found.keys, [planned.key for planned in todo])


def compute_all(
    results: Results,
    todo: Sequence[Planned],
    *,
    threads: int = DEFAULT_THREADS,
    progress: Progress = no_progress,
) -> None:
    """Compute each result as soon as what flows in is there.

    Parameters
    ----------
    results : Results
        Where they go.
    todo : sequence of Planned
        Those that are not there.
    threads : int
        Nodes that are computed at once, where none waits for another.
    progress : callable
        Told after each node; may raise to cancel.
    """
    waiting, missing = list(todo), {planned.key for planned in todo}
    running: dict[Future[None], Planned] = {}
    failure: Exception | None = None
    # libraries' own threads would fight with those that work on nodes
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=threads) as pool:
        while True:
            ready = [p for p in waiting if not any(wire.key in missing for wire in p.wires())]
            for planned in ready:
                running[pool.submit(results.compute, planned)] = planned
            waiting = [planned for planned in waiting if planned not in ready]
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                planned = running.pop(future)
                failure = failure or _failure(planned, future)
                if future.exception() is None:
                    missing.discard(planned.key)
            progress("nodes", len(todo) - len(missing), len(todo))
    if failure is not None:
        raise failure


def _failure(planned: Planned, future: Future[None]) -> Exception | None:
    """Return why a node could not be computed, with its id."""
    error = future.exception()
    if isinstance(error, ValueError):
        return FlowchartError(f"[{planned.step}] {error}")
    return error if isinstance(error, Exception) else None


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a path for a folder that has its name only when it is whole."""
    aside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    try:
        yield aside
        if folder.exists():  # another was faster; equal keys mean equal content
            return
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _describe(folder: Path, bases: Mapping[str, Wire | None]) -> None:
    """Write down whose rows the tables of a result have."""
    (folder / ABOUT).write_text(json.dumps({"bases": bases}))
