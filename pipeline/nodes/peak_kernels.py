"""Peaks of one trace: the loops over samples."""

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def turning_points(derivative: Any) -> tuple[Any, Any]:
    """Return where the sign of a derivative changes: peaks and bases, in order.

    Where it is exactly 0 in between, the middle of the plateau.

    Parameters
    ----------
    derivative : array, (n_samples,)
        Finite.
    """
    peaks, bases = [0 for _ in range(0)], [0 for _ in range(0)]
    last_sign, last_place = 0.0, 0
    for place in range(len(derivative)):
        sign = np.sign(derivative[place])
        if sign == 0:
            continue
        middle = (last_place + place) // 2
        if last_sign > 0 > sign:
            peaks.append(middle)
        elif last_sign < 0 < sign:
            bases.append(middle)
        last_sign, last_place = sign, place
    return np.array(peaks, np.int64), np.array(bases, np.int64)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def settle_peaks(signal: Any, left: Any, right: Any, least: float) -> tuple[Any, Any]:
    """Return the largest sample between the two bases of each peak, and which peaks are kept.

    Parameters
    ----------
    signal : array, (n_samples,)
        The trace.
    left, right : array, (n_peaks,)
        The bases of each peak.
    least : float
        A peak is kept where the mean of its rise and its fall is larger.
    """
    places = np.empty(len(left), np.int64)
    kept = np.zeros(len(left), np.bool_)
    for peak in range(len(left)):
        begin, end = left[peak], right[peak]
        best = begin
        for place in range(begin, end + 1):
            if signal[place] > signal[best]:
                best = place
        # of a plateau, the middle
        last = best
        while last < end and signal[last + 1] == signal[best]:
            last += 1
        places[peak] = (best + last) // 2
        amplitude = signal[best] - (signal[begin] + signal[end]) / 2
        kept[peak] = begin < best < end and amplitude > least
    return places, kept


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def simpson(values: Any) -> float:
    """Return the area under samples one apart, by Simpson's rule.

    Of an even number of samples, the last interval is that of the parabola through the last three.

    Parameters
    ----------
    values : array, (n_samples,)
        The samples.
    """
    n_samples = len(values)
    if n_samples < 2:  # noqa: PLR2004
        return 0.0
    if n_samples == 2:  # noqa: PLR2004
        return float((values[0] + values[1]) / 2)
    n_odd = n_samples - (n_samples + 1) % 2
    area = 0.0
    for place in range(0, n_odd - 2, 2):
        area += (values[place] + 4 * values[place + 1] + values[place + 2]) / 3
    if n_odd < n_samples:
        area += 5 / 12 * values[-1] + 2 / 3 * values[-2] - 1 / 12 * values[-3]
    return area


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def crossing(signal: Any, begin: int, end: int, level: float) -> float:
    """Return where a trace first falls to a level on the way from one sample to another.

    Parameters
    ----------
    signal : array, (n_samples,)
        The trace.
    begin, end : int
        Samples; the way may lead backwards.
    level : float
        What is looked for.
    """
    step = 1 if end >= begin else -1
    place = begin
    while place != end:
        one, other = signal[place], signal[place + step]
        if other <= level:
            share = (one - level) / (one - other) if one > other else 0.0
            return float(place + step * share)
        place += step
    return np.nan


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def features(signal: Any, peaks: Any, left: Any, right: Any, made: Any) -> None:
    """Fill in a row of numbers for each peak, in samples, in the order of `FEATURES`.

    Parameters
    ----------
    signal : array, (n_samples,)
        The trace.
    peaks, left, right : array, (n_peaks,)
        Peaks and their bases; left < peak < right.
    made : array, (n_peaks, n_features)
        Is filled.
    """
    for index in range(len(peaks)):
        p, l, r = peaks[index], left[index], right[index]  # noqa: E741
        part = signal[l:r]
        top, rise, fall = signal[p], signal[p] - signal[l], signal[p] - signal[r]
        base = (signal[l] + signal[r]) / 2
        row = made[index]
        row[0], row[1], row[2], row[3] = rise, fall, top - base, top
        row[4] = simpson(part)
        row[5] = simpson(part - part.min())
        row[6], row[7] = abs(rise) / (p - l), abs(fall) / (r - p)
        row[8] = r - l
        row[9] = min(rise, fall)
        half = base + (top - base) / 2
        row[10] = crossing(signal, p, r, half) - crossing(signal, p, l, half)
        row[11] = crossing(signal, p, r, base + (top - base) / np.e) - p
