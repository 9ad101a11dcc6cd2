"""How far it is: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.text import Text

from pipeline.blocks import Progress
from populate_workers.running import Running

LINE_EVERY_S = 10.0


@contextmanager
def reporter() -> Iterator[Progress]:
    """Yield a function that shows phase, done and total on standard error."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done, total=total)

        yield show


@contextmanager
def running_jobs() -> Iterator[Callable[[list[Running]], None]]:
    """Yield a function that shows the jobs that run, one line each, on standard error."""
    if not sys.stderr.isatty():
        said: dict[str, tuple[str, float]] = {}

        def say(jobs: list[Running]) -> None:
            for job in jobs:
                phase, at = said.get(job.log, ("", 0.0))
                if job.phase and (job.phase != phase or time.monotonic() - at > LINE_EVERY_S):
                    said[job.log] = job.phase, time.monotonic()
                    print(f"  {job.step}: {job.words()}", file=sys.stderr, flush=True)

        yield say
        return
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:

        def draw(jobs: list[Running]) -> None:
            rows = [
                f"  {job.step}  {' / '.join(job.key.values())[:60]}  {job.words()}" for job in jobs
            ]
            live.update(Text("\n".join(rows)), refresh=True)

        yield draw


class _Rate(ProgressColumn):
    """How many frames (or whatever a phase counts) are done in a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class _Lines:
    """A line for each phase when it begins, and now and then while it goes on."""

    def __init__(self) -> None:
        self.phase = ""
        self.began_at = self.said_at = 0.0

    def show(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if phase == self.phase and now - self.said_at < LINE_EVERY_S:
            return
        if phase != self.phase:
            self.began_at = now
        rate = f", {done / (now - self.began_at):,.0f}/s" if done and now > self.began_at else ""
        self.phase, self.said_at = phase, now
        print(f"  {phase}: {done:,} of {total:,}{rate}", file=sys.stderr, flush=True)
