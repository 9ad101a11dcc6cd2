"""OASIS: calcium from a trace by pooling adjacent frames, compiled.

References
----------
Friedrich, Zhou and Paninski (2017), doi:10.1371/journal.pcbi.1005423.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

SEARCH_STEPS = 12
TOLERANCE = 0.002
"""The search of the penalty ends where the residual differs by less from the noise, relatively."""

BASELINE_STEPS = 3
"""The baseline follows the first penalty before the residual is judged: both depend on each other.
"""

FOLLOWING_STEPS = 2
"""How often it follows the next, which differs less."""

DETECTION_SIGMAS = 3.0
"""Height of a spike, in its standard errors, from which on it is worth its price."""


@njit(nogil=True, cache=True)
def penalised(
    trace: NDArray[np.float64],
    first: float,
    second: float,
    noise: float,
    basis: NDArray[np.float64],
) -> float:
    """Return half the squared residual plus the price of the spikes."""
    power, now, before = 0.0, 1.0, 0.0  # of the response to one spike
    for _ in range(trace.size):
        power += now * now
        now, before = first * now + second * before, now
    penalty = DETECTION_SIGMAS * noise * np.sqrt(power)
    baseline = np.full(trace.size, np.median(trace))
    calcium = trace
    for _ in range(BASELINE_STEPS):
        calcium = oasis(trace - baseline, first, second, penalty)
        baseline = _slow(trace - calcium, basis)
    residual = ((trace - calcium - baseline) ** 2).sum()
    return float(residual / 2 + penalty * spikes_of(calcium, first, second).sum())


@njit(nogil=True, cache=True)
def constrained(
    trace: NDArray[np.float64],
    first: float,
    second: float,
    noise: float,
    basis: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return calcium, spikes and baseline for the penalty that leaves the noise as residual."""
    allowed = noise * noise * trace.size
    baseline = np.full(trace.size, np.median(trace))
    low, high, penalty = 0.0, -1.0, noise / (1 - first - second) / 2
    below, above = -allowed, 0.0  # by how much the residual misses at both
    calcium = np.zeros_like(trace)
    for step in range(SEARCH_STEPS):
        for _ in range(BASELINE_STEPS if step == 0 else FOLLOWING_STEPS):
            calcium = oasis(trace - baseline, first, second, penalty)
            baseline = _slow(trace - calcium, basis)
        excess = ((trace - calcium - baseline) ** 2).sum() - allowed
        if abs(excess) <= TOLERANCE * allowed:
            break
        if excess < 0:
            low, below = penalty, excess
            above /= 2  # an end that stays weighs less and less, or the other would creep
        else:
            high, above = penalty, excess
            below /= 2
        penalty = low + (high - low) * below / (below - above) if high >= 0 else 2 * penalty
    return calcium, spikes_of(calcium, first, second), baseline


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _slow(trace: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of a trace that an orthonormal basis can make."""
    slow = np.zeros_like(trace)
    for course in basis:
        weight = 0.0
        for frame in range(trace.size):
            weight += course[frame] * trace[frame]
        for frame in range(trace.size):
            slow[frame] += weight * course[frame]
    return slow


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
    power = np.empty(n_frames + 1)
    power[0] = 1.0
    for lag in range(n_frames):
        power[lag + 1] = decay * power[lag]
    last = -1
    for frame in range(n_frames):
        last += 1
        value[last], weight[last], start[last] = target[frame], 1.0, frame
        while last > 0:
            factor = power[start[last] - start[last - 1]]
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
