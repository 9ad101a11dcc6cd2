"""What a person looks at to judge a motion correction: images, a short video, a crop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    map_blocks,
    no_progress,
)
from pipeline.motion.crop import Crop, find_crop
from pipeline.movie import FrameSource, Movie
from pipeline.projections import Projections, project

VIDEO_FRAMES = 60
"""Frames of the video, at most."""

VIDEO_PX = 256
"""Length of the longer side of either half of the video, at most."""

VIDEO_PLANES = 12
"""Planes of a volume that the video shows, at most."""

FULL_SIZE_PLANES = 4
"""Planes that are shown as large as a single one; more are smaller, and take as much in all."""

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
    """An animated WebP: some frames as recorded, and beside them the same ones corrected; of a
    volume, one plane after the other, as `video_planes` and `video_starts` say."""

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
        The movie before and after. The latter may be smaller, where edges were cut off on both
        sides alike; then only what is left is compared.
    threads : int
        Blocks worked on at once; the result has the same bits for any number.
    memory_bytes : int
        Memory for the projections; the video keeps 60 small frames (of a volume, more of them and
        smaller).
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
        If the two movies cannot be compared frame by frame.
    """
    inner = replace(recorded, source=_cut(recorded, corrected))
    projections = project(corrected, threads=threads, memory_bytes=memory_bytes, progress=progress)
    halves = [_small_frames(movie, threads, progress) for movie in (inner, corrected)]
    return MotionPreview(projections, _video(*halves), _crop(projections.std))


def video_starts(n_frames: int) -> list[int]:
    """Return the first frame of the movie in each frame of the video, spread over the movie.

    Examples
    --------
    >>> video_starts(5)
    [2]
    >>> video_starts(9)
    [0, 3, 6]
    """
    n_mean = min(MEAN_FRAMES, n_frames)
    n_shown = min(VIDEO_FRAMES, n_frames // n_mean)
    if n_shown == 1:
        return [round((n_frames - n_mean + 1) / 2)]
    found: list[int] = np.linspace(0, n_frames - n_mean, n_shown).round().astype(int).tolist()
    return found


def video_planes(n_planes: int) -> list[int]:
    """Return the planes of a volume that the video shows, spread over all.

    Examples
    --------
    >>> video_planes(3)
    [0, 1, 2]
    >>> len(video_planes(100))
    12
    """
    n_shown = min(VIDEO_PLANES, n_planes)
    found: list[int] = np.linspace(0, n_planes - 1, n_shown).round().astype(int).tolist()
    return found


def video_frames(video: bytes) -> NDArray[np.uint8]:
    """Return the frames of a video in shades of grey, ``(n_frames, n_rows, n_cols)``.

    Parameters
    ----------
    video : bytes
        An animated WebP.
    """
    with Image.open(BytesIO(video)) as image:
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
    return np.stack(frames)


@dataclass(frozen=True)
class _Inner:
    """A `FrameSource` of the middle of another."""

    source: FrameSource
    """What is read from."""

    slices: tuple[slice, ...]
    """What of a frame is kept."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames, [n_planes,] n_rows, n_cols)`` of what is kept."""
        return (self.source.shape[0], *(part.stop - part.start for part in self.slices))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(self.source.dtype)

    def __getitem__(self, frames: Any) -> NDArray[Any]:
        block = np.asarray(self.source[frames])
        inner: NDArray[Any] = block[(..., *self.slices)]  # type: ignore[arg-type]
        return inner


def _cut(recorded: Movie, corrected: Movie) -> FrameSource:
    """Return the part of the recorded movie that the corrected one shows."""
    if len(recorded.shape) == len(corrected.shape):
        lost = np.subtract(recorded.shape, corrected.shape)
        if not lost.any():
            return recorded.source
        if lost[0] == 0 and (lost >= 0).all() and not (lost % 2).any():
            starts = (lost[1:] // 2).tolist()
            return _Inner(
                recorded.source,
                tuple(
                    slice(start, start + length)
                    for start, length in zip(starts, corrected.frame_shape, strict=True)
                ),
            )
    raise ValueError(
        f"{recorded.name} has the shape {recorded.shape}, its correction {corrected.shape}; "
        "they cannot be compared frame by frame."
    )


def _small_frames(movie: Movie, threads: int, progress: Progress) -> Frames:
    """Return frames spread over a movie, ``(n_planes, n, n_small_rows, n_small_cols)``."""
    n_mean = min(MEAN_FRAMES, movie.n_frames)
    blocks = [slice(start, start + n_mean) for start in video_starts(movie.n_frames)]
    planes = video_planes(movie.shape[1]) if movie.is_volume else [0]
    size = _small_size(movie.shape[-2:], len(planes))

    def shrink(_: slice, block: NDArray[Any]) -> Frames:
        volumes = block if movie.is_volume else block[:, np.newaxis]
        mean = volumes[:, planes].mean(axis=0, dtype=np.float64).astype(np.float32)
        small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in mean]
        return np.asarray(small, np.float32)

    found = map_blocks(shrink, movie, blocks, threads=threads, phase="video", progress=progress)
    return np.stack(list(found), axis=1)


def _small_size(shape: Sequence[int], n_planes: int) -> tuple[int, int]:
    """Return columns and rows of a frame that is small enough."""
    room_px = VIDEO_PX * min(1.0, (FULL_SIZE_PLANES / n_planes) ** 0.5)
    scale = min(1.0, room_px / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _video(before: Frames, after: Frames) -> bytes:
    """Draw frames side by side, each plane in the greys of what it was before."""
    pairs = zip(before, after, strict=True)
    first, *others = chain.from_iterable(_drawn(left, right) for left, right in pairs)
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


def _drawn(before: Frames, after: Frames) -> Iterator[Image.Image]:
    """Yield the pictures of one plane."""
    finite = before[np.isfinite(before)]
    low, high = map(float, np.percentile(finite, CONTRAST)) if finite.size else (0.0, 1.0)
    gap = np.full((before.shape[1], GAP_PX), high, np.float32)
    for left, right in zip(before, after, strict=True):
        yield Image.fromarray(_grey(np.concatenate([left, gap, right], axis=1), low, high))


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
