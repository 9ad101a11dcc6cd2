"""What a few frames tell of a movie, however long it is.

The movie may be one that is worked out when it is asked for; the frames that are looked at lie in a
temporary file where they are many.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.blocks import frame_blocks, map_items
from pipeline.movie import FrameSource
from pipeline.scratch import portions, put_aside, scratch_array, some_rows

MAD_TO_SD = 1.4826
MAX_SAMPLES = 400
"""Frames from which a median is taken; more make it slower, not better."""

STRIP_PX = 2048
"""Pixels whose medians are taken at once."""


class Sample(NamedTuple):
    """Frames that are spread evenly over a movie, and the frame after each."""

    first: NDArray[np.float32]
    """``(n_samples, n_pixels)``."""

    following: NDArray[np.float32]
    """``(n_samples, n_pixels)``, or one fewer where the movie ends."""


def sampled(movie: FrameSource) -> Sample:
    """Read frames that are spread over a movie, all of a short one.

    Parameters
    ----------
    movie : FrameSource
        ``(n_frames, …)``.

    Returns
    -------
    Sample
        At most `MAX_SAMPLES` pairs of frames, or one frame more.
    """
    step = max(1, -(-(movie.shape[0] - 1) // MAX_SAMPLES))
    first = _every(movie, step, start=0)
    return Sample(first, first[1:] if step == 1 else _every(movie, step, start=1))


def medians(frames: NDArray[np.float32], *, threads: int = 1) -> NDArray[np.float32]:
    """Return the median of each pixel over frames ``(n_frames, n_pixels)``.

    Parameters
    ----------
    frames : array, (n_frames, n_pixels)
        At least one.
    threads : int
        Parts of the image worked on at once.
    """
    return _by_strips(lambda strip: frames[:, strip], frames, threads)


def noise_of(movie: FrameSource) -> NDArray[np.float32]:
    """Return the standard deviation of the noise of each pixel, from differences in time.

    Parameters
    ----------
    movie : FrameSource
        ``(n_frames, …)``, finite.

    Returns
    -------
    array, (n_pixels,)
        From the median absolute difference; 0 for a single frame.
    """
    return noise_in(sampled(movie))


def noise_in(sample: Sample, *, threads: int = 1) -> NDArray[np.float32]:
    """Return the same from frames that were read.

    Parameters
    ----------
    sample : Sample
        Of a movie.
    threads : int
        Parts of the image worked on at once.
    """
    first, following = sample
    if not len(following):
        return np.zeros(first.shape[1], np.float32)
    first = first[: len(following)]
    steps = _by_strips(lambda strip: np.abs(following[:, strip] - first[:, strip]), first, threads)
    return steps * np.float32(MAD_TO_SD / np.sqrt(2))


def few_frames(movie: FrameSource) -> list[slice]:
    """Cut a movie into blocks of few frames, whose size depends on nothing but that of a frame."""
    parts = portions(range(movie.shape[0]), n_frames=int(np.prod(movie.shape[1:])))
    return [slice(part[0], part[-1] + 1) for part in parts]


def _every(movie: FrameSource, step: int, *, start: int) -> NDArray[np.float32]:
    """Return every so many frames of a movie, ``(n_samples, n_pixels)``."""
    numbers = range(start, movie.shape[0], step)
    frames = scratch_array((len(numbers), int(np.prod(movie.shape[1:]))))
    for rows in some_rows(frames):
        some = numbers[rows]
        part = movie[slice(some.start, some.stop, step)]
        frames[rows] = part.reshape(len(some), -1)
    return frames


def _by_strips(
    values: Callable[[slice], NDArray[np.float32]], frames: NDArray[np.float32], threads: int
) -> NDArray[np.float32]:
    """Return the medians over time of what is made of strips of frames, ``(n_pixels,)``."""
    out = np.empty(frames.shape[1], np.float32)

    def fill(strip: slice) -> None:
        out[strip] = _medians(np.ascontiguousarray(values(strip)))
        put_aside(frames)

    strips = frame_blocks(frames.shape[1], frame_bytes=1, memory_bytes=STRIP_PX)
    map_items(fill, strips, threads=threads)
    return out


@njit(nogil=True, cache=True)
def _medians(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each pixel over time."""
    out = np.empty(frames.shape[1], np.float32)
    for pixel in range(frames.shape[1]):
        out[pixel] = np.median(frames[:, pixel].copy())
    return out
