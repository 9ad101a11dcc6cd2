"""Spikes from a fluorescence trace: OASIS with a noise constraint.

References
----------
Friedrich, Zhou and Paninski (2017), doi:10.1371/journal.pcbi.1005423.
Pnevmatikakis et al. (2016), doi:10.1016/j.neuron.2015.11.037, for noise and time constants.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.signal import welch

NOISE_BAND = (0.25, 0.5)
"""Part of the spectrum, in cycles a frame, that holds noise and no calcium."""

MIN_SEGMENT_FRAMES = 8
MAX_SEGMENT_FRAMES = 256
DECAY_RANGE = (0.4, 2.5)
"""How far the fitted decay may lie from the expected one, as factors."""

MAX_RISE_FRACTION = 0.5
"""Largest rise time, relative to the decay time."""

SEARCH_STEPS = 12


class Deconvolved(NamedTuple):
    """A trace taken apart: trace = calcium + baseline + noise."""

    calcium: NDArray[np.float32]
    """Autoregressive and not negative, ``(n_frames,)``."""

    spikes: NDArray[np.float32]
    """What drives the calcium, not negative, ``(n_frames,)``."""

    baseline: float
    """Constant part of the trace."""

    noise: float
    """Standard deviation of the noise."""

    coefficients: tuple[float, float]
    """The two of the autoregression; the second is 0 for order 1."""


def noise_level(trace: NDArray[np.floating]) -> float:
    """Return the standard deviation of white noise, from the upper half of the spectrum.

    Parameters
    ----------
    trace : array, (n_frames,)
        Finite values.

    Returns
    -------
    float
        In the units of the trace; from differences of frames if there are too few for a spectrum.
    """
    segment = min(MAX_SEGMENT_FRAMES, trace.size)
    if segment < MIN_SEGMENT_FRAMES:
        return float(np.std(np.diff(trace)) / math.sqrt(2)) if trace.size > 1 else 0.0
    frequency, power = welch(trace.astype(np.float64), nperseg=segment)
    band = (frequency >= NOISE_BAND[0]) & (frequency < NOISE_BAND[1])
    return float(np.sqrt(power[band].mean() / 2))


def coefficients_of(decay_frames: float, rise_frames: float) -> tuple[float, float]:
    """Return the autoregression with these time constants, in frames; a rise of 0 is order 1."""
    decay = math.exp(-1 / decay_frames)
    rise = math.exp(-1 / rise_frames) if rise_frames > 0 else 0.0
    return decay + rise, -decay * rise


def time_constants_of(coefficients: tuple[float, float]) -> tuple[float, float]:
    """Return decay and rise of an autoregression, in frames."""
    first, second = coefficients
    root = math.sqrt(max(0.0, first * first + 4 * second))
    decay, rise = (first + root) / 2, (first - root) / 2
    return -1 / math.log(decay), -1 / math.log(rise) if rise > 0 else 0.0


def fit_coefficients(
    trace: NDArray[np.floating], *, order: int, noise: float, decay_frames: float
) -> tuple[float, float]:
    """Fit an autoregression to the autocovariance of a trace, near the expected decay.

    Parameters
    ----------
    trace : array, (n_frames,)
        Calcium plus white noise.
    order : int
        1 or 2.
    noise : float
        Standard deviation of the noise.
    decay_frames : float
        Expected decay time, in frames.

    Returns
    -------
    tuple of float
        The two coefficients, stable and without oscillation; the second is 0 for order 1.
    """
    n_lags = min(trace.size - 1, max(4, math.ceil(decay_frames)))
    if n_lags <= order:
        return coefficients_of(decay_frames, 0.0)
    covariance = _autocovariance(trace, n_lags)
    covariance[0] -= noise**2
    past = np.stack([covariance[order - lag : -lag] for lag in range(1, order + 1)], axis=1)
    fitted = np.linalg.lstsq(past, covariance[order:], rcond=None)[0]
    decay, rise = _roots(float(fitted[0]), float(fitted[1]) if order > 1 else 0.0)
    slow = np.clip(-1 / math.log(decay) if 0 < decay < 1 else decay_frames, *_around(decay_frames))
    fast = -1 / math.log(rise) if 0 < rise < 1 else 0.0
    return coefficients_of(float(slow), min(fast, MAX_RISE_FRACTION * float(slow)))


def deconvolve(
    trace: NDArray[np.floating], *, coefficients: tuple[float, float], noise: float
) -> Deconvolved:
    """Find the sparsest spikes whose calcium leaves no more than the noise.

    Parameters
    ----------
    trace : array, (n_frames,)
        Finite values.
    coefficients : tuple of float
        Of the autoregression; the second is 0 for order 1.
    noise : float
        Standard deviation of the noise.

    Returns
    -------
    Deconvolved
        Calcium, spikes and baseline.

    Notes
    -----
    Order 1 is solved exactly for each sparsity penalty; order 2 by the greedy generalisation of
    the paper. The penalty is found by bisection, the baseline along with it.
    """
    first, second = coefficients
    calcium, spikes, baseline = _constrained(
        np.ascontiguousarray(trace, np.float64), first, second, noise
    )
    return Deconvolved(
        calcium.astype(np.float32), spikes.astype(np.float32), baseline, noise, coefficients
    )


def _around(decay_frames: float) -> tuple[float, float]:
    """Return the shortest and the longest decay that a fit may give."""
    return decay_frames * DECAY_RANGE[0], decay_frames * DECAY_RANGE[1]


def _roots(first: float, second: float) -> tuple[float, float]:
    """Return the slow and the fast root; the real part of both if they are complex."""
    root = math.sqrt(max(0.0, first * first + 4 * second))
    return (first + root) / 2, (first - root) / 2


def _autocovariance(trace: NDArray[np.floating], n_lags: int) -> NDArray[np.float64]:
    """Return the autocovariance at lags 0 to ``n_lags``."""
    centred = np.asarray(trace, np.float64) - trace.mean()
    n_frames = centred.size
    products = [centred[lag:] @ centred[: n_frames - lag] for lag in range(n_lags + 1)]
    return np.asarray(np.array(products) / n_frames, np.float64)


@njit(nogil=True, cache=True)
def _constrained(
    trace: NDArray[np.float64], first: float, second: float, noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return calcium, spikes and baseline for the penalty that leaves the noise as residual."""
    allowed = noise * noise * trace.size
    baseline = np.median(trace)
    low, high, penalty = 0.0, -1.0, 0.0
    calcium = np.zeros_like(trace)
    for _ in range(SEARCH_STEPS):
        calcium = oasis(trace - baseline, first, second, penalty)
        rest = trace - calcium
        baseline = rest.mean()
        residual = ((rest - baseline) ** 2).sum()
        if residual < allowed:
            low = penalty
            penalty = (
                (low + high) / 2 if high >= 0 else max(2 * penalty, noise / (1 - first - second))
            )
        else:
            high = penalty
            penalty = (low + high) / 2
    calcium = oasis(trace - baseline, first, second, penalty)
    return calcium, spikes_of(calcium, first, second), baseline


