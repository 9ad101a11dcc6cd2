"""Hierarchical: trees of rows, and clusters cut from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from pipeline.nodes.declaration import (
    Node,
    Output,
    Port,
    Result,
    check_fields,
    choice,
    column,
    number,
    whole,
)
from pipeline.nodes.distances import METRICS, condensed, rows_digest, stack_rows
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ColumnInfo, Transmission

METHODS = ("complete", "average", "single", "weighted", "ward", "centroid", "median")
NEED_EUCLIDEAN = METHODS[4:]
CRITERIA = ("distance", "maxclust", "inconsistent", "monocrit", "maxclust_monocrit")
LEAVES = "LEAVES"
TREE = ("_LEFT", "_RIGHT", "_DISTANCE", "_COUNT")
LINKS = ("_MEAN", "_STD", "_N_LINKS", "_COEFFICIENT")
HEIGHT = "_MR"
DATA, LINKAGE = Port(), Port(name="linkage", holds="linkage")


@dataclass(frozen=True, kw_only=True)
class LinkageParams:
    """Settings of the tree."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays of one length."""

    method: str = choice("complete", METHODS)
    """How far apart two clusters are: by their farthest, mean, or nearest rows, by the mean of what
    they were made of, by the variance that joining them adds, or by their centres."""

    metric: str = choice("wasserstein", METRICS)
    """How far apart two rows are. ``wasserstein`` is the earth mover's distance in samples,
    ``shape`` that of k-Shape, ``dtw`` stretches time."""

    optimal_order: bool = True
    """Whether neighbours in the tree are as alike as possible."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.method in NEED_EUCLIDEAN and self.metric != "euclidean":
            raise ValueError(
                f"the method {self.method} works on euclidean distances alone; got {self.metric}."
            )


def linkage(params: LinkageParams, *, data: Transmission) -> Transmission:
    """Return a tree of rows, a row for each pair of clusters that is joined.

    Parameters
    ----------
    params : LinkageParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.
    """
    values = stack_rows(data, params.data_column, node="linkage", fewest=2)
    distances = condensed(values, params.metric)
    tree = hierarchy.linkage(distances, params.method, optimal_ordering=params.optimal_order)  # type: ignore[arg-type]
    leaves = np.full(len(tree), rows_digest(data), object)
    scalars: dict[str, tuple[Any, ColumnInfo]] = {LEAVES: (leaves, ColumnInfo("identifier"))}
    for place, name in enumerate(TREE):
        scalars[name] = (tree[:, place], ColumnInfo())
    return data.derived(scalars=scalars, holds="linkage")


def tree_of(table: Transmission) -> NDArray[np.float64]:
    """Return a tree as scipy has it.

    Parameters
    ----------
    table : Transmission
        From `linkage`.
    """
    return np.stack([np.asarray(table.scalar(name), np.float64) for name in TREE], axis=1)


def links_of(table: Transmission) -> NDArray[np.float64]:
    """Return the inconsistency of a tree as scipy has it.

    Parameters
    ----------
    table : Transmission
        From `inconsistent`.
    """
    return np.stack([np.asarray(table.scalar(name), np.float64) for name in LINKS], axis=1)


def check_same(tree: Transmission, other: Transmission, what: str) -> None:
    """Refuse what was made of another tree.

    Parameters
    ----------
    tree, other : Transmission
        The tree, and what must belong to it.
    what : str
        What the other is.

    Raises
    ------
    ValueError
        If it does not.
    """
    if tree.n_rows != other.n_rows or set(tree.scalar(LEAVES)) != set(other.scalar(LEAVES)):
        raise ValueError(f"the {what} was made of another tree; connect that of this one.")


@dataclass(frozen=True, kw_only=True)
class FClusterParams:
    """Settings of the cut through a tree."""

    criterion: str = choice("maxclust", CRITERIA)
    """What ``threshold`` is: the largest distance within a cluster, the number of clusters, the
    largest inconsistency, or the largest value (or number of clusters) by a statistic of nodes."""

    threshold: float = number(2.0, 0, 1e12)
    """See ``criterion``."""

    depth: int = whole(2, 1, 10_000)
    """Levels of the tree that the inconsistency looks at, where none is connected."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.criterion.startswith("maxclust") and self.threshold < 1:
            raise ValueError(f"the number of clusters is at least 1; got {self.threshold}.")


def fcluster(
    params: FClusterParams,
    *,
    data: Transmission,
    linkage: Transmission,
    inconsistency: Transmission | None = None,
    statistic: Transmission | None = None,
) -> Transmission:
    """Return the cluster of each row, from 1, and its place in the tree.

    Parameters
    ----------
    params : FClusterParams
        Settings.
    data : Transmission
        The rows that the tree was made of, in that order.
    linkage : Transmission
        The tree.
    inconsistency : Transmission or None
        Of the tree; None: it is computed.
    statistic : Transmission or None
        Of the nodes of the tree; needed by the criteria with ``monocrit``.
    """
    if set(linkage.scalar(LEAVES)) != {rows_digest(data)}:
        raise ValueError(
            "the tree was made of other rows, or of these in another order; connect the table that "
            "the linkage was made of."
        )
    tree = tree_of(linkage)
    options: dict[str, Any] = {}
    if params.criterion == "inconsistent":
        if inconsistency is not None:
            check_same(linkage, inconsistency, "inconsistency")
            options["R"] = links_of(inconsistency)
        options["depth"] = params.depth
    if params.criterion.endswith("monocrit"):
        if statistic is None:
            raise ValueError(f"{params.criterion} needs a statistic of the nodes of the tree.")
        check_same(linkage, statistic, "statistic")
        options["monocrit"] = np.asarray(statistic.scalar(HEIGHT), np.float64)
    labels = hierarchy.fcluster(tree, params.threshold, params.criterion, **options)  # type: ignore[call-overload]
    place = np.argsort(hierarchy.leaves_list(tree))
    ordered = data.with_scalar("_DENDROGRAM_PLACE", place, ColumnInfo())
    return ordered.with_scalar(
        "FCLUSTER_LABELS", labels.astype(np.int64), ColumnInfo("categorical")
    )


def tree_result(names: tuple[str, ...], holds: str) -> tuple[Result, ...]:
    """Return the declaration of numbers of the nodes of a tree.

    Parameters
    ----------
    names : tuple of str
        Of the columns.
    holds : str
        What the table holds.
    """
    columns = (*(Output(name) for name in names), Output(LEAVES, kind="identifier"))
    return (Result(columns=columns, rows="new", holds=holds),)


register(
    Node(
        name="linkage",
        title="Linkage",
        group="Hierarchical",
        params=LinkageParams,
        compute=linkage,
        results=tree_result(TREE, "linkage"),
        nan="refuse",
    ),
    Node(
        name="fcluster",
        title="FCluster",
        group="Hierarchical",
        params=FClusterParams,
        compute=fcluster,
        ports=(
            DATA,
            LINKAGE,
            Port(name="inconsistency", holds="inconsistency", optional=True),
            Port(name="statistic", holds="statistic", optional=True),
        ),
        results=(
            Result(
                columns=(
                    Output("FCLUSTER_LABELS", kind="categorical"),
                    Output("_DENDROGRAM_PLACE"),
                )
            ),
        ),
        nan="pass",
        keeps_last_output=True,
    ),
)
