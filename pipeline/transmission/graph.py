"""A history drawn: as text, for Mermaid, for Graphviz."""

import json
from typing import Any

from pipeline.transmission.history import Block, HistoryTrace

LONGEST_VALUE = 40


def history_text(history: HistoryTrace) -> str:
    """Return a line for each block: its number, what it was made of, operation and parameters.

    Parameters
    ----------
    history : HistoryTrace
        Perhaps only the `HistoryTrace.ancestors` of some blocks.

    Examples
    --------
    >>> print(history_text(HistoryTrace().add(Block(operation="load", parameters={"rows": 3}))))
    1  load(rows=3)
    """
    number = {key: str(index) for index, key in enumerate(history.blocks, start=1)}
    lines = []
    for key, block in history.blocks.items():
        made_of = " + ".join(number[parent] for parent in block.inputs)
        values = ", ".join(f"{name}={value}" for name, value in _short(block).items())
        arrow = f" ← {made_of}" if made_of else ""
        lines.append(f"{number[key]}{arrow}  {block.operation}({values})")
    return "\n".join(lines)


def history_mermaid(history: HistoryTrace) -> str:
    """Return the graph as Mermaid draws it.

    Parameters
    ----------
    history : HistoryTrace
        What is drawn.
    """
    number = {key: f"b{index}" for index, key in enumerate(history.blocks, start=1)}
    lines = ["flowchart TD"]
    for key, block in history.blocks.items():
        label = "<br/>".join(_entity(text) for text in _label(block))
        lines.append(f'    {number[key]}["{label}"]')
        lines += [f"    {number[parent]} --> {number[key]}" for parent in block.inputs]
    return "\n".join(lines)


def history_graphviz(history: HistoryTrace) -> str:
    """Return the graph in the language of Graphviz.

    Parameters
    ----------
    history : HistoryTrace
        What is drawn.
    """
    number = {key: f"b{index}" for index, key in enumerate(history.blocks, start=1)}
    lines = ["digraph history {", "    node [shape=box];"]
    for key, block in history.blocks.items():
        label = "\\n".join(text.replace("\\", "\\\\").replace('"', '\\"') for text in _label(block))
        lines.append(f'    {number[key]} [label="{label}"];')
        lines += [f"    {number[parent]} -> {number[key]};" for parent in block.inputs]
    return "\n".join([*lines, "}"])


def _label(block: Block) -> list[str]:
    """Return the lines of a box."""
    return [block.operation, *(f"{name} = {value}" for name, value in _short(block).items())]


def _short(block: Block) -> dict[str, str]:
    """Return the parameters as text that fits a box."""
    return {name: _cut(value) for name, value in block.parameters.items()}


def _cut(value: Any) -> str:
    """Return a value as short text."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _entity(text: str) -> str:
    """Return text in which no letter means anything to Mermaid."""
    return "".join(
        letter if letter.isalnum() or letter in " =.,-_…" else f"#{ord(letter)};" for letter in text
    )
