"""Statistics: how alike traces are at the best lag, and which comes first."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipeline.blocks import DEFAULT_THREADS, map_items
from pipeline.nodes.declaration import Node, Output, Result, check_fields, column, number
from pipeline.nodes.distances import stack_rows, unit_rows
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.lag_kernels import best_lags, products
from pipeline.nodes.registry import register
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission

TILE_SAMPLES, MOST_ROWS = 50_000, 32
"""What two threads hold in their caches, and what leaves work for both."""
INVERSE = cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT


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
    ``sum over t of x[t + k] * y[t] / (|x| |y|)`` by FFT in single precision, which finds the lags
    that come into question; the sums in double precision decide. Of equal values the most
    negative k counts. A trace that is 0 has lag and value 0.
    """
    rows = unit_rows(values)
    n_rows, n_samples = rows.shape
    spectra = _packed_spectra(rows, 2 * cv2.getOptimalDFTSize((n_samples + max_lag + 1) // 2))
    lags = np.zeros((n_rows, n_rows), np.int64)
    maxima = np.zeros((n_rows, n_rows))
    side = min(MOST_ROWS, max(1, TILE_SAMPLES // spectra.shape[1]))

    def work(first_row: int) -> None:
        room = np.empty((2, side, spectra.shape[1]), np.float32)
        for first in range(first_row, n_rows, side):
            for row in range(first_row, min(first_row + side, n_rows)):
                others = slice(max(first, row), min(first + side, n_rows))
                product, found = room[:, : max(0, others.stop - others.start)]
                if len(product):
                    products(spectra[row], spectra[others], product)
                    cv2.dft(product, found, INVERSE)
                    best = best_lags(found, rows[row], rows[others], max_lag, signed)
                    lags[row, others], maxima[row, others] = best

    map_items(work, range(0, n_rows, side), threads=threads)
    for row in range(n_rows):
        lags[row, :row], maxima[row, :row] = -lags[:row, row], maxima[:row, row]
    empty = ~rows.any(axis=1)
    lags[empty], lags[:, empty] = 0, 0
    return Correlated(lags, maxima)


def _packed_spectra(rows: NDArray[np.float64], n_padded: int) -> NDArray[np.float32]:
    """Return the spectra of rows with 0 behind them, as OpenCV packs them, in single precision."""
    spectra = np.zeros((len(rows), n_padded), np.float32)
    spectra[:, : rows.shape[1]] = rows
    cv2.dft(spectra, spectra, cv2.DFT_ROWS)
    return spectra


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
        rate_hz = float(data.array(params.data_column).rate[rows[0]])
        found, by_chance = _of_group(data.take(rows), rate_hz, params)
        names = data.row_ids[rows]
        for place, row in enumerate(rows):
            lags[row], maxima[row] = found.lags[place] / rate_hz, found.maxima[place]
            partners[row], chance[row] = names, by_chance[place]
    item = ColumnInfo("numeric", "", "item")
    data = data.with_array("_CC_P", ArrayColumn.of(chance, item))
    named = ArrayColumn.of(partners, item._replace(kind="identifier"))
    data = data.with_array("CC_PARTNERS", named)
    data = data.with_array("_CC_LAG", ArrayColumn.of(lags, item._replace(unit="s")))
    return data.with_array("_CC_MAX", ArrayColumn.of(maxima, item))


def _of_group(
    part: Transmission, rate_hz: float, params: CrossCorrelationParams
) -> tuple[Correlated, NDArray[np.float64]]:
    """Return what the traces of a group have in common."""
    values = stack_rows(part, params.data_column, node="cross_correlation")
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
        version=2,
        keeps_last_output=True,
    ),
)
