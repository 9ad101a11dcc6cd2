"""k-Shape: clusters of traces by their shape, wherever in time it lies."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, linalg

from pipeline.nodes.distances import correlation_blocks, transform, unit_rows


class ShapeClusters(NamedTuple):
    """Clusters of shapes."""

    labels: NDArray[np.int64]
    """Cluster of each row, from 0, ``(n_rows,)``."""

    centers: NDArray[np.float64]
    """Mean 0, standard deviation 1, ``(n_clusters, n_samples)``."""

    distances: NDArray[np.float64]
    """Of each row to its centre, 0 to 2."""

    lags: NDArray[np.int64]
    """Samples by which each row comes later than its centre."""

    @property
    def inertia(self) -> float:
        """Mean squared distance to the centres."""
        return float(np.mean(self.distances**2))


class _Rows(NamedTuple):
    """Rows, of length 1, and their spectra."""

    values: NDArray[np.float64]
    spectra: NDArray[np.complex128]
    n_padded: int


def z_normalized(rows: list[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return rows with mean 0 and standard deviation 1, 0 after the end of shorter ones.

    Parameters
    ----------
    rows : list of array
        Finite, of any lengths; a constant one becomes 0.
    """
    made = np.zeros((len(rows), max((row.size for row in rows), default=0)))
    for place, row in enumerate(rows):
        above = np.asarray(row, np.float64) - np.mean(row)
        std = above.std()
        made[place, : row.size] = above / std if std > 1e-12 * np.abs(row).max() else 0
    return made


def cluster_shapes(
    values: NDArray[np.float64],
    n_clusters: int,
    *,
    rng: np.random.Generator,
    max_iter: int,
    tol: float,
    spread: bool = True,
) -> ShapeClusters:
    """Return clusters of rows by the shape-based distance.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        From `z_normalized`; at least as many rows as clusters.
    n_clusters : int
        How many.
    rng : numpy.random.Generator
        Chooses the first centres.
    max_iter : int
        Rounds at most.
    tol : float
        It ends when the inertia falls by less.
    spread : bool
        Whether each first centre lies far from those before, which finds clusters that are well
        apart; False: any rows, which does better where one shape goes over into the next.

    Notes
    -----
    The centre of a cluster is the direction in which its rows, shifted onto the old centre, vary
    most. A cluster that loses all rows gets the one that is farthest from its centre.

    References
    ----------
    Paparrizos & Gravano 2015, https://doi.org/10.1145/2723372.2737793
    Arthur & Vassilvitskii 2007, k-means++
    """
    spectra, n_padded = transform(unit_rows(values))
    rows = _Rows(unit_rows(values), spectra, n_padded)
    if spread:
        first = _first_centers(rows, values, n_clusters, rng)
    else:
        first = values[rng.choice(len(values), n_clusters, replace=False)]
    best = assign(values, first, rows)
    for _ in range(max_iter):
        labels = _without_empty(best, n_clusters)
        centers = np.array(
            [
                _center(rows.values[labels == one], best.lags[labels == one], best.centers[one])
                for one in range(n_clusters)
            ]
        )
        found = assign(values, centers, rows)
        gain = best.inertia - found.inertia
        if gain < 0:
            break
        best = found
        if gain < tol:
            break
    return best


def assign(
    values: NDArray[np.float64], centers: NDArray[np.float64], rows: _Rows | None = None
) -> ShapeClusters:
    """Return the nearest of some centres for each row.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        From `z_normalized`.
    centers : array, (n_clusters, n_samples)
        Of clusters that were found before, perhaps among other rows.
    rows : _Rows
        What is known of the rows already.
    """
    if rows is None:
        spectra, n_padded = transform(unit_rows(values))
        rows = _Rows(unit_rows(values), spectra, n_padded)
    similarity = np.full(len(values), -np.inf)
    labels, lags = np.zeros((2, len(values)), np.int64)
    others, _ = transform(unit_rows(centers))
    for center, found in correlation_blocks(others, rows.spectra, rows.n_padded):
        # of the centre at t + k with the row at t: the row comes later by -k
        place = found.argmax(axis=1)
        highest = found[np.arange(len(found)), place]
        better = highest > similarity
        labels[better], similarity[better] = center, highest[better]
        lags[better] = -_signed(place[better], rows.n_padded)
    return ShapeClusters(labels, centers, np.clip(1 - similarity, 0, 2), lags)


def _signed(place: NDArray[np.int64], n_padded: int) -> NDArray[np.int64]:
    """Return lags of which negative ones lie at the end."""
    return np.where(place > n_padded // 2, place - n_padded, place)


def _first_centers(
    rows: _Rows, values: NDArray[np.float64], n_clusters: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return rows that lie far from each other."""
    chosen = [int(rng.integers(len(values)))]
    nearest = np.full(len(values), np.inf)
    while len(chosen) < n_clusters:
        product = rows.spectra * rows.spectra[chosen[-1]].conj()
        similarity = fft.irfft(product, rows.n_padded, axis=1).max(axis=1)
        nearest = np.minimum(nearest, np.clip(1 - similarity, 0, 2) ** 2)
        nearest[chosen] = 0
        total = nearest.sum()
        share = nearest / total if total > 0 else _evenly(len(values), chosen)
        chosen.append(int(rng.choice(len(values), p=share)))
    return np.asarray(values[chosen])


def _evenly(n_rows: int, chosen: list[int]) -> NDArray[np.float64]:
    """Return equal chances for all rows that are not chosen."""
    share = np.ones(n_rows)
    share[chosen] = 0
    return np.asarray(share / share.sum())


def _without_empty(found: ShapeClusters, n_clusters: int) -> NDArray[np.int64]:
    """Return labels of which each occurs: an empty cluster gets the row that fits worst."""
    labels = found.labels.copy()
    far = iter(np.argsort(-found.distances, kind="stable"))
    for one in range(n_clusters):
        while not (labels == one).any():
            row = next(far)
            if (labels == labels[row]).sum() > 1:
                labels[row] = one
    return labels


def _center(
    members: NDArray[np.float64], lags: NDArray[np.int64], old: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shape that members have in common."""
    aligned = _shifted(members, -lags)
    aligned = aligned - aligned.mean(axis=1, keepdims=True)
    shape = _leading(aligned)
    # an eigenvector has no sign of its own
    if (aligned @ shape).sum() < 0 or (not aligned.any() and shape @ old < 0):
        shape = -shape
    std = shape.std()
    return np.asarray((shape - shape.mean()) / (std if std > 0 else 1))


def _leading(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the direction in which rows vary most, by the smaller of two products."""
    n_rows, n_samples = rows.shape
    if n_rows >= n_samples:
        last = (n_samples - 1, n_samples - 1)
        return np.asarray(linalg.eigh(rows.T @ rows, subset_by_index=last)[1][:, 0])
    weights = linalg.eigh(rows @ rows.T, subset_by_index=(n_rows - 1, n_rows - 1))[1][:, 0]
    return np.asarray(weights @ rows)


def _shifted(rows: NDArray[np.float64], by: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row moved later by some samples, 0 where nothing comes from."""
    n_samples = rows.shape[1]
    place = np.arange(n_samples) - by[:, np.newaxis]
    inside = (place >= 0) & (place < n_samples)
    moved = np.take_along_axis(rows, np.clip(place, 0, n_samples - 1), axis=1)
    return np.where(inside, moved, 0)
