"""Nodes that work on each trace by itself: traces alike are computed together, in small blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.nodes.declaration import Node
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission

BLOCK_BYTES = 8_000_000


class Traces(NamedTuple):
    """What a function makes of a stack of traces, where sampling changes."""

    values: NDArray[Any]
    """``(n_rows, n_samples)``, or ``(n_rows,)`` for one value a row."""

    rate: ArrayLike | None = None
    """Samples per unit of the axis; None: as before."""

    start: ArrayLike | None = None
    """Place of the first sample; None: as before."""


class _Part(NamedTuple):
    """Rows of one length and one rate."""

    rows: NDArray[np.int64]
    made: dict[str, Traces]


def compute_rows(node: Node, params: Any, table: Transmission) -> dict[str, ArrayColumn | Any]:
    """Return what a node makes of each trace, by column: arrays, or values a row.

    Parameters
    ----------
    node : Node
        With ``by_row`` and a function of traces: ``compute(traces, *, rate_hz, params)`` is given
        float64 ``(n_rows, n_samples)`` of one length and one rate, and returns an array, a
        `Traces`, or one of these for each column that the node declares.
    params : dataclass instance
        With the column named.
    table : Transmission
        Whose traces are taken; is not changed.
    """
    source = table.array(params.data_column)
    _check_rates(node, source)
    parts = list(_parts(node, params, source))
    outputs = node.results[0].columns
    made: dict[str, ArrayColumn | Any] = {}
    for output in outputs:
        name = output.name.format(**vars_of(params))
        if output.axis is None:
            made[name] = _values(name, parts, table.n_rows)
        else:
            axis = source.info.axis if output.axis == "same" else output.axis
            made[name] = _arrays(name, parts, source, axis=str(axis))
    return made


def _check_rates(node: Node, source: ArrayColumn) -> None:
    """Refuse traces in time of which nobody knows the rate."""
    bad = (source.lengths > 0) & ~(source.rate > 0)
    if source.info.axis == "time" and bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{node.name}: the sampling rate of row {row} must be above 0 Hz; "
            f"got {source.rate[row]}."
        )


def vars_of(params: Any) -> dict[str, Any]:
    """Return the values of parameters by name; a frozen dataclass may have no ``__dict__``.

    Parameters
    ----------
    params : dataclass instance
        A parameter set.
    """
    return {name: getattr(params, name) for name in params.__dataclass_fields__}


def _parts(node: Node, params: Any, source: ArrayColumn) -> Iterator[_Part]:
    """Yield the results of rows of one length and rate, some at a time."""
    shortest = node.min_samples if isinstance(node.min_samples, int) else node.min_samples(params)
    lengths = source.lengths
    for rows in _alike(source):
        length = int(lengths[rows[0]])
        if length < max(1, shortest):
            continue
        step = max(1, BLOCK_BYTES // (8 * length))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            traces = np.asarray(source.take(_slice(some)).stacked(), np.float64)
            some, traces = _clean(node, some, traces)
            if len(some):
                yield _Part(some, _call(node, params, traces, float(source.rate[some[0]])))


def _alike(source: ArrayColumn) -> list[NDArray[np.int64]]:
    """Return the rows of each length and rate."""
    # NaN, the rate of what has none, must equal itself here
    pairs = np.stack([source.lengths.astype(np.float64), np.nan_to_num(source.rate, nan=-1)])
    _, label = np.unique(pairs, axis=1, return_inverse=True)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if order.size else []


def _slice(rows: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return rows that follow each other as a slice, which needs no copy."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _clean(
    node: Node, rows: NDArray[np.int64], traces: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the traces that a node can take, by its rule for NaN."""
    finite = np.isfinite(traces)
    if node.nan == "pass" or finite.all():
        return rows, traces
    if node.nan == "ignore":
        some = finite.any(axis=1)
        return rows[some], np.where(finite, traces, np.nan)[some]
    clean = finite.all(axis=1)
    if node.nan == "refuse":
        raise ValueError(
            f"{node.name}: the trace in row {rows[~clean][0]} has values that are NaN or infinite; "
            "drop such rows first."
        )
    return rows[clean], traces[clean]


def _call(node: Node, params: Any, traces: NDArray[np.float64], rate: float) -> dict[str, Traces]:
    """Return what the function makes, by column."""
    # what divides by zero is NaN afterwards, and counted
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        made = node.compute(traces, rate_hz=rate, params=params)
    if not isinstance(made, dict):
        name = node.results[0].columns[0].name.format(**vars_of(params))
        made = {name: made}
    return {
        name: result if isinstance(result, Traces) else Traces(np.asarray(result))
        for name, result in made.items()
    }


def _values(name: str, parts: list[_Part], n_rows: int) -> NDArray[Any]:
    """Return one value a row; NaN where there is none."""
    values = np.full(n_rows, np.nan)
    for part in parts:
        values[part.rows] = part.made[name].values
    return values


def _arrays(name: str, parts: list[_Part], source: ArrayColumn, *, axis: str) -> ArrayColumn:
    """Return an array for each row.

    A row without result is NaN where results are as long as the traces, otherwise empty.
    """
    results = [part.made[name] for part in parts]
    is_float32 = source.values.dtype == np.float32
    lasting = all(
        result.values.shape[1] == source.lengths[part.rows[0]]
        for result, part in zip(results, parts, strict=True)
    )
    lengths = source.lengths.copy() if lasting and parts else np.zeros(source.n_rows, np.int64)
    rate, start = source.rate.copy(), source.start.copy()
    for result, part in zip(results, parts, strict=True):
        lengths[part.rows] = result.values.shape[1]
        rate[part.rows] = rate[part.rows] if result.rate is None else result.rate
        start[part.rows] = start[part.rows] if result.start is None else result.start
    values = np.full(lengths.sum(), np.nan, np.float32 if is_float32 else np.float64)
    offsets = np.cumsum(lengths) - lengths
    for result, part in zip(results, parts, strict=True):
        places = offsets[part.rows, np.newaxis] + np.arange(result.values.shape[1])
        values[places] = result.values
    info = ColumnInfo(source.info.kind, source.info.unit, axis)
    return ArrayColumn.flat(values, lengths, info, rate=rate, start=start)
