"""What distinguishes two flowcharts, and what has to be computed because of it."""

from dataclasses import dataclass
from typing import Any

from pipeline.flow.flowchart import Flowchart
from pipeline.flow.planning import Plan
from pipeline.nodes import NODES
from pipeline.params import params_from_dict, params_to_dict


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is other in a later flowchart."""

    added: list[str]
    """Ids of nodes that were not there."""

    removed: list[str]
    """Ids of nodes that are there no more."""

    changed: dict[str, dict[str, tuple[Any, Any]]]
    """Parameters with the value before and after, by the id of the node; None: not said."""

    rewired: list[str]
    """Ids of nodes into which something else flows, or that are another kind of node."""

    recomputed: list[str]
    """Ids of nodes whose results are not those of the flowchart before."""

    def __str__(self) -> str:
        lines = [f"+ {name}" for name in self.added] + [f"- {name}" for name in self.removed]
        lines += [f"~ {name}: other inputs" for name in self.rewired]
        for name, values in self.changed.items():
            lines += [f"~ {name}: {p} {old!r} -> {new!r}" for p, (old, new) in values.items()]
        again = ", ".join(self.recomputed) or "nothing"
        return "\n".join([*(lines or ["no difference"]), f"to be computed: {again}"])


def difference(
    before: Flowchart, after: Flowchart, plan_before: Plan, plan_after: Plan
) -> Difference:
    """Compare two flowcharts.

    Parameters
    ----------
    before, after : Flowchart
        Nodes with the same id are compared.
    plan_before, plan_after : Plan
        Of both, on the same data or not.
    """
    both = [name for name in after.steps if name in before.steps]
    changed = {name: _changed(before, after, name) for name in both}
    there = set(plan_before.keys.values())
    return Difference(
        added=[name for name in after.steps if name not in before.steps],
        removed=[name for name in before.steps if name not in after.steps],
        changed={name: values for name, values in changed.items() if values},
        rewired=[name for name in both if _wires(before, name) != _wires(after, name)],
        recomputed=[name for name, key in plan_after.keys.items() if key not in there],
    )


def _wires(flowchart: Flowchart, name: str) -> tuple[str, dict[str, Any]]:
    """Return what a node is, and what flows into it."""
    step = flowchart.steps[name]
    return step.node, dict(step.inputs)


def _changed(before: Flowchart, after: Flowchart, name: str) -> dict[str, tuple[Any, Any]]:
    """Return the parameters of a node that differ; what is not said has its default."""
    old, new = (_values(flowchart, name) for flowchart in (before, after))
    names = dict.fromkeys([*old, *new])
    return {p: (old.get(p), new.get(p)) for p in names if old.get(p) != new.get(p)}


def _values(flowchart: Flowchart, name: str) -> dict[str, Any]:
    """Return all parameters of a node, as far as its kind is known and they are allowed."""
    step = flowchart.steps[name]
    said = dict(step.params)
    if step.node not in NODES:
        return said
    try:
        return params_to_dict(params_from_dict(NODES[step.node].params, said))
    except ValueError:  # what is wrong with it is for `plan` to say
        return said
