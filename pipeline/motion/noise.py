"""How much of what is found is noise: two halves of the pixels of a frame tell."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import Progress, map_blocks
from pipeline.motion.contrast import as_planes
from pipeline.motion.registration import MOST_PART, Registration
from pipeline.movie import Movie

AROUND = np.array([(0, 1, 0), (1, 0, 1), (0, 1, 0)], np.float32) / 4
"""Means over the four pixels beside each."""

MEDIAN_TO_SIGMA = 1.4826
N_FRAMES = 20
"""Frames in which the noise is measured."""

QUIET_PX, NOISY_PX = 0.06, 0.16
"""Error of a patch at which its neighbours begin to count, and at which they count most."""


def neighbour_part(
    movie: Movie, registration: Registration, *, threads: int, progress: Progress
) -> float:
    """Return how much the neighbours of a patch should count when its shift is looked for.

    With them, the noise of a shift is smaller, and a field that bends is found less bent: so they
    count the more, the noisier the shifts of patches alone are.

    Parameters
    ----------
    movie : Movie
        Evenly spaced frames of it are read, 20 at most.
    registration : Registration
        In which patches count alone.
    threads : int
        Frames worked on at once.
    progress : callable
        Called after each frame; may raise to cancel.
    """

    def error_px(_: slice, frames: NDArray[Any]) -> float:
        first, second = registration.locate(np.stack(halves(as_planes(frames)[0]))).patches_px
        # each half has twice the variance of all pixels, and their difference twice that of each
        return float(np.median(np.abs(first - second)[..., 1:])) * MEDIAN_TO_SIGMA / 2

    n_frames = min(N_FRAMES, movie.n_frames)
    choice = np.linspace(0, movie.n_frames - 1, n_frames).round().astype(int).tolist()
    blocks = [slice(frame, frame + 1) for frame in choice]
    phase = "measuring the noise of patches"
    errors = list(
        map_blocks(error_px, movie, blocks, threads=threads, phase=phase, progress=progress)
    )
    error = float(np.median(errors))
    return MOST_PART * float(np.clip((error - QUIET_PX) / (NOISY_PX - QUIET_PX), 0, 1))


def halves(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return a frame twice, with every second pixel, as on a chessboard, or with the others.

    What is left out is the mean of its four neighbours, none of which is left out.
    """
    around = np.stack([cv2.filter2D(plane, -1, AROUND) for plane in images])
    rows, cols = np.indices(images.shape[1:])
    is_white = (rows + cols) % 2 == 0
    return [np.where(is_kept, images, around) for is_kept in (is_white, ~is_white)]
