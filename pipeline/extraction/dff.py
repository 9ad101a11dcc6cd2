"""dF/F with a running baseline."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, percentile_filter

from pipeline.scratch import put_aside, scratch_array

N_LEVELS = 1000
SPREAD_OF_QUARTILES = 1.34


class Dff(NamedTuple):
    """Relative fluorescence and how its baseline was taken."""

    dff: NDArray[np.float32]
    """``(n_rois, n_frames)``; NaN where the baseline is not above 0."""

    percentile: NDArray[np.float32]
    """Percentile of the running baseline, ``(n_rois,)``."""

    window_frames: int
    """Length of the running window."""


def delta_f_over_f(
    signal: NDArray[np.floating],
    background: NDArray[np.floating],
    *,
    window_frames: int,
    percentile: float | None,
) -> Dff:
    """Return the signal above its running percentile, relative to the baseline.

    The baseline is the running percentile of the signal plus that of the background.

    Parameters
    ----------
    signal : array, (n_rois, n_frames)
        Fluorescence of the cells alone; finite.
    background : array, (n_rois, n_frames)
        Fluorescence of the background under each of them; finite.
    window_frames : int
        Length of the running window; a movie that is shorter is one window.
    percentile : float or None
        0 to 100; None takes the percentile at which the mode of each signal lies.

    Returns
    -------
    Dff
        Relative fluorescence, NaN where the baseline is not above 0.
    """
    n_frames = signal.shape[1]
    window = min(window_frames, n_frames)
    percentiles = np.array(
        [mode_percentile(trace) if percentile is None else percentile for trace in signal],
        np.float32,
    )
    dff = scratch_array(signal.shape)
    for roi, level in enumerate(percentiles):
        put_aside(dff, signal, background)
        at_rest = running_percentile(signal[roi], window, float(level))
        baseline = at_rest + running_percentile(background[roi], window, float(level))
        above = signal[roi] - at_rest
        dff[roi] = np.divide(above, baseline, out=np.full(n_frames, np.nan), where=baseline > 0)
    return Dff(dff, percentiles, window)


def mode_percentile(trace: NDArray[np.floating]) -> float:
    """Return the percentile at which the most frequent value of a trace lies, 50 if constant."""
    values = np.asarray(trace, np.float64)
    if np.ptp(values) <= 1e-6 * np.abs(values).max():
        return 50.0
    low, high = np.percentile(values, (25, 75))
    # Silverman's rule: transients widen the standard deviation, the quartiles hardly
    width = min(values.std(), (high - low) / SPREAD_OF_QUARTILES or np.inf)
    width *= 0.9 * values.size**-0.2
    count, edges = np.histogram(values, N_LEVELS)
    density = gaussian_filter1d(count.astype(float), width / (edges[1] - edges[0]), mode="constant")
    mode = edges[density.argmax() : density.argmax() + 2].mean()
    return float(100 * np.mean(values <= mode))


def running_percentile(
    trace: NDArray[np.floating], window: int, percentile: float
) -> NDArray[np.float64]:
    """Return the running percentile; a window that reaches beyond the ends mirrors the trace.

    Parameters
    ----------
    trace : array, (n_frames,)
        Finite.
    window : int
        Length of the window, in frames; where the trace is shorter, one window is all of it.
    percentile : float
        0 to 100.
    """
    values = np.asarray(trace, np.float64)
    if window >= values.size:
        return np.full(values.size, np.percentile(values, percentile))
    return np.asarray(percentile_filter(values, percentile, size=window, mode="reflect"))
