"""Clustering: k-Shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.blocks import map_items
from pipeline.nodes.declaration import Node, Output, Result, check_fields, column, number, whole
from pipeline.nodes.grouping import one_rate
from pipeline.nodes.registry import register
from pipeline.nodes.shape_clusters import ShapeClusters, assign, cluster_shapes, z_normalized
from pipeline.transmission import ROW_ID, ArrayColumn, ColumnInfo, Transmission

LARGEST_SEED = 2**32 - 1
LABEL = ColumnInfo("categorical")


@dataclass(frozen=True, kw_only=True)
class KShapeParams:
    """Settings of k-Shape."""

    data_column: str = column("time")
    """Traces; their lengths may differ. Their height and offset play no role."""

    n_clusters: int = whole(3, 2, 1000)
    """How many clusters."""

    max_iter: int = whole(300, 1, 10_000)
    """Rounds at most."""

    tol: float = number(1e-6, 0, 1)
    """It ends when the mean squared distance falls by less."""

    n_init: int = whole(5, 1, 1000)
    """Attempts; the best one counts. The first begins with traces that differ much, the others
    with any."""

    train_percent: float = number(100.0, 1, 100)
    """Part of the rows that the centres are made of; all rows get a cluster."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of all that is left to chance; the same gives the same."""

    def __post_init__(self) -> None:
        check_fields(self)


def kshape(params: KShapeParams, *, data: Transmission) -> dict[str, Transmission]:
    """Return the cluster of each trace by its shape, and the centres.

    Parameters
    ----------
    params : KShapeParams
        Settings.
    data : Transmission
        Traces with NaN and missing ones are refused.
    """
    source = data.array(params.data_column)
    values = _shapes(data, params.data_column, "kshape", params.n_clusters)
    found = fit_shapes(values, params)
    rate = source.rate if data.n_rows else np.empty(0)
    out = data.with_scalar("_KSHAPE_LAG", found.lags / rate, ColumnInfo("numeric", "s"))
    out = out.with_scalar("_KSHAPE_DISTANCE", found.distances, ColumnInfo())
    out = out.with_scalar("KSHAPE_CLUSTER", found.labels, LABEL)
    info = ColumnInfo("numeric", "", "time")
    centers = ArrayColumn.of(found.centers, info, rate=rate[0])
    return {"out": out, "centers": centers_table(data, "_KSHAPE_CENTER", centers, found.labels)}


def _shapes(data: Transmission, name: str, node: str, fewest: int) -> NDArray[np.float64]:
    """Return traces of which only the shape is left."""
    source = data.array(name)
    if data.n_rows < fewest:
        raise ValueError(f"{node} needs at least {fewest} rows; got {data.n_rows}.")
    bad = (source.lengths == 0) | [not np.isfinite(row).all() for row in source.rows()]
    if bad.any():
        raise ValueError(
            f"{node}: {name} of row {data.row_ids[bad.argmax()]!r} is missing or has values that "
            f"are NaN or infinite, as have {int(bad.sum()) - 1} other rows; drop such rows first."
        )
    one_rate(source, np.arange(data.n_rows))
    return z_normalized(source.rows())


def fit_shapes(values: NDArray[np.float64], params: KShapeParams) -> ShapeClusters:
    """Return the best clusters of several attempts.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        From `z_normalized`.
    params : KShapeParams
        Settings.
    """
    rng = np.random.default_rng(params.seed)
    n_train = max(params.n_clusters, round(len(values) * params.train_percent / 100))
    train = values
    if n_train < len(values):
        train = values[np.sort(rng.choice(len(values), n_train, replace=False))]

    def attempt(one: np.random.Generator) -> ShapeClusters:
        return cluster_shapes(
            train,
            params.n_clusters,
            rng=one,
            max_iter=params.max_iter,
            tol=params.tol,
            spread=one is rng,
        )

    generators = [rng, *rng.spawn(params.n_init - 1)]
    # the products are small: more threads for each of them cost more than they bring
    with threadpool_limits(limits=1, user_api="blas"):
        best = min(map_items(attempt, generators), key=lambda found: found.inertia)
    return best if n_train == len(values) else assign(values, best.centers)


def centers_table(
    data: Transmission, name: str, centers: ArrayColumn, labels: NDArray[np.int64]
) -> Transmission:
    """Return the table of the centres.

    Parameters
    ----------
    data : Transmission
        What was clustered.
    name : str
        Of the column of centres.
    centers : ArrayColumn
        The centres.
    labels : array, (n_rows,)
        Cluster of each row.
    """
    numbers = np.arange(centers.n_rows)
    ids = np.array([f"cluster:{one}" for one in numbers], object)
    counts = np.bincount(labels, minlength=centers.n_rows)
    scalars = {
        ROW_ID: (ids, ColumnInfo("identifier")),
        "CLUSTER": (numbers, LABEL),
        "N_ROWS": (counts, ColumnInfo()),
    }
    return data.derived(scalars=scalars).with_array(name, centers)


