"""Hierarchical: how much the nodes of a tree stand out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from pipeline.nodes.declaration import (
    Node,
    Port,
    check_fields,
    choice,
    whole,
)
from pipeline.nodes.hierarchical import (
    HEIGHT,
    LEAVES,
    LINKAGE,
    LINKS,
    check_same,
    links_of,
    tree_of,
    tree_result,
)
from pipeline.nodes.registry import register
from pipeline.transmission import ColumnInfo, Transmission

STATISTICS = ("mean", "stdev", "num_links", "inc_coef")
INCONSISTENCY = Port(name="inconsistency", holds="inconsistency")


@dataclass(frozen=True, kw_only=True)
class InconsistentParams:
    """Settings of the inconsistency of a tree."""

    depth: int = whole(2, 1, 10_000)
    """Levels below a node that it is compared with."""

    def __post_init__(self) -> None:
        check_fields(self)


def inconsistent(params: InconsistentParams, *, linkage: Transmission) -> Transmission:
    """Return how much the height of each node of a tree exceeds those below it.

    Parameters
    ----------
    params : InconsistentParams
        Settings.
    linkage : Transmission
        The tree.
    """
    made = hierarchy.inconsistent(tree_of(linkage), params.depth)
    columns = dict(zip(LINKS, made.T, strict=True))
    return _of_tree(linkage, columns, "inconsistency")


def _of_tree(
    tree: Transmission, columns: dict[str, NDArray[np.float64]], holds: str
) -> Transmission:
    """Return numbers of each node of a tree."""
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        LEAVES: (tree.scalar(LEAVES), ColumnInfo("identifier"))
    }
    scalars |= {name: (values, ColumnInfo()) for name, values in columns.items()}
    return tree.derived(scalars=scalars, holds=holds)


@dataclass(frozen=True, kw_only=True)
class MaxInconsistentParams:
    """The largest inconsistency has no settings."""


def max_inconsistent(
    params: MaxInconsistentParams, *, linkage: Transmission, inconsistency: Transmission
) -> Transmission:
    """Return the largest inconsistency of each node of a tree and those below it.

    Parameters
    ----------
    params : MaxInconsistentParams
        None.
    linkage, inconsistency : Transmission
        The tree, and its inconsistency.
    """
    del params
    check_same(linkage, inconsistency, "inconsistency")
    made = hierarchy.maxinconsts(tree_of(linkage), links_of(inconsistency))
    return _of_tree(linkage, {HEIGHT: made}, "statistic")


@dataclass(frozen=True, kw_only=True)
class MaxIncStatParams:
    """Settings of the largest statistic."""

    stat: str = choice("inc_coef", STATISTICS)
    """Which: mean or standard deviation of heights, number of links, or inconsistency."""

    def __post_init__(self) -> None:
        check_fields(self)


def max_inc_stat(
    params: MaxIncStatParams, *, linkage: Transmission, inconsistency: Transmission
) -> Transmission:
    """Return the largest statistic of each node of a tree and those below it.

    Parameters
    ----------
    params : MaxIncStatParams
        Settings.
    linkage, inconsistency : Transmission
        The tree, and its inconsistency.
    """
    check_same(linkage, inconsistency, "inconsistency")
    place = STATISTICS.index(params.stat)
    made = hierarchy.maxRstat(tree_of(linkage), links_of(inconsistency), place)
    return _of_tree(linkage, {HEIGHT: made}, "statistic")


register(
    Node(
        name="inconsistent",
        title="Inconsistent",
        group="Hierarchical",
        params=InconsistentParams,
        compute=inconsistent,
        ports=(LINKAGE,),
        results=tree_result(LINKS, "inconsistency"),
    ),
    Node(
        name="max_inconsistent",
        title="MaxInconsistent",
        group="Hierarchical",
        params=MaxInconsistentParams,
        compute=max_inconsistent,
        ports=(LINKAGE, INCONSISTENCY),
        results=tree_result((HEIGHT,), "statistic"),
    ),
    Node(
        name="max_inc_stat",
        title="MaxIncStat",
        group="Hierarchical",
        params=MaxIncStatParams,
        compute=max_inc_stat,
        ports=(LINKAGE, INCONSISTENCY),
        results=tree_result((HEIGHT,), "statistic"),
    ),
)
