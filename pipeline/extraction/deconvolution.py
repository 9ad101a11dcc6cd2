"""Spikes from a fluorescence trace: OASIS with a noise constraint.

References
----------
Friedrich, Zhou and Paninski (2017), doi:10.1371/journal.pcbi.1005423.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction.oasis import constrained, penalised

MIN_FRAMES = 3
MAD_TO_SD = 1.4826
MAX_FACTOR = 2.5
WAVE_DECAYS = 40
"""Half a wave of the baseline lasts at least so many decay times."""

MAX_WAVES = 10
FACTORS = tuple(np.geomspace(1 / MAX_FACTOR, MAX_FACTOR, 9))
"""Decay times that a fit may give, relative to the expected one, which is in the middle."""

_NEAREST_FIRST = sorted(range(len(FACTORS)), key=lambda number: abs(math.log(FACTORS[number])))

RISES = (0.07, 0.0, 0.03, 0.15, 0.3)
"""Rise times that a fit may give, relative to the decay time; the most likely comes first."""


class Fit(NamedTuple):
    """The numbers that a trace was taken apart with."""

    baseline: float
    """Mean of its baseline."""

    noise: float
    """Standard deviation of the noise."""

    coefficients: tuple[float, float]
    """The two of the autoregression; the second is 0 for order 1."""


class Deconvolved(NamedTuple):
    """A trace taken apart: trace = calcium + baseline + noise."""

    calcium: NDArray[np.float32]
    """Autoregressive and not negative, ``(n_frames,)``."""

    spikes: NDArray[np.float32]
    """What drives the calcium, not negative, ``(n_frames,)``."""

    slow: NDArray[np.float32]
    """The baseline with its slow changes, as bleaching makes them, ``(n_frames,)``."""

    fit: Fit
    """Noise and time constants."""


def slow_basis(n_frames: int, decay_frames: float) -> NDArray[np.float64]:
    """Return the courses of which a baseline is made, ``(n_courses, n_frames)``, orthonormal.

    The first is constant; half waves of increasing frequency follow, all much slower than a
    transient. A movie that is too short for them has the constant alone.
    """
    n_waves = min(MAX_WAVES, int(n_frames / (WAVE_DECAYS * decay_frames)))
    place = (np.arange(n_frames) + 0.5) / n_frames
    waves = np.cos(np.pi * np.arange(n_waves + 1)[:, np.newaxis] * place)
    return np.asarray(waves / np.linalg.norm(waves, axis=1, keepdims=True), np.float64)


def noise_level(trace: NDArray[np.floating]) -> float:
    """Return the standard deviation of white noise, whatever the calcium does.

    Parameters
    ----------
    trace : array, (n_frames,)
        Finite values.

    Returns
    -------
    float
        In the units of the trace, from the median absolute second difference: a decay is nearly
        straight from frame to frame, and onsets are rare. 0 for fewer than three frames.
    """
    if trace.size < MIN_FRAMES:
        return 0.0
    bend = np.diff(np.asarray(trace, np.float64), 2)
    return float(MAD_TO_SD * np.median(np.abs(bend)) / math.sqrt(6))


def coefficients_of(decay_frames: float, rise_frames: float) -> tuple[float, float]:
    """Return the autoregression with these time constants, in frames; a rise of 0 is order 1."""
    decay = math.exp(-1 / decay_frames)
    rise = math.exp(-1 / rise_frames) if rise_frames > 0 else 0.0
    return decay + rise, -decay * rise


def time_constants_of(coefficients: tuple[float, float]) -> tuple[float, float]:
    """Return decay and rise of an autoregression, in frames; NaN where there is no model."""
    first, second = coefficients
    if first <= 0:
        return math.nan, math.nan
    root = math.sqrt(max(0.0, first * first + 4 * second))
    decay, rise = (first + root) / 2, (first - root) / 2
    return -1 / math.log(decay), -1 / math.log(rise) if rise > 0 else 0.0


def fit_coefficients(
    trace: NDArray[np.floating],
    *,
    order: int,
    noise: float,
    decay_frames: float,
    basis: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """Choose the autoregression that explains a trace with the fewest spikes.

    Parameters
    ----------
    trace : array, (n_frames,)
        Calcium plus white noise; finite.
    order : int
        1 or 2.
    noise : float
        Standard deviation of the noise.
    decay_frames : float
        Expected decay time, in frames; the fitted one lies within a factor of `MAX_FACTOR`.
    basis : array, (n_courses, n_frames), optional
        Of the baseline, from `slow_basis`; without it, the baseline is constant.

    Returns
    -------
    tuple of float
        The two coefficients, stable and without oscillation; the second is 0 for order 1. Where
        nothing speaks for another decay it is the expected one.

    Notes
    -----
    The autocovariance, from which the papers take the coefficients, is far off for a few
    transients. Here the deconvolved trace is compared: each candidate at the penalty at which a
    spike is worth its price from `DETECTION_SIGMAS` times its standard error on. The decay is
    chosen with the most likely rise, then rise and decay, step by step, until neither is better.
    """
    values = np.ascontiguousarray(trace, np.float64)
    slow = _constant(values.size) if basis is None else basis

    @cache
    def cost(number: int, part: float) -> float:
        decay = decay_frames * FACTORS[number]
        return penalised(values, *coefficients_of(decay, decay * part), noise, slow)

    number = min(_NEAREST_FIRST, key=lambda number: cost(number, RISES[0] if order > 1 else 0.0))
    while True:
        part = min(RISES, key=lambda part: cost(number, part)) if order > 1 else 0.0
        beside = (number, max(number - 1, 0), min(number + 1, len(FACTORS) - 1))
        better = min(beside, key=lambda number: cost(number, part))
        if better == number:
            decay = decay_frames * FACTORS[number]
            return coefficients_of(decay, decay * part)
        number = better


def deconvolve(
    trace: NDArray[np.floating],
    *,
    coefficients: tuple[float, float],
    noise: float,
    basis: NDArray[np.float64] | None = None,
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
    basis : array, (n_courses, n_frames), optional
        Of the baseline, from `slow_basis`; without it, the baseline is constant.

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
    values = np.ascontiguousarray(trace, np.float64)
    basis = _constant(values.size) if basis is None else basis
    calcium, spikes, slow = constrained(values, first, second, noise, basis)
    return Deconvolved(
        calcium.astype(np.float32),
        spikes.astype(np.float32),
        slow.astype(np.float32),
        Fit(float(slow.mean()), noise, coefficients),
    )


def _constant(n_frames: int) -> NDArray[np.float64]:
    """Return the basis of a constant baseline."""
    return np.full((1, n_frames), 1 / math.sqrt(n_frames))
