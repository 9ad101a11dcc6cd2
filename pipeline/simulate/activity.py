"""What the simulated cells and the neuropil do in time."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from pipeline.simulate.params import TwoPhotonParams

MIN_BURSTS = 2
SPIKE_INTERVAL_S = 0.03


def draw_spikes(params: TwoPhotonParams, rng: np.random.Generator) -> NDArray[np.int16]:
    """Draw the number of spikes in each frame, ``(n_cells, n_frames)``.

    Bursts come at random; the rate of a cell is gamma distributed around the mean.
    """
    duration_s = params.n_frames / params.rate_hz
    spikes = np.zeros((params.n_cells, params.n_frames), np.int16)
    for train in spikes:
        rate_hz = params.burst_rate_hz * rng.gamma(4, 1 / 4)
        n_bursts = max(MIN_BURSTS, rng.poisson(rate_hz * duration_s))
        for start_s in rng.uniform(0, duration_s, n_bursts):
            n_spikes = 1 + rng.poisson(params.spikes_per_burst - 1)
            times_s = start_s + np.cumsum(rng.exponential(SPIKE_INTERVAL_S, n_spikes))
            frames = np.floor(times_s * params.rate_hz).astype(int)
            np.add.at(train, np.minimum(frames, params.n_frames - 1), 1)
    return spikes


def calcium(
    spikes: NDArray[np.integer], *, rate_hz: float, decay_time_s: float, rise_time_s: float
) -> NDArray[np.float64]:
    """Turn spikes into calcium: a difference of two exponentials, peak 1 for one spike.

    Parameters
    ----------
    spikes : array, (n_cells, n_frames)
        Number of spikes in each frame.
    rate_hz : float
        Frames per second.
    decay_time_s, rise_time_s : float
        Time constants; a rise of 0 makes it one exponential.

    Returns
    -------
    array, (n_cells, n_frames)
        An autoregressive process of order 2 (order 1 without rise), driven by the spikes.
    """
    decay = np.exp(-1 / (decay_time_s * rate_hz))
    rise = np.exp(-1 / (rise_time_s * rate_hz)) if rise_time_s else 0.0
    recursion = [1.0, -(decay + rise), decay * rise]
    n_frames = int(np.ceil(5 * (decay_time_s + rise_time_s) * rate_hz)) + 1
    peak = lfilter([1.0], recursion, np.eye(1, n_frames)).max()
    return np.asarray(lfilter([1 / peak], recursion, spikes.astype(float), axis=-1))


def bleaching(params: TwoPhotonParams) -> NDArray[np.float64]:
    """Return the fluorescence that is left at each frame, 1 at the first."""
    left_at_end = 1 - params.bleached_fraction
    return np.asarray(left_at_end ** np.linspace(0, 1, params.n_frames))


def draw_fluorescence(
    params: TwoPhotonParams, spikes: NDArray[np.int16], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the photons of each cell before bleaching, ``(n_cells, n_frames)``."""
    at_rest = params.cell_photons * rng.lognormal(-0.06, 0.35, (params.n_cells, 1))
    per_spike = params.dff_per_spike * rng.lognormal(-0.03, 0.25, (params.n_cells, 1))
    transients = calcium(
        spikes,
        rate_hz=params.rate_hz,
        decay_time_s=params.decay_time_s,
        rise_time_s=params.rise_time_s,
    )
    return at_rest * (1 + per_spike * transients)


def slow_noise(
    shape: tuple[int, ...], *, time_s: float, rate_hz: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw noise of standard deviation near 1 that varies over ``time_s`` along the first axis."""
    sigma_frames = max(time_s * rate_hz, 0.3)
    smooth = gaussian_filter1d(rng.normal(size=shape), sigma_frames, axis=0)
    return np.asarray(smooth * np.sqrt(2 * np.sqrt(np.pi) * sigma_frames))
