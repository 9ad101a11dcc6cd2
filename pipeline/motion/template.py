"""The image to which all frames are registered."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import Progress, map_blocks
from pipeline.motion.params import MotionParams
from pipeline.motion.quality import correlation
from pipeline.motion.registration import Registration, as_planes, prepare_registration
from pipeline.motion.resample import resample
from pipeline.movie import Movie

N_SAMPLED_FRAMES = 200
ALIKE_FRACTION = 0.2
"""Part of the sampled frames that the template starts from: those most like each other."""

THUMBNAIL_PX = 128


class WeightedFrame(NamedTuple):
    """A registered frame, NaN where nothing is known, and how much it counts."""

    images: NDArray[np.float32]
    """``(n_planes, n_rows, n_cols)``."""

    weight: float
    """0 for a frame that is not like the template."""


def build_template(
    movie: Movie, params: MotionParams, *, threads: int, progress: Progress
) -> NDArray[np.float32]:
    """Average frames that show the same, registered to each other.

    The template starts from the mean of the frames that are most alike as they are: a mean over
    all would be a blur, or a double image. Then frames of the whole movie are registered to it
    and averaged, with the square of their correlation as weight; the first time rigidly, later in
    the mode of the settings.

    Parameters
    ----------
    movie : Movie
        Evenly spaced frames of it are read, 200 at most.
    params : MotionParams
        The settings.
    threads : int
        Frames worked on at once.
    progress : callable
        Called after each frame; may raise to cancel.

    Returns
    -------
    array, (n_planes, n_rows, n_cols)
        The template; the median shift of the sampled frames to it need not be zero.
    """
    n_sampled = min(movie.n_frames, N_SAMPLED_FRAMES)
    sampled = np.linspace(0, movie.n_frames - 1, n_sampled).round().astype(int)
    read = partial(map_blocks, movie=movie, threads=threads, progress=progress)
    thumbnails = list(read(_thumbnail, blocks=_single(sampled), phase="looking for still frames"))
    alike = sampled[_most_alike(np.stack(thumbnails))]
    template = _average(read(_unmoved, blocks=_single(alike), phase="first template"))
    for iteration in range(params.iterations):
        mode = params.mode if iteration else "rigid"
        registration = prepare_registration(template, replace(params, mode=mode))
        registered = read(
            partial(_registered, registration=registration),
            blocks=_single(sampled),
            phase=f"template {iteration + 1} of {params.iterations}",
        )
        template = _average(registered, otherwise=template)
    return template


def _single(frames: NDArray[np.int64]) -> list[slice]:
    """Return blocks of one frame."""
    return [slice(int(frame), int(frame) + 1) for frame in frames]


def _thumbnail(_: slice, frames: NDArray[Any]) -> NDArray[np.float32]:
    """Return the structure of a frame, small, of mean 0 and norm 1; zero if it has none."""
    planes = as_planes(frames[0])
    image = np.where(np.isfinite(planes), planes, np.float32(0)).mean(axis=0)
    scale = min(1.0, THUMBNAIL_PX / max(image.shape))
    size = [max(1, round(length * scale)) for length in reversed(image.shape)]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = small - cv2.GaussianBlur(small, (0, 0), THUMBNAIL_PX / 16)
    small -= small.mean()
    norm = np.linalg.norm(small)
    return np.asarray(small.ravel() / norm if norm else small.ravel())


def _most_alike(thumbnails: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the group of frames in which each is most like a frame in the middle, in order."""
    n_group = max(1, round(ALIKE_FRACTION * len(thumbnails)))
    likeness = thumbnails @ thumbnails.T
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :n_group]
    middle = np.take_along_axis(likeness, order, axis=1).sum(axis=1).argmax()
    return np.sort(order[middle])


def _unmoved(_: slice, frames: NDArray[Any]) -> WeightedFrame:
    """Take a frame as it is."""
    return WeightedFrame(as_planes(frames[0]), 1.0)


def _registered(_: slice, frames: NDArray[Any], *, registration: Registration) -> WeightedFrame:
    """Register a frame and weigh it."""
    frame = as_planes(frames[0])
    displacement_px = registration.displacement_px(registration.locate(frame))
    images = resample(frame, displacement_px, border="nan")
    return WeightedFrame(images, max(correlation(images, registration.template), 0.0) ** 2)


def _average(
    frames: Iterator[WeightedFrame], otherwise: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Average what is known of each pixel; where nothing is, take another image, or the mean."""
    total: Any = 0.0
    weight: Any = 0.0
    for images, frame_weight in frames:
        known = np.isfinite(images)
        total = total + frame_weight * np.where(known, images, 0).astype(np.float64)
        weight = weight + frame_weight * known
    seen = weight > 0
    fill = (total.sum() / weight.sum() if seen.any() else 0.0) if otherwise is None else otherwise
    average = np.divide(total, weight, where=seen, out=np.zeros_like(total))
    return np.asarray(np.where(seen, average, fill), np.float32)
