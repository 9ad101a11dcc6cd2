"""A flowchart with lists in place of values stands for its siblings: one for each choice."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import product
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from pipeline.flow.flowchart import Flowchart

MOST_SIBLINGS = 1000


class Sibling(NamedTuple):
    """One choice of a sweep."""

    choice: dict[str, Any]
    """What it differs in from the others, by ``step.parameter``; empty: there is no sweep."""

    flowchart: Flowchart
    """With one value for each parameter."""


def siblings(flowchart: Flowchart, kinds: Mapping[str, type]) -> list[Sibling]:
    """Return the flowcharts that a flowchart with lists in place of values stands for.

    Parameters
    ----------
    flowchart : Flowchart
        A list stands for its values where the parameter takes no list; where it takes one, a list
        of lists does.
    kinds : mapping
        The classes of parameters, by the name of the node.

    Returns
    -------
    list of Sibling
        All combinations; itself alone, where there is no such list.

    Raises
    ------
    ValueError
        If there are more than a thousand.
    """
    swept = [
        (name, parameter, values)
        for name, step in flowchart.steps.items()
        if step.node in kinds
        for parameter, values in _swept(kinds[step.node], step.params)
    ]
    count = 1
    for _, _, values in swept:
        count *= len(values)
    if count > MOST_SIBLINGS:
        raise ValueError(f"the sweep has {count} flowcharts; at most {MOST_SIBLINGS} are allowed.")
    return [_sibling(flowchart, swept, chosen) for chosen in product(*(s[2] for s in swept))]


def _sibling(
    flowchart: Flowchart, swept: list[tuple[str, str, list[Any]]], chosen: tuple[Any, ...]
) -> Sibling:
    """Return the flowchart of one choice."""
    choice = {}
    for (name, parameter, _), value in zip(swept, chosen, strict=True):
        flowchart = flowchart.with_params(name, **{parameter: value})
        choice[f"{name}.{parameter}"] = value
    return Sibling(choice, flowchart)


def _swept(kind: type, params: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the parameters that are given as lists of values."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        value = params.get(field.name)
        if not isinstance(value, list):
            continue
        is_list_of_lists = bool(value) and all(isinstance(each, list) for each in value)
        if is_list_of_lists or not _takes_list(hints[field.name]):
            yield field.name, value


def _takes_list(hint: Any) -> bool:
    """Return whether a parameter of this type may be a list itself."""
    kinds = (tuple, list)
    return hint in kinds or get_origin(hint) in kinds or any(map(_takes_list, get_args(hint)))
