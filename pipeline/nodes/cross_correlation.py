"""Statistics: how alike traces are at the best lag, and which comes first."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from pipeline.blocks import DEFAULT_THREADS, map_items
from pipeline.nodes.declaration import Node, Output, Result, check_fields, column, number
from pipeline.nodes.distances import stack_rows, unit_rows
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.registry import register
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission

BLOCK_SAMPLES = 200_000


@dataclass(frozen=True, kw_only=True)
class CrossCorrelationParams:
    """Settings of the cross-correlation."""

    data_column: str = column("time")
    """Traces of one length and rate within each group."""

    group_by: str = column(None, kinds=LABEL, optional=True)
    """Only traces with one value of it are compared, as ``recording_id``; "": all."""

    remove_mean: bool = False
    """Whether each trace is first shifted to mean 0."""

    signed: bool = False
    """Whether the lag is that of the largest absolute value, so that opposite traces are found."""

    max_lag_s: float | None = number(None, 0, 1e6)
    """Largest lag that is looked at, in seconds; None: all."""

    significance: bool = False
    """Whether the probability is computed that traces are so alike by chance, by circular shifts
    that are at least two largest lags apart; needs ``max_lag_s``."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.significance and self.max_lag_s is None:
            raise ValueError("significance needs max_lag_s, to tell chance from what is looked at.")


class Correlated(NamedTuple):
    """What pairs of traces have in common, ``(n_rows, n_rows)`` each."""

    lags: NDArray[np.int64]
    """Samples by which the trace of the column comes later than that of the row."""

    maxima: NDArray[np.float64]
    """Correlation at that lag, -1 to 1."""


def cross_correlate(
    values: NDArray[np.float64],
    *,
    max_lag: int,
    signed: bool = False,
    threads: int = DEFAULT_THREADS,
) -> Correlated:
    """Return the best lag of each pair of traces, and how alike they are there.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Finite.
    max_lag : int
        Samples; at most one less than there are.
    signed : bool
        Whether opposite traces count as alike.
    threads : int
        Rows worked on at once; the bits do not depend on it.

    Notes
    -----
    ``sum over t of x[t + k] * y[t] / (|x| |y|)`` by FFT in single precision, which finds the lag;
    the value there is then summed up in double precision. Of equal values the most negative k
    counts. A trace that is 0 has lag and value 0.
    """
    rows = unit_rows(values)
    n_rows, n_samples = rows.shape
    n_padded = fft.next_fast_len(n_samples + max_lag, real=True)
    conjugate = fft.rfft(rows.astype(np.float32), n_padded, axis=1)
    np.conjugate(conjugate, out=conjugate)  # one copy of the spectra is enough
    lags = np.zeros((n_rows, n_rows), np.int64)
    maxima = np.zeros((n_rows, n_rows))
    step = max(1, BLOCK_SAMPLES // n_padded)

    def work(row: int) -> None:
        spectrum = conjugate[row].conj()
        for first in range(row, n_rows, step):
            others = slice(first, min(first + step, n_rows))
            product = spectrum * conjugate[others]
            found = fft.irfft(product, n_padded, axis=1, overwrite_x=True)
            lags[row, others] = _best_lags(np.abs(found) if signed else found, max_lag)
            maxima[row, others] = _at_lags(rows[row], rows[others], lags[row, others])

    map_items(work, range(n_rows), threads=threads)
    below = np.tril_indices(n_rows, -1)
    lags[below], maxima[below] = -lags.T[below], maxima.T[below]
    empty = ~rows.any(axis=1)
    lags[empty], lags[:, empty] = 0, 0
    return Correlated(lags, maxima)


def _best_lags(found: NDArray[np.float32], max_lag: int) -> NDArray[np.int64]:
    """Return the lags at which correlations are largest; negative shifts lie at their end."""
    after = found[:, : max_lag + 1].argmax(axis=1)
    if not max_lag:
        return np.asarray(after)
    before = found[:, -max_lag:].argmax(axis=1)
    rows = np.arange(len(found))
    is_before = found[rows, found.shape[1] - max_lag + before] >= found[rows, after]
    return np.asarray(np.where(is_before, max_lag - before, -after))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator,unused-ignore]
def _at_lags(one: Any, others: Any, lags: Any) -> Any:
    """Return the sum of products of a trace with others that come later by some lags."""
    made = np.empty(len(others))
    n_samples = len(one)
    for row in range(len(others)):
        lag = lags[row]
        # y[t] lies at x[t - lag]
        part = others[row, max(0, lag) : n_samples + min(0, lag)]
        mine = one[max(0, -lag) : n_samples - max(0, lag)]
        total = 0.0
        for place in range(len(part)):
            total += mine[place] * part[place]
        made[row] = total
    return made


