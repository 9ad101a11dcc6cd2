"""Statistics: how good clusters are, and how many frequencies describe a trace."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fftpack
from scipy.spatial import distance

from pipeline.nodes.declaration import Node, Output, Result, check_fields, choice, column, whole
from pipeline.nodes.distances import METRICS, condensed, dtw, stack_rows
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.registry import register
from pipeline.nodes.rowwise import Traces
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ROW_ID, ColumnInfo, Transmission


@dataclass(frozen=True, kw_only=True)
class ClusterMetricsParams:
    """Settings of the quality of clusters."""

    data_column: str = column(None, *ANY_ARRAY)
    """Arrays that were clustered, of one length."""

    label_column: str = column(None, kinds=LABEL)
    """The cluster of each row; rows without one are left out."""

    metric: str = choice("euclidean", METRICS)
    """How far apart two rows are."""

    def __post_init__(self) -> None:
        check_fields(self)


class DaviesBouldin(NamedTuple):
    """How much clusters overlap."""

    mean: float
    """Over clusters; smaller is better."""

    scores: NDArray[np.float64]
    """Of each cluster the worst overlap with another one; infinite where two share a centre."""


def medoid(distances: NDArray[np.float64]) -> int:
    """Return the row with the smallest sum of distances to all; the first of several.

    Parameters
    ----------
    distances : array, (n_rows, n_rows)
        Between the rows of a cluster.
    """
    return int(distances.sum(axis=0).argmin())


def cluster_radius(distances: NDArray[np.float64], center: int) -> float:
    """Return the mean distance of the other rows of a cluster to its centre; 0 of a single row.

    Parameters
    ----------
    distances : array, (n_rows, n_rows)
        Between the rows of a cluster.
    center : int
        Number of the row in its centre.
    """
    n_others = len(distances) - 1
    return float(distances[center].sum() / n_others) if n_others else 0.0


def davies_bouldin(radii: NDArray[np.float64], between: NDArray[np.float64]) -> DaviesBouldin:
    """Return how much clusters overlap.

    Parameters
    ----------
    radii : array, (n_clusters,)
        Of the clusters.
    between : array, (n_clusters, n_clusters)
        Distances of their centres.

    References
    ----------
    Davies & Bouldin 1979, https://doi.org/10.1109/TPAMI.1979.4766909
    """
    if len(radii) < 2 or not radii.any() or not between.any():  # noqa: PLR2004
        return DaviesBouldin(0.0, np.zeros(len(radii)))
    summed = radii[:, np.newaxis] + radii
    with np.errstate(divide="ignore", invalid="ignore"):
        overlap = np.where(between > 0, summed / between, np.inf)
    np.fill_diagonal(overlap, -np.inf)
    scores = overlap.max(axis=1)
    return DaviesBouldin(float(scores.mean()), scores)


def cluster_metrics(params: ClusterMetricsParams, *, data: Transmission) -> Transmission:
    """Return a row for each cluster: its central row, its width, and how well it stands apart.

    Parameters
    ----------
    params : ClusterMetricsParams
        Settings.
    data : Transmission
        Arrays with NaN and of unequal lengths are refused.

    Notes
    -----
    ``_SILHOUETTE`` is the mean over the rows of a cluster of how much nearer they lie to it than to
    the next one, -1 to 1; the columns with ``_MEAN`` are those of all clusters or rows together.
    """
    values = stack_rows(data, params.data_column, node="cluster_metrics", fewest=2)
    full = distance.squareform(condensed(values, params.metric))
    members = [(key[0], rows) for key, rows in groups(data, [params.label_column])]
    if not members:
        raise ValueError(f"cluster_metrics: no row has a cluster in {params.label_column}.")
    centers = np.array([rows[medoid(full[np.ix_(rows, rows)])] for _, rows in members])
    radii = np.array(
        [
            cluster_radius(full[np.ix_(rows, rows)], int(np.flatnonzero(rows == center)[0]))
            for (_, rows), center in zip(members, centers, strict=True)
        ]
    )
    overlap = davies_bouldin(radii, full[np.ix_(centers, centers)])
    widths = silhouettes(full, [rows for _, rows in members])
    n_clusters, text = len(members), ColumnInfo("categorical")
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (
            np.array([f"cluster:{name}" for name, _ in members], object),
            ColumnInfo("identifier"),
        ),
        "CLUSTER": (np.array([name for name, _ in members], object), text),
        "MEDOID": (data.row_ids[centers], ColumnInfo("identifier")),
        "N_ROWS": (np.array([len(rows) for _, rows in members]), ColumnInfo()),
        "_RADIUS": (radii, ColumnInfo()),
        "_DAVIES_BOULDIN": (overlap.scores, ColumnInfo()),
        "_SILHOUETTE": (np.array([width.mean() for width in widths]), ColumnInfo()),
        "_DAVIES_BOULDIN_MEAN": (np.full(n_clusters, overlap.mean), ColumnInfo()),
        "_SILHOUETTE_MEAN": (np.full(n_clusters, np.concatenate(widths).mean()), ColumnInfo()),
    }
    return data.derived(scalars=scalars)


def silhouettes(
    distances: NDArray[np.float64], members: list[NDArray[np.int64]]
) -> list[NDArray[np.float64]]:
    """Return of each row of each cluster how much nearer it lies to its own than to the next one.

    Parameters
    ----------
    distances : array, (n_rows, n_rows)
        Between all rows.
    members : list of array
        The rows of each cluster.

    References
    ----------
    Rousseeuw 1987, https://doi.org/10.1016/0377-0427(87)90125-7
    """
    if len(members) < 2:  # noqa: PLR2004
        return [np.full(len(rows), np.nan) for rows in members]
    to_all = np.stack([distances[:, rows].sum(axis=1) for rows in members])
    sizes = np.array([len(rows) for rows in members])
    made = []
    for one, rows in enumerate(members):
        own = to_all[one, rows] / max(1, len(rows) - 1)
        others = np.delete(to_all[:, rows] / sizes[:, np.newaxis], one, axis=0).min(axis=0)
        width = (others - own) / np.maximum(np.maximum(own, others), 1e-300)
        made.append(width if len(rows) > 1 else np.zeros(1))
    return made


@dataclass(frozen=True, kw_only=True)
class TruncationParams:
    """Settings of the choice of frequencies."""

    data_column: str = column("time")
    """Traces that are described."""

    step_start: int = whole(10, 1, 1_000_000)
    """Fewest numbers of the spectrum that are kept."""

    step_size: int = whole(10, 1, 1_000_000)
    """How many more in each step."""

    measure: str = choice("dtw", ("dtw", "squares"))
    """How far what they describe lies from the trace: with stretched time, or by the sum of squared
    differences."""

    def __post_init__(self) -> None:
        check_fields(self)


def spectrum_truncation(
    traces: NDArray[np.float64], *, rate_hz: float, params: TruncationParams
) -> Traces:
    """Return how far each trace lies from what its first frequencies describe.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second; has no effect.
    params : TruncationParams
        Settings.

    Returns
    -------
    Traces
        A distance for each number of kept values of the packed spectrum.
    """
    del rate_hz
    n_samples = traces.shape[1]
    spectra = fftpack.rfft(traces, axis=1)
    kept = np.arange(params.step_start, n_samples, params.step_size)
    made = np.empty((len(traces), len(kept)))
    for place, count in enumerate(kept):
        part = np.where(np.arange(n_samples) < count, spectra, 0)
        smooth = fftpack.irfft(part, axis=1)
        if params.measure == "squares":
            made[:, place] = ((traces - smooth) ** 2).sum(axis=1)
        else:
            made[:, place] = [dtw(*pair) for pair in zip(traces, smooth, strict=True)]
    return Traces(made, rate=1 / params.step_size, start=float(params.step_start))


NUMBERS = ("_RADIUS", "_DAVIES_BOULDIN", "_SILHOUETTE", "_DAVIES_BOULDIN_MEAN", "_SILHOUETTE_MEAN")

register(
    Node(
        name="cluster_metrics",
        title="Clustering metrics",
        group="Statistics",
        params=ClusterMetricsParams,
        compute=cluster_metrics,
        results=(
            Result(
                columns=(
                    *(Output(name) for name in ("N_ROWS", *NUMBERS)),
                    Output("CLUSTER", kind="categorical"),
                    Output("MEDOID", kind="identifier"),
                ),
                rows="new",
            ),
        ),
        nan="refuse",
    ),
    Node(
        name="drfft_dtw",
        title="DRFFT_DTW",
        group="Statistics",
        params=TruncationParams,
        compute=spectrum_truncation,
        on_traces=True,
        results=(Result(columns=(Output("_DRFFT_DTW", "", "item"),)),),
        keeps_last_output=True,
    ),
)
