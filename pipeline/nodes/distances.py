"""How far apart arrays are: of shape, of mass, of values."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import distance

from pipeline.nodes.grouping import one_rate
from pipeline.transmission import Transmission

PLAIN = ("euclidean", "cityblock", "cosine", "correlation", "chebyshev")
METRICS = (*PLAIN, "wasserstein", "shape", "dtw")
MOST_ROWS = 20_000
BLOCK_VALUES = 4_000_000


def stack_rows(data: Transmission, name: str, *, node: str, fewest: int = 1) -> NDArray[np.float64]:
    """Return arrays of one length as one, ``(n_rows, n_samples)``.

    Parameters
    ----------
    data : Transmission
        The table.
    name : str
        Of the column; one value a row counts as an array of one.
    node : str
        Who asks, for the message.
    fewest : int
        Rows that are needed.

    Raises
    ------
    ValueError
        If there are too few rows, lengths or rates differ, or values are NaN or infinite.
    """
    if data.n_rows < fewest:
        raise ValueError(f"{node} needs at least {fewest} rows; got {data.n_rows}.")
    if name in data.arrays:
        column = data.arrays[name]
        values = np.asarray(column.stacked(), np.float64)
        one_rate(column, np.arange(data.n_rows))
    else:
        values = np.asarray(data.scalar(name), np.float64)[:, np.newaxis]
    bad = ~np.isfinite(values).all(axis=1) if values.shape[1] else np.ones(len(values), bool)
    if bad.any():
        raise ValueError(
            f"{node}: {name} of row {data.row_ids[bad.argmax()]!r} is missing or has values that "
            f"are NaN or infinite, as have {int(bad.sum()) - 1} other rows; drop such rows first."
        )
    return values


def rows_digest(data: Transmission) -> str:
    """Return 32 hexadecimal digits that stand for the rows of a table and their order.

    Parameters
    ----------
    data : Transmission
        The table.
    """
    return hashlib.sha256("\n".join(map(str, data.row_ids)).encode()).hexdigest()[:32]


def condensed(values: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Return the distance of each pair of rows, as `scipy.spatial.distance.pdist` orders them.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Finite.
    metric : str
        One of `METRICS`.

    Raises
    ------
    ValueError
        If there are too many rows, or a row for which the distance is not defined.
    """
    if len(values) > MOST_ROWS:
        raise ValueError(
            f"the distances of {len(values):,} rows do not fit into memory; take at most "
            f"{MOST_ROWS:,}, as by means of groups."
        )
    if metric in ("cosine", "correlation"):
        varied = values - values.mean(axis=1, keepdims=True) if metric == "correlation" else values
        size = np.abs(values).max(axis=1, initial=0)
        flat = np.abs(varied).max(axis=1, initial=0) <= 1e-12 * size
        _refuse(flat, f"is constant, and has no {metric} to others")
    if metric == "wasserstein":
        return distance.pdist(cumulative_mass(values), "cityblock")
    if metric == "shape":
        return distance.squareform(shape_distances(values, values), checks=False)
    if metric == "dtw":
        return np.asarray(_all_dtw(values))
    return distance.pdist(values, metric)  # type: ignore[call-overload, no-any-return]


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    """Refuse rows for which a distance is not defined."""
    if bad.any():
        raise ValueError(
            f"row {int(bad.argmax())} {what}, as {int(bad.sum()) - 1} other rows; drop such rows "
            "or choose another metric."
        )


def cumulative_mass(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the mass of each row up to each sample.

    The sum of their absolute differences is the earth mover's distance of two rows, in samples.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Weights; where some are negative, all rows are raised by the same, until none is.
    """
    weights = values - min(0.0, float(values.min(initial=0)))
    total = weights.sum(axis=1, keepdims=True)
    _refuse(total[:, 0] <= 0, "has no mass to move")
    return np.asarray(np.cumsum(weights, axis=1) / total)


def unit_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row with length 1; one that is 0 stays 0.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Finite.
    """
    size = np.sqrt((values**2).sum(axis=1, keepdims=True))
    return np.asarray(values / np.where(size > 0, size, 1))


def transform(values: NDArray[np.float64]) -> tuple[NDArray[np.complex128], int]:
    """Return the spectra of rows, long enough that lags do not wrap, and that length.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Finite.
    """
    n_padded = fft.next_fast_len(2 * values.shape[1] - 1, real=True)
    return np.asarray(fft.rfft(values, n_padded, axis=1)), n_padded


def correlation_blocks(
    spectra: NDArray[np.complex128], other: NDArray[np.complex128], n_padded: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the correlation of each row with all others at all lags, row by row of the first.

    Parameters
    ----------
    spectra, other : array, (n_rows, n_frequencies)
        From `transform`.
    n_padded : int
        The length that they were transformed with.

    Yields
    ------
    tuple of int and array, (n_others, n_padded)
        The row, and at lag k ``sum over t of x[t + k] * y[t]``; negative lags are at the end.
    """
    for row, spectrum in enumerate(spectra):
        yield row, np.asarray(fft.irfft(spectrum * other.conj(), n_padded, axis=1))


def shape_distances(
    values: NDArray[np.float64], centers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shape-based distance of each row to each centre, 0 to 2.

    Parameters
    ----------
    values, centers : array, (n_rows, n_samples), (n_centers, n_samples)
        Finite; rows are not shifted to mean 0 here.

    References
    ----------
    Paparrizos & Gravano 2015, k-Shape, https://doi.org/10.1145/2723372.2737793
    """
    similarity = np.empty((len(centers), len(values)))
    spectra, n_padded = transform(unit_rows(values))
    others, _ = transform(unit_rows(centers))
    for center, found in correlation_blocks(others, spectra, n_padded):
        similarity[center] = found.max(axis=1)
    return np.asarray(np.clip(1 - similarity.T, 0, 2))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def dtw(one: Any, other: Any) -> float:
    """Return the distance of two traces of which time may be stretched.

    Parameters
    ----------
    one, other : array, (n_samples,), (n_others,)
        The traces.

    References
    ----------
    Sakoe & Chiba 1978, https://doi.org/10.1109/TASSP.1978.1163055
    """
    before = np.full(len(other) + 1, np.inf)
    before[0] = 0.0
    for place in range(len(one)):
        now = np.full(len(other) + 1, np.inf)
        for column in range(len(other)):
            step = min(before[column], before[column + 1], now[column])
            now[column + 1] = step + (one[place] - other[column]) ** 2
        before = now
    return float(np.sqrt(before[-1]))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _all_dtw(values: Any) -> Any:
    """Return the distance of each pair of rows."""
    n_rows = len(values)
    made = np.empty(n_rows * (n_rows - 1) // 2)
    place = 0
    for row in range(n_rows):
        for other in range(row + 1, n_rows):
            made[place] = dtw(values[row], values[other])
            place += 1
    return made