@dataclass(frozen=True, kw_only=True)
class KShapeGridParams:
    """Settings of a search for the number of clusters of k-Shape."""

    data_column: str = column("time")
    """Traces; their lengths may differ."""

    fewest_clusters: int = whole(2, 2, 1000)
    """Smallest number of clusters."""

    most_clusters: int = whole(10, 2, 1000)
    """Largest number, itself included."""

    trials: int = whole(5, 1, 1000)
    """Attempts with each number, with the seeds ``seed``, ``seed`` + 1, …"""

    max_iter: int = whole(300, 1, 10_000)
    """Rounds at most."""

    tol: float = number(1e-6, 0, 1)
    """An attempt ends when the mean squared distance falls by less."""

    seed: int = whole(0, 0, LARGEST_SEED)
    """Of the first attempt with each number; given to kshape with ``n_init`` 1, it makes the same
    clusters."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.most_clusters < self.fewest_clusters:
            raise ValueError(
                f"most_clusters must be at least fewest_clusters ({self.fewest_clusters}); "
                f"got {self.most_clusters}."
            )


def kshape_grid(params: KShapeGridParams, *, data: Transmission) -> Transmission:
    """Return how well k-Shape does with several numbers of clusters.

    Parameters
    ----------
    params : KShapeGridParams
        Settings.
    data : Transmission
        Traces with NaN and missing ones are refused.

    Notes
    -----
    The mean squared distance falls with the number of clusters in any case; the silhouette, -1 to
    1, compares the distance to the own centre with that to the next one, and does not.
    """
    values = _shapes(data, params.data_column, "kshape_grid", params.most_clusters)
    rows = []
    for n_clusters in range(params.fewest_clusters, params.most_clusters + 1):
        for seed in range(params.seed, params.seed + params.trials):
            one = KShapeParams(
                n_clusters=n_clusters, seed=seed, max_iter=params.max_iter, tol=params.tol, n_init=1
            )
            found = fit_shapes(values, one)
            used = len(np.unique(found.labels))
            rows.append((n_clusters, seed, found.inertia, used, simple_silhouette(values, found)))
    made = np.array(rows, np.float64)
    ids = np.array([f"{int(row[0])} clusters, seed {int(row[1])}" for row in rows], object)
    scalars = {ROW_ID: (ids, ColumnInfo("identifier"))}
    for place, name in enumerate(("_N_CLUSTERS", "_SEED", "_INERTIA", "_N_USED", "_SILHOUETTE")):
        scalars[name] = (made[:, place], ColumnInfo())
    return data.derived(scalars=scalars)


def simple_silhouette(values: NDArray[np.float64], found: ShapeClusters) -> float:
    """Return how much nearer rows lie to their own centre than to the next one, -1 to 1.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        From `z_normalized`.
    found : ShapeClusters
        Their clusters.
    """
    to_all = np.array([assign(values, center[np.newaxis]).distances for center in found.centers])
    rows = np.arange(len(values))
    own = to_all[found.labels, rows]
    to_all[found.labels, rows] = np.inf
    other = to_all.min(axis=0)
    return float(np.mean((other - own) / np.maximum(np.maximum(own, other), 1e-12)))


def center_columns(name: str, unit: str, axis: str) -> tuple[Output, ...]:
    """Return the columns of a table of centres.

    Parameters
    ----------
    name, unit, axis : str
        Of the centres.
    """
    return Output(name, unit, axis), Output("CLUSTER", kind="categorical"), Output("N_ROWS")


register(
    Node(
        name="kshape",
        title="KShape",
        group="Clustering",
        params=KShapeParams,
        compute=kshape,
        results=(
            Result(
                columns=(
                    Output("KSHAPE_CLUSTER", kind="categorical"),
                    Output("_KSHAPE_DISTANCE"),
                    Output("_KSHAPE_LAG", "s"),
                )
            ),
            Result("centers", center_columns("_KSHAPE_CENTER", "", "time"), rows="new"),
        ),
        version=2,
        nan="refuse",
        keeps_last_output=True,
    ),
    Node(
        name="kshape_grid",
        title="KShape grid",
        group="Clustering",
        params=KShapeGridParams,
        compute=kshape_grid,
        results=(
            Result(
                columns=tuple(
                    Output(name)
                    for name in ("_N_CLUSTERS", "_SEED", "_INERTIA", "_N_USED", "_SILHOUETTE")
                ),
                rows="new",
            ),
        ),
        nan="refuse",
    ),
)
