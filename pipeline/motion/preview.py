"""What a person looks at to judge a motion correction: images, a short video, a crop."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    map_blocks,
    no_progress,
)
from pipeline.motion.crop import Crop, find_crop
from pipeline.movie import Movie
from pipeline.projections import Projections, project

VIDEO_FRAMES = 60
"""Frames of the video, at most."""

VIDEO_PX = 256
"""Length of the longer side of either half of the video, at most."""

VIDEO_RATE_HZ = 12.0
MEAN_FRAMES = 3
"""Recorded frames in one of the video: fewer show noise, more hide what moves."""

CONTRAST = (1, 99.7)
"""Percentiles of the pixels before the correction that are drawn black and white."""

GAP_PX = 4
WHITE = 255
QUALITY = 40
"""Of the compressed video, 0 to 100."""

Frames = NDArray[np.float32]


class MotionPreview(NamedTuple):
    """What shows how good a corrected movie is."""

    projections: Projections
    """Images of the corrected movie."""

    video: bytes
    """An animated WebP: some frames as recorded, and beside them the same ones corrected."""

    crop: Crop | None
    """The part of the corrected movie that has content; None: no object stands out."""


def preview_motion(
    recorded: Movie,
    corrected: Movie,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> MotionPreview:
    """Make what a person looks at to judge a motion correction.

    Parameters
    ----------
    recorded, corrected : Movie
        The movie before and after, of one shape.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for the projections; the video keeps 60 small frames.
    progress : callable
        Called after each block; may raise to cancel.

    Returns
    -------
    MotionPreview
        Mean, maximum and deviation of the corrected movie, the video, and the crop that
        `pipeline.motion.crop.find_crop` finds in the deviation.

    Raises
    ------
    ValueError
        If the two movies differ in shape.
    """
    if recorded.shape != corrected.shape:
        raise ValueError(
            f"{recorded.name} has the shape {recorded.shape}, its correction {corrected.shape}; "
            "they cannot be compared frame by frame."
        )
    projections = project(corrected, threads=threads, memory_bytes=memory_bytes, progress=progress)
    halves = [_small_frames(movie, threads, progress) for movie in (recorded, corrected)]
    return MotionPreview(projections, _video(*halves), _crop(projections.std))


def _small_frames(movie: Movie, threads: int, progress: Progress) -> Frames:
    """Return frames spread over a movie, ``(n, n_small_rows, n_small_cols)``, in its mid plane."""
    n_mean = min(MEAN_FRAMES, movie.n_frames)
    n_shown = min(VIDEO_FRAMES, movie.n_frames // n_mean)
    firsts = np.linspace(0, movie.n_frames - n_mean, n_shown).round().astype(int).tolist()
    blocks = [slice(first, first + n_mean) for first in firsts]

    def shrink(_: slice, block: NDArray[Any]) -> Frames:
        plane = block[:, block.shape[1] // 2] if movie.is_volume else block
        mean = plane.mean(axis=0, dtype=np.float64).astype(np.float32)
        return np.asarray(
            cv2.resize(mean, _small_size(mean.shape), interpolation=cv2.INTER_AREA), np.float32
        )

    found = map_blocks(shrink, movie, blocks, threads=threads, phase="video", progress=progress)
    return np.stack(list(found))


def _small_size(shape: Sequence[int]) -> tuple[int, int]:
    """Return columns and rows of a frame that is small enough."""
    scale = min(1.0, VIDEO_PX / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _video(before: Frames, after: Frames) -> bytes:
    """Draw frames side by side, in the greys of those before."""
    finite = before[np.isfinite(before)]
    low, high = map(float, np.percentile(finite, CONTRAST)) if finite.size else (0.0, 1.0)
    gap = np.full((before.shape[1], GAP_PX), high, np.float32)
    first, *others = (
        Image.fromarray(_grey(np.concatenate([left, gap, right], axis=1), low, high))
        for left, right in zip(before, after, strict=True)
    )
    file = BytesIO()
    first.save(
        file,
        format="WEBP",
        save_all=True,
        append_images=others,
        duration=round(1000 / VIDEO_RATE_HZ),
        loop=0,
        quality=QUALITY,
    )
    return file.getvalue()


def _grey(image: Frames, low: float, high: float) -> NDArray[np.uint8]:
    """Return an image in shades of grey; NaN is black."""
    scaled = np.clip((image - low) / ((high - low) or 1.0), 0, 1)
    return np.asarray((WHITE * np.nan_to_num(scaled)).round(), np.uint8)


def _crop(image: Frames) -> Crop | None:
    """Return the part with content; None: there is none that stands out."""
    try:
        return find_crop(image)
    except ValueError:
        return None
