"""Clustering: k-means."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.clustering import LABEL, LARGEST_SEED, center_columns, centers_table
from pipeline.nodes.declaration import (
    Node,
    Output,
    Result,
    check_fields,
    column,
    number,
    whole,
)
from pipeline.nodes.distances import stack_rows
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission


@dataclass(frozen=True, kw_only=True)
class KMeansParams:
    """Settings of k-means."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays of one length."""

    n_clusters: int = whole(2, 2, 1000)
    """How many clusters."""

    n_init: int = whole(10, 1, 1000)
    """Attempts with other first centres; the best one counts."""

    max_iter: int = whole(300, 1, 10_000)
    """Rounds at most."""

    tol: float = number(1e-4, 0, 1)
    """It ends when the centres move by less, relative to the variance."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of all that is left to chance; the same gives the same."""

    def __post_init__(self) -> None:
        check_fields(self)


def kmeans(params: KMeansParams, *, data: Transmission) -> dict[str, Transmission]:
    """Return the cluster of each array by its values, and the centres.

    Parameters
    ----------
    params : KMeansParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.
    """
    from sklearn.cluster import KMeans  # slow to import, and only some need it

    values = stack_rows(data, params.data_column, node="kmeans", fewest=params.n_clusters)
    n_distinct = len(np.unique(values, axis=0))
    if n_distinct < params.n_clusters:
        raise ValueError(
            f"kmeans needs as many different arrays as clusters; there are {n_distinct} for "
            f"{params.n_clusters} clusters."
        )
    fitted = KMeans(
        params.n_clusters,
        n_init=params.n_init,
        max_iter=params.max_iter,
        tol=params.tol,
        random_state=params.seed,
    ).fit(values)
    labels = np.asarray(fitted.labels_, np.int64)
    distances = np.sqrt(((values - fitted.cluster_centers_[labels]) ** 2).sum(axis=1))
    column_info = data.columns()[params.data_column]
    out = data.with_scalar("_KMEANS_DISTANCE", distances, ColumnInfo("numeric", column_info.unit))
    out = out.with_scalar("KMEANS_CLUSTER_LABEL", labels, LABEL)
    centers = like_column(data, params.data_column, fitted.cluster_centers_)
    return {"out": out, "centers": centers_table(data, "_KMEANS_CENTER", centers, labels)}


def like_column(data: Transmission, name: str, values: NDArray[np.float64]) -> ArrayColumn:
    """Return arrays with the axis of a column.

    Parameters
    ----------
    data : Transmission
        The table.
    name : str
        Of the column.
    values : array, (n_arrays, n_samples)
        The arrays.
    """
    if name not in data.arrays:
        return ArrayColumn.of(values, data.columns()[name]._replace(axis="component"))
    source = data.arrays[name]
    return ArrayColumn.of(values, source.info, rate=source.rate[0], start=source.start[0])


register(
    Node(
        name="kmeans_clustering",
        title="KMeans",
        group="Clustering",
        params=KMeansParams,
        compute=kmeans,
        results=(
            Result(
                columns=(
                    Output("KMEANS_CLUSTER_LABEL", kind="categorical"),
                    Output("_KMEANS_DISTANCE", "{unit}"),
                )
            ),
            Result("centers", center_columns("_KMEANS_CENTER", "{unit}", "same"), rows="new"),
        ),
        nan="refuse",
        keeps_last_output=True,
    ),
)
