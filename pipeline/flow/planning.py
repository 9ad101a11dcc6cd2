"""What a flowchart will compute: checked before anything runs, each result named by its content."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.flow.flowchart import FIRST, Flowchart, FlowchartError, Port, Step
from pipeline.nodes import Node, Schema, check_inputs, find_node, output_schemas
from pipeline.params import params_from_dict, params_to_dict
from pipeline.transmission import content_key


class Source(NamedTuple):
    """A table that is there before the flowchart runs."""

    key: str
    """Stands for its content."""

    schema: Schema
    """What is known of its columns."""


class Wire(NamedTuple):
    """A table that a node made, by name."""

    key: str
    """Of the result."""

    table: str
    """Which of the tables that the node makes."""


class Planned(NamedTuple):
    """A node with all that defines its result."""

    step: str
    """Id of the node on the flowchart."""

    key: str
    """Of its result: equal for equal nodes, parameters and inputs, on whatever flowchart."""

    node: str
    """Name in the registry."""

    version: int
    """Of the node's function."""

    params: dict[str, Any]
    """All of them, every column named."""

    inputs: dict[str, tuple[Wire, ...]]
    """What flows in, by port."""

    bases: dict[str, Wire | None]
    """The table whose rows each table that it makes has, and whose columns it keeps; None: it has
    rows of its own."""

    schemas: dict[str, Schema]
    """What it will make, by the name of the table."""

    def wires(self) -> Iterator[Wire]:
        """Yield all that flows in."""
        for wires in self.inputs.values():
            yield from wires


class Problem(NamedTuple):
    """Why a node cannot be computed."""

    step: str
    """Id of the node."""

    sentence: str
    """What is wrong, and what to do."""


class Plan(NamedTuple):
    """What is to be computed, in order, and what cannot be."""

    planned: list[Planned]
    """Each after those whose results it takes; equal results are there once."""

    problems: list[Problem]
    """Nodes behind one with a problem are left out silently."""

    keys: dict[str, str]
    """Of the results, by the id of the node; sources included."""


Amend = Callable[[str, Mapping[str, Any], str], Mapping[str, Any]]
"""Told a node's name, its parameters and the key of what flows in first; returns the parameters
with those that are kept apart from the flowchart, as changes by hand are, or refuses them."""


def as_drawn(node: str, params: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the parameters as they are."""
    del node, key
    return params


def plan(flowchart: Flowchart, sources: Mapping[str, Source], amend: Amend = as_drawn) -> Plan:
    """Check a flowchart node by node, and name what each will make.

    Parameters
    ----------
    flowchart : Flowchart
        What is to be computed.
    sources : mapping
        The tables that are there, by the id of the node that loads them.
    amend : callable
        Asked for the parameters of each node, once what flows in is known.

    Raises
    ------
    FlowchartError
        If a wire begins nowhere, or there is a cycle.
    """
    known = {name: {FIRST: (Wire(s.key, FIRST), s.schema)} for name, s in sources.items()}
    keys = {name: source.key for name, source in sources.items()}
    planned: dict[str, Planned] = {}
    problems, failed = [], set[str]()
    for name in flowchart.order():
        if name in sources:
            continue
        step = flowchart.steps[name]
        if any(port.step in failed for port in step.sources()):
            failed.add(name)
            continue
        try:
            made = _planned(name, step, known, amend)
        except ValueError as error:
            problems.append(Problem(name, str(error)))
            failed.add(name)
            continue
        planned.setdefault(made.key, made)
        keys[name] = made.key
        known[name] = {table: (Wire(made.key, table), s) for table, s in made.schemas.items()}
        known[name] = {FIRST: next(iter(known[name].values())), **known[name]}
    return Plan(list(planned.values()), problems, keys)


def require(found: Plan) -> list[Planned]:
    """Return what is to be computed, or refuse a flowchart with problems.

    Parameters
    ----------
    found : Plan
        From `plan`.

    Raises
    ------
    FlowchartError
        With a sentence for each node that is wrong.
    """
    if found.problems:
        raise FlowchartError(" ".join(f"[{p.step}] {p.sentence}" for p in found.problems))
    return found.planned


Known = Mapping[str, Mapping[str, tuple[Wire, Schema]]]


def _planned(name: str, step: Step, known: Known, amend: Amend) -> Planned:
    """Return a node with all that defines its result, or refuse it."""
    node = find_node(step.node)
    given = {_port(node, port): _arriving(step.inputs[port], known) for port in step.inputs}
    first = next((wire.key for arriving in given.values() for wire, _ in arriving), "")
    params = params_from_dict(node.params, amend(step.node, step.params, first))
    schemas = {port: [schema for _, schema in arriving] for port, arriving in given.items()}
    params = check_inputs(node, params, schemas)
    inputs = {port: tuple(wire for wire, _ in arriving) for port, arriving in given.items()}
    values = params_to_dict(params)
    return Planned(
        step=name,
        key=_key(node, params, values, inputs),
        node=node.name,
        version=node.version,
        params=values,
        inputs=inputs,
        bases=_bases(node, inputs),
        schemas=output_schemas(node, params, schemas),
    )


def _bases(node: Node, inputs: Mapping[str, tuple[Wire, ...]]) -> dict[str, Wire | None]:
    """Return whose rows the tables have that a node makes."""
    first = inputs.get(node.ports[0].name, ()) if node.ports else ()
    base = first[0] if len(first) == 1 and not node.picks else None
    return {
        result.name: base if result.rows == "same" and not node.picks else None
        for result in node.results
    }


def _port(node: Node, name: str) -> str:
    """Return the name of an input; the first where none is said."""
    if name == FIRST and not node.ports:
        raise ValueError(f"{node.name} takes no table.")
    return name or node.ports[0].name


def _arriving(ports: Sequence[Port], known: Known) -> list[tuple[Wire, Schema]]:
    """Return what flows in."""
    found = []
    for port in ports:
        made = known[port.step]
        if port.name not in made:
            names = ", ".join(name for name in made if name)
            raise ValueError(f"{port.step!r} makes no {port.name!r}; it makes: {names}.")
        found.append(made[port.name])
    return found


def _key(
    node: Node, params: Any, values: dict[str, Any], inputs: Mapping[str, tuple[Wire, ...]]
) -> str:
    """Return what names a result: the node, its version and parameters, and its inputs."""
    words = [f"{port}={w.key}.{w.table}" for port in sorted(inputs) for w in inputs[port]]
    if node.fingerprint is not None:
        words.append(node.fingerprint(params))
    return content_key(node.name, node.version, values, words)
