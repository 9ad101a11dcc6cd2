"""A flowchart as data: nodes, their parameters, and what flows from which to which."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

SCHEMA = 1
"""Of the JSON; a flowchart of a later one is refused."""

FIRST = ""
"""Stands for the first input of a node, and for the first of what it makes."""

ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Port(NamedTuple):
    """An end of a wire; several inputs of a node, or tables that it makes, have names."""

    step: str
    """Id of the node."""

    name: str = FIRST

    def __str__(self) -> str:
        return f"{self.step}.{self.name}" if self.name else self.step

    @classmethod
    def parse(cls, text: str) -> "Port":
        """Read ``step`` or ``step.port``."""
        step, _, name = text.partition(".")
        return cls(step, name)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node that stands on a flowchart."""

    node: str
    """Which one: its name in the registry."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """Values of its parameters, as in JSON; what is missing takes its default."""

    inputs: Mapping[str, tuple[Port, ...]] = field(default_factory=dict)
    """What flows into its ports, by the name of the port; several where the port takes several."""

    def sources(self) -> Iterator[Port]:
        """Yield all that flows into it, port by port."""
        for _, ports in sorted(self.inputs.items()):
            yield from ports


class FlowchartError(ValueError):
    """A text that is no flowchart; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Flowchart:
    """Nodes on wires, without a cycle."""

    name: str
    """What people call it."""

    steps: Mapping[str, Step]
    """By id, in the order in which they were drawn."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", MappingProxyType(dict(self.steps)))

    def order(self) -> list[str]:
        """Return the ids, each after all that flow into it; else as they were drawn.

        Raises
        ------
        FlowchartError
            If a wire begins at no node, or what leaves a node flows into it again.
        """
        graph = {name: [port.step for port in step.sources()] for name, step in self.steps.items()}
        for name, before in graph.items():
            missing = [step for step in before if step not in graph]
            if missing:
                raise FlowchartError(f"{name!r} takes what leaves {missing[0]!r}: no such node.")
        found: list[str] = []
        while len(found) < len(graph):
            ready = (n for n in graph if n not in found and set(graph[n]) <= set(found))
            following = next(ready, None)
            if following is None:
                circle = ", ".join(name for name in graph if name not in found)
                raise FlowchartError(f"what leaves a node flows into it again, among: {circle}.")
            found.append(following)
        return found

    def with_params(self, name: str, **values: Any) -> "Flowchart":
        """Return the flowchart with other values of parameters of one node.

        Parameters
        ----------
        name : str
            Id of the node.
        **values
            Parameters of the node.
        """
        step = self.steps[name]
        changed = replace(step, params={**step.params, **values})
        return replace(self, steps={**self.steps, name: changed})


def to_json(flowchart: Flowchart) -> str:
    """Return the text that stands for a flowchart; the same for the same flowchart.

    Parameters
    ----------
    flowchart : Flowchart
        Any.

    Examples
    --------
    >>> steps = {"raw": Step(node="load", params={"dataset": "cells"})}
    >>> print(to_json(Flowchart(name="first", steps=steps)))
    {
     "schema": 1,
     "name": "first",
     "nodes": [
      {"id": "raw", "node": "load", "params": {"dataset": "cells"}}
     ],
     "edges": [
     ]
    }
    """
    nodes = [
        json.dumps(
            {"id": name, "node": step.node, "params": dict(sorted(step.params.items()))},
            allow_nan=False,
        )
        for name, step in flowchart.steps.items()
    ]
    edges = [
        json.dumps([str(source), str(Port(name, port))])
        for name, step in flowchart.steps.items()
        for port, sources in step.inputs.items()
        for source in sources
    ]
    lines = [f' "schema": {SCHEMA},', f' "name": {json.dumps(flowchart.name)},']
    lines += [' "nodes": [', *_separated(nodes), " ],", ' "edges": [', *_separated(edges), " ]"]
    return "\n".join(["{", *lines, "}"])


def from_json(text: str) -> Flowchart:
    """Read a flowchart.

    Parameters
    ----------
    text : str
        From `to_json`, or written by hand: ``nodes`` with ``id``, ``node`` and ``params``;
        ``edges`` as pairs ``["from", "to"]``, a port after a dot where a node has several.

    Raises
    ------
    FlowchartError
        If it is none, with the place where.
    """
    try:
        said = json.loads(text)
    except json.JSONDecodeError as error:
        raise FlowchartError(
            f"the flowchart is no JSON: {error.msg} in line {error.lineno}."
        ) from None
    _check_form(said)
    steps: dict[str, dict[str, Any]] = {}
    for node in said["nodes"]:
        name = _id_of(node)
        if name in steps:
            raise FlowchartError(f"two nodes have the id {name!r}; each needs its own.")
        steps[name] = {"node": str(node["node"]), "params": node.get("params", {}), "inputs": {}}
    for edge in said.get("edges", []):
        source, target = _ends(edge)
        if target.step not in steps:
            raise FlowchartError(f"a wire ends at {target.step!r}: no such node.")
        inputs = steps[target.step]["inputs"]
        inputs[target.name] = (*inputs.get(target.name, ()), source)
    flowchart = Flowchart(
        name=str(said.get("name", "")),
        steps={name: Step(**step) for name, step in steps.items()},
    )
    flowchart.order()
    return flowchart


def _separated(items: list[str]) -> list[str]:
    return [f"  {item}," for item in items[:-1]] + [f"  {item}" for item in items[-1:]]


def _check_form(said: Any) -> None:
    """Refuse what has not the parts of a flowchart."""
    if not isinstance(said, dict) or not isinstance(said.get("nodes"), list):
        raise FlowchartError('a flowchart is an object with a list of "nodes" and one of "edges".')
    if said.get("schema") != SCHEMA:
        raise FlowchartError(
            f"the flowchart is of schema {said.get('schema')!r}; this version reads {SCHEMA}."
        )
    if not isinstance(said.get("edges", []), list):
        raise FlowchartError('"edges" is a list of pairs ["from", "to"].')


def _id_of(node: Any) -> str:
    """Return the id of a node, or refuse what is none."""
    if not isinstance(node, dict) or not isinstance(node.get("node"), str):
        raise FlowchartError(f'a node needs an "id" and a "node"; got {node!r}.')
    name = node.get("id")
    if not isinstance(name, str) or not ID.fullmatch(name):
        raise FlowchartError(
            f"the id of a node begins with a letter and has letters, digits, _ and -; got {name!r}."
        )
    if not isinstance(node.get("params", {}), dict):
        raise FlowchartError(f'"params" of {name!r} is an object of names and values.')
    return name


def _ends(edge: Any) -> tuple[Port, Port]:
    """Return where a wire begins and ends."""
    if not (isinstance(edge, list) and len(edge) == 2 and all(isinstance(e, str) for e in edge)):  # noqa: PLR2004 a pair
        raise FlowchartError(f'a wire is a pair ["from", "to"]; got {edge!r}.')
    return Port.parse(edge[0]), Port.parse(edge[1])
