"""Whether a trace rises faster than it falls, as calcium does and background does not."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from pipeline.scratch import some_rows

SMOOTHED_DECAYS = 0.4
STEP_DECAYS = 0.5
"""Lengths of the smoothing and of the steps, in decay times."""

MIN_RELATIVE_STEP = 1e-6


def trace_asymmetry(traces: NDArray[np.floating], *, decay_frames: float) -> NDArray[np.float32]:
    """Return the skewness of the steps that traces take.

    Parameters
    ----------
    traces : array, (n_rois, n_frames)
        Raw traces; finite.
    decay_frames : float
        Time in which a transient decays to 1/e, in frames.

    Returns
    -------
    array, (n_rois,)
        Near 0 for what goes up as it comes down, such as background and noise; larger the fewer
        and steeper the rises are. 0 for a constant or very short trace.
    """
    window = max(1, round(SMOOTHED_DECAYS * decay_frames))
    lag = max(1, round(STEP_DECAYS * decay_frames))
    if not len(traces) or traces.shape[1] <= lag:
        return np.zeros(len(traces), np.float32)
    found = np.empty(len(traces), np.float32)
    for rows in some_rows(traces):
        found[rows] = _skewness_of_steps(traces[rows], window, lag)
    return found


def _skewness_of_steps(traces: NDArray[np.floating], window: int, lag: int) -> NDArray[np.float64]:
    """Return the skewness of what smoothed traces change in some frames, ``(n_rois,)``."""
    smooth = uniform_filter1d(np.asarray(traces, np.float64), window, axis=1, mode="nearest")
    steps = smooth[:, lag:] - smooth[:, :-lag]
    steps -= steps.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(steps).mean(axis=1))
    varies = spread > MIN_RELATIVE_STEP * np.abs(smooth).max(axis=1)
    third = (steps**3).mean(axis=1)
    return np.asarray(np.divide(third, spread**3, out=np.zeros(len(traces)), where=varies))