@njit(nogil=True, cache=True)
def spikes_of(calcium: NDArray[np.float64], first: float, second: float) -> NDArray[np.float64]:
    """Return the spikes that drive the calcium, rounding errors cut at 0."""
    spikes = calcium.copy()
    spikes[1:] -= first * calcium[:-1]
    spikes[2:] -= second * calcium[:-2]
    return np.maximum(spikes, 0.0)


@njit(nogil=True, cache=True)
def oasis(
    trace: NDArray[np.float64], first: float, second: float, penalty: float
) -> NDArray[np.float64]:
    """Minimise ``|trace - calcium|^2 / 2 + penalty * sum(spikes)`` for spikes that are >= 0."""
    target = trace - penalty * (1 - first - second)
    target[-1] = trace[-1] - penalty
    if trace.size > 1:
        target[-2] = trace[-2] - penalty * (1 - first)
    if second == 0:
        return _pooled_first_order(target, first)
    return _pooled_second_order(target, first, second)


@njit(nogil=True, cache=True)
def _pooled_first_order(target: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """Pool adjacent violators: within a pool calcium only decays."""
    n_frames = target.size
    value = np.empty(n_frames)
    weight = np.empty(n_frames)
    start = np.empty(n_frames + 1, np.int64)
    last = -1
    for frame in range(n_frames):
        last += 1
        value[last], weight[last], start[last] = target[frame], 1.0, frame
        while last > 0:
            factor = decay ** (start[last] - start[last - 1])
            if value[last] >= factor * value[last - 1]:
                break
            total = weight[last - 1] + factor * factor * weight[last]
            value[last - 1] = (
                weight[last - 1] * value[last - 1] + factor * weight[last] * value[last]
            ) / total
            weight[last - 1] = total
            last -= 1
    start[last + 1] = n_frames
    calcium = np.empty(n_frames)
    for pool in range(last + 1):
        level = max(0.0, value[pool])
        for frame in range(start[pool], start[pool + 1]):
            calcium[frame] = level
            level *= decay
    return calcium


@njit(nogil=True, cache=True)
def _response(
    n_frames: int, first: float, second: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the response to a spike one frame ago and later, and two sums of its products.

    The sums over the first frames of a pool are of its square, and of it times it a frame before.
    """
    response = np.zeros(n_frames + 1)
    response[1] = 1.0
    power = np.zeros(n_frames + 1)
    cross = np.zeros(n_frames + 1)
    for lag in range(1, n_frames + 1):
        if lag > 1:
            response[lag] = first * response[lag - 1] + second * response[lag - 2]
        power[lag] = power[lag - 1] + response[lag] ** 2
        cross[lag] = cross[lag - 1] + response[lag] * response[lag - 1]
    return response, power, cross


@njit(nogil=True, cache=True)
def _pooled_second_order(
    target: NDArray[np.float64], first: float, second: float
) -> NDArray[np.float64]:
    """Pool greedily: a pool starts with a spike and follows the autoregression afterwards."""
    n_frames = target.size
    response, power, cross = _response(n_frames, first, second)
    start = np.empty(n_frames + 1, np.int64)
    product = np.empty(n_frames)  # of response and target over the pool
    level = np.empty(n_frames)  # calcium at the first frame of the pool
    before = np.zeros(n_frames + 1)  # second coefficient times calcium one frame earlier
    last = -1
    for frame in range(n_frames):
        last += 1
        start[last], product[last] = frame, target[frame]
        if last > 0:
            length = frame - start[last - 1]
            before[last] = second * (
                response[length] * level[last - 1] + response[length - 1] * before[last - 1]
            )
        level[last] = target[frame]
        while last > 0:
            length = start[last] - start[last - 1]
            decayed = response[length + 1] * level[last - 1] + response[length] * before[last - 1]
            if level[last] >= decayed:
                break
            last -= 1
            for at in range(start[last + 1], frame + 1):
                product[last] += response[at - start[last] + 1] * target[at]
            length = frame + 1 - start[last]
            level[last] = (product[last] - before[last] * cross[length]) / power[length]
        if last == 0:
            level[0] = max(0.0, level[0])
    start[last + 1] = n_frames
    return _filled(start[: last + 2], level, before, response)


@njit(nogil=True, cache=True)
def _filled(
    start: NDArray[np.int64],
    level: NDArray[np.float64],
    before: NDArray[np.float64],
    response: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the calcium of all pools."""
    calcium = np.empty(start[-1])
    for pool in range(start.size - 1):
        for lag in range(start[pool + 1] - start[pool]):
            calcium[start[pool] + lag] = (
                response[lag + 1] * level[pool] + response[lag] * before[pool]
            )
    return np.maximum(calcium, 0.0)
