"""Neighbours: which rows lie next to each other."""

from dataclasses import dataclass

import numpy as np

from pipeline.nodes.declaration import Node, Output, Result, check_fields, choice, column, whole
from pipeline.nodes.distances import MOST_ROWS, stack_rows
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission

METRICS = ("euclidean", "manhattan", "chebyshev", "minkowski", "cosine", "correlation")


@dataclass(frozen=True, kw_only=True)
class NeighboursParams:
    """Settings of the graph of neighbours."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays of one length."""

    n_neighbors: int = whole(2, 1, 10_000)
    """How many neighbours each row has."""

    mode: str = choice("connectivity", ("connectivity", "distance"))
    """Whether a neighbour is marked by 1 or by its distance."""

    metric: str = choice("euclidean", METRICS)
    """How far apart two rows are."""

    p: int = whole(2, 1, 100)
    """Power of ``minkowski``."""

    include_self: bool = False
    """Whether each row is its own first neighbour."""

    def __post_init__(self) -> None:
        check_fields(self)


def kneighbors_graph(params: NeighboursParams, *, data: Transmission) -> Transmission:
    """Return for each row which other rows are its neighbours, 0 for those that are none.

    Parameters
    ----------
    params : NeighboursParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.
    """
    from sklearn.neighbors import kneighbors_graph as graph_of  # slow to import

    fewest = params.n_neighbors + (not params.include_self)
    values = stack_rows(data, params.data_column, node="kneighbors_graph", fewest=fewest)
    if data.n_rows > MOST_ROWS:
        raise ValueError(f"a graph has at most {MOST_ROWS:,} rows; got {data.n_rows:,}.")
    if params.metric in ("cosine", "correlation"):
        varied = values - values.mean(axis=1, keepdims=True) * (params.metric == "correlation")
        flat = np.abs(varied).max(axis=1) <= 1e-12 * np.abs(values).max(axis=1)
        if flat.any():
            raise ValueError(
                f"row {data.row_ids[flat.argmax()]!r} is constant, and has no {params.metric} to "
                "others; drop such rows or choose another metric."
            )
    graph = graph_of(
        values,
        params.n_neighbors,
        mode=params.mode,
        metric=params.metric,
        p=params.p,
        include_self=params.include_self,
    )
    info = ColumnInfo("numeric", "", "item")
    made = ArrayColumn.of(np.asarray(graph.toarray(), np.float32), info)
    return data.with_array("_KNEIGHBORS_GRAPH", made)


register(
    Node(
        name="kneighbors_graph",
        title="KneighborsGraph",
        group="Neighbours",
        params=NeighboursParams,
        compute=kneighbors_graph,
        results=(Result(columns=(Output("_KNEIGHBORS_GRAPH", "", "item"),)),),
        nan="refuse",
    ),
)
