"""The inner loops of the cross-correlation: products of spectra, and where correlations peak."""

from typing import Any

import numpy as np
from numba import njit

CHUNK = 64
MOST_CANDIDATES = 64
SINGLE_TOLERANCE = 2e-6
"""What single precision may err by, for traces of length 1."""
DOUBLE_TOLERANCE = 1e-12
"""Values that differ by less are equal."""


@njit(nogil=True, cache=True, fastmath={"contract"})  # type: ignore[untyped-decorator,unused-ignore]
def products(one: Any, others: Any, out: Any) -> None:
    """Write a spectrum times the conjugates of others; packed: real, then pairs, last real.

    Parameters
    ----------
    one : array, (n_padded,)
        Of a trace, as OpenCV packs it; even.
    others, out : array, (n_others, n_padded)
        Of the others, and what is written.
    """
    last = len(one) - 1
    for row in range(len(others)):
        other, made = others[row], out[row]
        made[0] = one[0] * other[0]
        made[last] = one[last] * other[last]
        for pair in range((last - 1) // 2):
            real, imaginary = 2 * pair + 1, 2 * pair + 2
            a, b, c, d = one[real], one[imaginary], other[real], other[imaginary]
            made[real] = a * c + b * d
            made[imaginary] = b * c - a * d


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def best_lags(found: Any, one: Any, others: Any, max_lag: int, signed: Any) -> Any:
    """Return the lags at which a trace and others fit best, and how well.

    Parameters
    ----------
    found : array, (n_others, n_padded)
        Their correlations in single precision, negative shifts at the end.
    one : array, (n_samples,)
        A trace, of length 1 or 0.
    others : array, (n_others, n_samples)
        Others.
    max_lag : int
        Samples.
    signed : bool
        Whether opposite traces fit as well.

    Notes
    -----
    Single precision only tells which lags come into question; of these, the sums in double
    precision decide, so that neither the transform nor the processor does.
    """
    lags, maxima = np.zeros(len(found), np.int64), np.zeros(len(found))
    heights = np.empty(2 * (max_lag // CHUNK + 1), np.float32)
    for row in range(len(found)):
        lags[row], maxima[row] = _best_lag(found[row], (one, others[row]), max_lag, signed, heights)
    return lags, maxima


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _best_lag(found: Any, pair: Any, max_lag: int, signed: Any, heights: Any) -> Any:
    """Return the lag at which a pair of traces fits best, and how well."""
    n_padded = len(found)
    n_before = _heights(found[n_padded - max_lag :], signed, heights)
    n_chunks = n_before + _heights(found[: max_lag + 1], signed, heights[n_before:])
    floor = heights[:n_chunks].max() - SINGLE_TOLERANCE
    best_lag, best, n_seen = 0, 0.0, 0
    for chunk in range(n_chunks):
        if heights[chunk] < floor:
            continue
        is_before = chunk < n_before
        first = n_padded - max_lag + chunk * CHUNK if is_before else (chunk - n_before) * CHUNK
        stop = min(first + CHUNK, n_padded if is_before else max_lag + 1)
        for place in range(first, stop):
            if _height(found[place], signed) < floor or n_seen == MOST_CANDIDATES:
                continue
            lag = n_padded - place if is_before else -place
            exact = _at_lag(pair[0], pair[1], lag)
            n_seen += 1
            if n_seen == 1 or _height(exact, signed) > _height(best, signed) + DOUBLE_TOLERANCE:
                best_lag, best = lag, exact
    return best_lag, best


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _height(value: Any, signed: Any) -> Any:
    """Return how well traces fit that correlate so."""
    return abs(value) if signed else value


@njit(nogil=True, cache=True, fastmath={"reassoc", "nnan", "nsz"})  # type: ignore[untyped-decorator,unused-ignore]
def _heights(found: Any, signed: Any, out: Any) -> int:
    """Write the largest value of each chunk of correlations; return how many chunks there are."""
    n_chunks = 0
    for first in range(0, len(found), CHUNK):
        highest = np.float32(-np.inf)
        if signed:
            for value in found[first : first + CHUNK]:
                highest = max(highest, abs(value))
        else:
            for value in found[first : first + CHUNK]:
                highest = max(highest, value)
        out[n_chunks] = highest
        n_chunks += 1
    return n_chunks


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator,unused-ignore]
def _at_lag(one: Any, other: Any, lag: int) -> float:
    """Return the sum of products of a trace with another that comes later by a lag."""
    n_samples = len(one)
    # y[t] lies at x[t - lag]
    mine = one[max(0, -lag) : n_samples - max(0, lag)]
    part = other[max(0, lag) : n_samples + min(0, lag)]
    total = 0.0
    for place in range(len(part)):
        total += mine[place] * part[place]
    return total
