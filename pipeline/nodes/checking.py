"""Whether a node can work on what comes in, and what it will make, before anything is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from pipeline.nodes.declaration import ColumnNeed, Node, Output, Port, Result, Schema
from pipeline.transmission import ColumnInfo

Inputs = Mapping[str, Schema | Sequence[Schema]]
"""What comes in, by port; several where a port takes many."""


def check_inputs(node: Node, params: Any, inputs: Inputs) -> Any:
    """Return the parameters with every column named, or refuse what does not fit.

    Parameters
    ----------
    node : Node
        What is to be computed.
    params : dataclass instance
        Its settings; a column "" is the last output of the input.
    inputs : mapping
        What comes in, by port.

    Raises
    ------
    TypeError
        If the settings are those of another node.
    ValueError
        If an input is missing or of another kind, or a column is missing or does not fit.
    """
    if not isinstance(params, node.params):
        raise TypeError(
            f"{node.name}: the settings must be {node.params.__name__}; "
            f"got {type(params).__name__}."
        )
    unknown = sorted(set(inputs) - {port.name for port in node.ports})
    if unknown:
        names = ", ".join(port.name for port in node.ports) or "none"
        raise ValueError(f"{node.name} has no input {unknown[0]!r}; its inputs are: {names}.")
    for port in node.ports:
        _check_port(node, port, inputs)
    return replace(params, **_named_columns(node, params, inputs))


def output_schemas(node: Node, params: Any, inputs: Inputs) -> dict[str, Schema]:
    """Return what a node will make of what comes in, by result.

    Parameters
    ----------
    node : Node
        What is to be computed.
    params : dataclass instance
        As `check_inputs` returns them.
    inputs : mapping
        What comes in, by port.
    """
    first = _schemas(inputs, node.ports[0].name) if node.ports else []
    if node.opens is not None:
        first = [node.opens(params)]
    data = _data_info(params, first)
    made = {result.name: _columns(result, params, data) for result in node.results}
    schemas = {}
    for result in node.results:
        kept: dict[str, ColumnInfo] = {"row_id": ColumnInfo("identifier")}
        if result.rows != "new":
            for schema in first:
                kept |= schema.columns
        if node.leaves is not None:
            kept = dict(node.leaves(params, kept))
        if node.adds is not None:
            kept |= node.adds(
                params, {port.name: _schemas(inputs, port.name) for port in node.ports}
            )
        last = next(iter(made[result.name]), None)
        if node.keeps_last_output:
            outputs = {schema.last_output for schema in first}
            last = outputs.pop() if len(outputs) == 1 else None
            last = last if last in kept | made[result.name] else None
        schemas[result.name] = Schema(kept | made[result.name], last, result.holds)
    return schemas


def made_columns(result: Result, params: Any, data: ColumnInfo) -> dict[str, ColumnInfo]:
    """Return the columns that a node declares to make.

    Parameters
    ----------
    result : Result
        Of the node.
    params : dataclass instance
        With every column named.
    data : ColumnInfo
        Of the data column.
    """
    return _columns(result, params, data)


def _schemas(inputs: Inputs, port: str) -> list[Schema]:
    """Return what comes in at a port."""
    given = inputs.get(port, [])
    return [given] if isinstance(given, Schema) else list(given)


def _check_port(node: Node, port: Port, inputs: Inputs) -> None:
    """Refuse what does not fit an input."""
    given = _schemas(inputs, port.name)
    if not given and not port.optional:
        raise ValueError(f"{node.name} needs something at its input {port.name!r}.")
    if len(given) > 1 and not port.many:
        raise ValueError(f"{node.name} takes one table at {port.name!r}; merge the {len(given)}.")
    for schema in given:
        if schema.holds != port.holds:
            raise ValueError(
                f"{node.name} needs {port.holds} at its input {port.name!r}; got {schema.holds}."
            )
        missing = [name for name in port.needs if name not in schema.columns]
        if missing:
            raise ValueError(f"{node.name}: {_no_column(missing[0], port.name, schema)}")


def _named_columns(node: Node, params: Any, inputs: Inputs) -> dict[str, Any]:
    """Return the parameters that name columns, checked, and named where they were left open."""
    found: dict[str, Any] = {}
    for one in fields(params):
        need: ColumnNeed | None = one.metadata.get("column")
        if need is None:
            continue
        value = getattr(params, one.name)
        for schema in _schemas(inputs, need.port):
            if isinstance(value, tuple):
                names = tuple(_column(node, one.name, name, need, schema) for name in value)
                found[one.name] = names
            elif value or not need.optional:
                found[one.name] = _column(node, one.name, value, need, schema)
    return found


def _column(node: Node, parameter: str, name: str, need: ColumnNeed, schema: Schema) -> str:
    """Return the name of a column that fits, or refuse it."""
    where = f"{node.name}: {parameter}"
    name = name or schema.last_output or ""
    if not name:
        there = ", ".join(schema.columns)
        raise ValueError(f"{where} must be named; the columns are: {there}.")
    if name not in schema.columns:
        raise ValueError(f"{where}: {_no_column(name, need.port, schema)}")
    info = schema.columns[name]
    if need.axes is not None and info.axis not in need.axes:
        raise ValueError(
            f"{where} must hold {' or '.join(_follows(axis) for axis in need.axes)}; "
            f"{name} holds {_follows(info.axis)}."
        )
    if need.kinds and info.kind not in need.kinds:
        raise ValueError(f"{where} must be {' or '.join(need.kinds)}; {name} is {info.kind}.")
    return name


def _no_column(name: str, port: str, schema: Schema) -> str:
    """Return that a column is missing, and which there are."""
    return f"there is no column {name!r} at {port!r}; there are: {', '.join(schema.columns)}."


def _follows(axis: str | None) -> str:
    """Return in words what a column holds."""
    return f"arrays along {axis}" if axis else "one value a row"


def _data_info(params: Any, schemas: list[Schema]) -> ColumnInfo:
    """Return what the data column is; where there is none, a plain number."""
    name = getattr(params, "data_column", "")
    return next(
        (schema.columns[name] for schema in schemas if name in schema.columns), ColumnInfo()
    )


def _columns(result: Result, params: Any, data: ColumnInfo) -> dict[str, ColumnInfo]:
    """Return the columns that are made."""
    words = asdict(params)
    return {
        output.name.format(**words): ColumnInfo(
            data.kind if output.kind == "same" else output.kind,
            _unit(output, data.unit, words),
            data.axis if output.axis == "same" else output.axis,
        )
        for output in result.columns
        if output.name.format(**words)
    }


def _unit(output: Output, unit: str, words: Mapping[str, Any]) -> str:
    """Return the unit of a column that is made of one with another unit."""
    text = output.unit.format(**{**words, "unit": unit or "1"})
    text = text.replace("1²", "1").replace("1·", "")
    return "" if text == "1" else text
