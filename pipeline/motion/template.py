"""The image to which all frames are registered."""

from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import Progress, frame_blocks, map_blocks
from pipeline.motion.contrast import as_planes
from pipeline.motion.memory import GROUP_FRAMES, n_sampled_frames
from pipeline.motion.params import MotionParams
from pipeline.motion.registration import Registration, prepare_registration
from pipeline.motion.resample import resample
from pipeline.motion.similarity import RunningMean, correlation, mean_of_nothing
from pipeline.movie import Movie

ALIKE_FRACTION = 0.2
"""Part of the sampled frames that the template starts from: those most like each other."""

THUMBNAIL_PX = 64


def build_template(
    movie: Movie, params: MotionParams, *, threads: int, progress: Progress
) -> NDArray[np.float32]:
    """Average frames that show the same, registered to each other.

    The template starts from the mean of the frames that are most alike as they are: a mean over
    all would be a blur, or a double image. Then frames of the whole movie are registered to it
    and averaged at the median of their places, with the square of their correlation as weight; the
    first time rigidly, later in the mode of the settings.

    Parameters
    ----------
    movie : Movie
        Evenly spaced frames of it are read and kept, 80 at most.
    params : MotionParams
        The settings.
    threads : int
        Groups of frames worked on at once.
    progress : callable
        Called after each group; may raise to cancel.

    Returns
    -------
    array, (n_planes, n_rows, n_cols)
        The template; the median shift of the sampled frames to it is near zero, in each patch.
    """
    work = partial(map_blocks, threads=threads, progress=progress)
    sampled_frames = np.linspace(0, movie.n_frames - 1, n_sampled_frames(movie)).round()
    choice = [slice(int(frame), int(frame) + 1) for frame in sampled_frames]
    read = list(work(_copied, movie, choice, phase="reading frames for the template"))
    sampled = replace(movie, source=np.concatenate(read))
    groups = frame_blocks(len(sampled), frame_bytes=1, memory_bytes=GROUP_FRAMES)
    thumbnails = np.concatenate(
        list(work(_thumbnails, sampled, groups, phase="looking for still frames"))
    )
    alike = as_planes(sampled.source[_most_alike(thumbnails)])
    template = _completed([_plain_mean(alike)])
    for iteration in range(params.iterations):
        mode = params.mode if iteration else "rigid"
        registration = prepare_registration(template, replace(params, mode=mode))
        step = partial(work, movie=sampled, blocks=groups)
        phase = f"template {iteration + 1} of {params.iterations}"
        found = step(partial(_located, registration=registration), phase=f"{phase}: shifts")
        shifts = np.concatenate(list(found))
        average = partial(
            _summed,
            registration=registration,
            shifts_px=np.nan_to_num(shifts),
            center_px=_median_shift(shifts),
        )
        template = _completed(list(step(average, phase=f"{phase}: mean")), otherwise=template)
    return template


def _copied(_: slice, frames: NDArray[Any]) -> NDArray[Any]:
    """Keep frames."""
    return frames.copy()


def _thumbnails(_: slice, frames: NDArray[Any]) -> NDArray[np.float32]:
    """Return the structure of frames, small, of mean 0 and norm 1; zero if they have none."""
    return np.stack([_thumbnail(frame) for frame in as_planes(frames)])


def _thumbnail(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the structure of a frame."""
    known = np.where(np.isfinite(planes), planes, np.float32(0))
    scale = min(1.0, THUMBNAIL_PX / max(planes.shape[1:]))
    size = [max(1, round(length * scale)) for length in reversed(planes.shape[1:])]
    small = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in known])
    small -= np.stack([cv2.GaussianBlur(plane, (0, 0), THUMBNAIL_PX / 16) for plane in small])
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


def _located(_: slice, frames: NDArray[Any], *, registration: Registration) -> NDArray[np.float32]:
    """Return the shifts of the patches of each frame; NaN where a frame has no contrast."""
    shifts = registration.locate(as_planes(frames))
    known = shifts.patches_px[..., -registration.params.n_axes :]
    return np.where(shifts.flat.reshape(-1, 1, 1, 1, 1), np.nan, known)


def _median_shift(shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median over frames; 0 if no frame has contrast."""
    known = shifts_px[np.isfinite(shifts_px).all(axis=(1, 2, 3, 4))]
    return np.median(known, axis=0) if len(known) else np.zeros_like(shifts_px[0])


def _summed(
    block: slice,
    frames: NDArray[Any],
    *,
    registration: Registration,
    shifts_px: NDArray[np.float32],
    center_px: NDArray[np.float32],
) -> RunningMean:
    """Sum frames, moved to the centre, weighted by how like the template they are."""
    grid = registration.grid
    template = resample(registration.template, grid.field_px(-center_px))
    mean = mean_of_nothing(template.shape)
    for images, shift in zip(as_planes(frames), shifts_px[block] - center_px, strict=True):
        moved = resample(images, grid.field_px(shift), border="nan")
        mean.add(moved, max(np.nan_to_num(correlation(moved, template)), 0.0) ** 2)
    return mean


def _plain_mean(frames: NDArray[np.float32]) -> RunningMean:
    """Average frames as they are."""
    mean = mean_of_nothing(frames.shape[1:])
    for images in frames:
        mean.add(images)
    return mean


def _completed(
    parts: list[RunningMean], otherwise: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Average what is known of each pixel; where nothing is, take another image, or the mean."""
    for part in parts[1:]:
        parts[0].merge(part)
    total, weight = parts[0].total, parts[0].weight
    seen = weight > 0
    fill = (total.sum() / weight.sum() if seen.any() else 0.0) if otherwise is None else otherwise
    average = np.divide(total, weight, where=seen, out=np.zeros_like(total))
    return np.asarray(np.where(seen, average, fill), np.float32)