def chance_of(
    values: NDArray[np.float64], *, max_lag: int, signed: bool, threads: int = DEFAULT_THREADS
) -> NDArray[np.float64]:
    """Return how often traces are so alike when one of them is shifted in a circle.

    Parameters
    ----------
    values : array, (n_rows, n_samples)
        Finite.
    max_lag : int
        Samples; the shifts are twice that and one apart, so that none sees the same lags.
    signed : bool
        Whether opposite traces count as alike.
    threads : int
        Rows worked on at once.

    Returns
    -------
    array, (n_rows, n_rows)
        At least 1 / number of shifts; a trace and itself have 0 by definition.
    """
    n_rows, n_samples = values.shape
    width = 2 * max_lag + 1
    n_windows = n_samples // width
    spectra = fft.rfft(unit_rows(values), axis=1)
    chance = np.zeros((n_rows, n_rows))

    def work(row: int) -> None:
        found = fft.irfft(spectra[row] * spectra[row + 1 :].conj(), n_samples, axis=1)
        found = np.abs(found) if signed else found
        windows = np.roll(found, max_lag, axis=1)[:, : n_windows * width]
        best = windows.reshape(-1, n_windows, width).max(axis=2)
        # what rounding adds to equal values is no difference
        as_high = (best >= best[:, :1] - 1e-12).sum(axis=1)
        chance[row, row + 1 :] = as_high / n_windows

    map_items(work, range(n_rows), threads=threads)
    return chance + chance.T


def cross_correlation(params: CrossCorrelationParams, *, data: Transmission) -> Transmission:
    """Return for each trace its best lag to each trace of its group, and how alike they are.

    Parameters
    ----------
    params : CrossCorrelationParams
        Settings.
    data : Transmission
        Traces with NaN are refused; rows without a group have none. ``_CC_P`` is empty where no
        significance is asked for.
    """
    empty = np.empty(0)
    lags, maxima, chance = ([empty] * data.n_rows for _ in range(3))
    partners = [np.empty(0, object)] * data.n_rows
    for _, rows in groups(data, [params.group_by] if params.group_by else []):
        part = data.take(rows)
        values = stack_rows(part, params.data_column, node="cross_correlation")
        rate_hz = float(part.array(params.data_column).rate[0])
        found, by_chance = _of_group(values, rate_hz, params)
        for place, row in enumerate(rows):
            lags[row], maxima[row] = found.lags[place] / rate_hz, found.maxima[place]
            partners[row], chance[row] = part.row_ids, by_chance[place]
    item = ColumnInfo("numeric", "", "item")
    data = data.with_array("_CC_P", ArrayColumn.of(chance, item))
    names = ArrayColumn.of(partners, item._replace(kind="identifier"))
    data = data.with_array("CC_PARTNERS", names)
    data = data.with_array("_CC_LAG", ArrayColumn.of(lags, item._replace(unit="s")))
    return data.with_array("_CC_MAX", ArrayColumn.of(maxima, item))


def _of_group(
    values: NDArray[np.float64], rate_hz: float, params: CrossCorrelationParams
) -> tuple[Correlated, NDArray[np.float64]]:
    """Return what the traces of a group have in common."""
    n_samples = values.shape[1]
    if params.remove_mean:
        values = values - values.mean(axis=1, keepdims=True)
    max_lag = n_samples - 1
    if params.max_lag_s is not None:
        max_lag = min(max_lag, round(params.max_lag_s * rate_hz))
    found = cross_correlate(values, max_lag=max_lag, signed=params.signed)
    if not params.significance:
        return found, np.empty((len(values), 0))
    if n_samples < 2 * (2 * max_lag + 1):
        raise ValueError(
            f"significance needs traces of at least four times max_lag_s; they last "
            f"{n_samples / rate_hz:g} s, and max_lag_s is {params.max_lag_s:g}."
        )
    return found, chance_of(values, max_lag=max_lag, signed=params.signed)


register(
    Node(
        name="cross_correlation",
        title="CrossCorr",
        group="Statistics",
        params=CrossCorrelationParams,
        compute=cross_correlation,
        results=(
            Result(
                columns=(
                    Output("_CC_MAX", "", "item"),
                    Output("_CC_LAG", "s", "item"),
                    Output("CC_PARTNERS", "", "item", "identifier"),
                    Output("_CC_P", "", "item"),
                )
            ),
        ),
        nan="refuse",
        keeps_last_output=True,
    ),
)
