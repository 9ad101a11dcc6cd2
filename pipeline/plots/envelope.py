"""How many points of a long trace a screen can show."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SCREEN_POINTS = 2400


def envelope_frames(trace: NDArray[Any], *, n_points: int = SCREEN_POINTS) -> NDArray[np.intp]:
    """Choose the frames that draw the same line on a screen as all frames do.

    Parameters
    ----------
    trace : array, (n_frames,)
        The values; among values of one pixel column, NaN is chosen before a number.
    n_points : int
        Most frames to choose.

    Returns
    -------
    array
        Frames in order of time: of every stretch that falls on one column of pixels the lowest
        and the highest; all frames where they are few.

    Examples
    --------
    >>> envelope_frames(np.array([0, 5, 1, 2, -3, 0]), n_points=4)
    array([0, 1, 3, 4])
    """
    if len(trace) <= n_points:
        return np.arange(len(trace))
    length = -(-2 * len(trace) // n_points)
    starts = np.arange(0, len(trace), length)
    padded = np.pad(trace, (0, len(starts) * length - len(trace)), mode="edge")
    columns = padded.reshape(len(starts), length)
    frames = starts + np.stack([columns.argmin(axis=1), columns.argmax(axis=1)])
    return np.unique(np.minimum(frames, len(trace) - 1))
