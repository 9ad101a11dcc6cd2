"""A flowchart written in Python: ``flow.zscore(flow.butterworth(raw, cutoff_hz=1.0))``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.flow.flowchart import FIRST, Flowchart, Port, Step
from pipeline.flow.running import Ran, run
from pipeline.nodes import find_node
from pipeline.transmission import Transmission

LOAD = "load"
"""The node that a dataset comes from."""


class Made:
    """What a node of a `Flow` makes, to be given to others."""

    def __init__(self, step: str, tables: tuple[str, ...]) -> None:
        self.step = step
        self._tables = tables

    def port(self, name: str) -> Port:
        """Return one of several tables that a node makes."""
        if name not in self._tables:
            raise ValueError(f"{self.step!r} makes: {', '.join(self._tables)}; got {name!r}.")
        return Port(self.step, name)


Given = Made | Port
"""What can flow into a node."""


class Flow:
    """A flowchart that grows; each node is a method that returns what it makes.

    Parameters
    ----------
    name : str
        What people call it.

    Examples
    --------
    >>> flow = Flow("filtered")
    >>> raw = flow.load("all cells")
    >>> smooth = flow.butterworth(raw, cutoff_hz=1.0)
    >>> print(flow.chart.order())
    ['load', 'butterworth']
    """

    def __init__(self, name: str = "flow") -> None:
        self.name = name
        self.tables: dict[str, Transmission] = {}
        self._steps: dict[str, Step] = {}

    @property
    def chart(self) -> Flowchart:
        """The flowchart as it is now."""
        return Flowchart(name=self.name, steps=self._steps)

    def load(self, dataset: str | Transmission, *, id: str = "", **params: Any) -> Made:  # noqa: A002 as in the file
        """Begin with a dataset of the project, or a table that is there.

        Parameters
        ----------
        dataset : str or Transmission
            Name of a dataset, or a table.
        id : str
            Of the node; "": chosen.
        **params
            What is to be loaded of it.
        """
        name = self._free(id or LOAD)
        if isinstance(dataset, Transmission):
            self.tables[name] = dataset
            dataset = dataset.checksum()[:32]
        self._steps[name] = Step(node=LOAD, params={"dataset": dataset, **params})
        return Made(name, (FIRST,))

    def __getattr__(self, node: str) -> Callable[..., Made]:
        if node.startswith("_"):
            raise AttributeError(node)
        declared = find_node(node)

        def add(*given: Given | list[Given], id: str = "", **params: Any) -> Made:  # noqa: A002
            """Let a node take what others make, in the order of its inputs."""
            ports = [port.name for port in declared.ports]
            inputs = {
                port: tuple(map(_port, given_one if isinstance(given_one, list) else [given_one]))
                for port, given_one in zip(ports, given, strict=False)
            }
            named = {
                port: params.pop(port) for port in ports if isinstance(params.get(port), Given)
            }
            inputs |= {port: (_port(one),) for port, one in named.items()}
            name = self._free(id or node)
            self._steps[name] = Step(node=node, params=params, inputs=inputs)
            return Made(name, tuple(result.name for result in declared.results))

        return add

    def run(self, folder: Path, **options: Any) -> Ran:
        """Compute it in this process; see `pipeline.flow.running.run`.

        Parameters
        ----------
        folder : Path
            Where results are kept.
        **options
            ``threads`` and ``progress``.
        """
        return run(self.chart, self.tables, folder, **options)

    def _free(self, name: str) -> str:
        """Return an id that no node has."""
        if name not in self._steps:
            return name
        number = 2
        while f"{name}_{number}" in self._steps:
            number += 1
        return f"{name}_{number}"


def _port(given: Given) -> Port:
    return given if isinstance(given, Port) else Port(given.step)
