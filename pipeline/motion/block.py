"""What is done to one block of frames: find the shifts, undo them, judge, write."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.contrast import as_planes
from pipeline.motion.memory import GROUP_FRAMES
from pipeline.motion.output import Output
from pipeline.motion.registration import Registration, Shifts
from pipeline.motion.resample import resample
from pipeline.motion.similarity import RunningMean, correlation, mean_of_nothing


class Survey(NamedTuple):
    """What must be known of a movie before it is written cropped or as whole numbers."""

    shifts: Shifts
    """Of each frame."""

    limits: NDArray[np.float64]
    """Least and largest pixel of each frame, ``(n_frames, 2)``; NaN if one is NaN."""


class Corrected(NamedTuple):
    """What is known of frames that were corrected and written."""

    shifts: Shifts
    """Of each frame."""

    correlations: NDArray[np.float32]
    """With the template, before and after, ``(n_frames, 2)``; NaN if flat."""

    residual: Shifts
    """What registering some of the corrected frames again finds."""

    means: tuple[RunningMean, RunningMean]
    """Of the frames before and after, in the core."""


@dataclass(frozen=True, kw_only=True)
class FrameWork:
    """The work on blocks of frames of one movie."""

    registration: Registration
    """Where frames belong."""

    known: Shifts | None
    """The shifts of all frames, if they were surveyed."""

    output: Output | None
    """Where corrected frames go."""

    def survey(self, _: slice, frames: NDArray[Any]) -> Survey:
        """Find the shift and the limits of each frame."""
        parts = [self.registration.locate(as_planes(group)) for group in _groups(frames)]
        axes = tuple(range(1, frames.ndim))
        limits = np.stack([frames.min(axes), frames.max(axes)], axis=1).astype(float)
        return Survey(_joined_shifts(parts), limits)

    def correct(self, block: slice, frames: NDArray[Any]) -> Corrected:
        """Find the shift of each frame unless it is known, undo it, judge and write."""
        assert self.output is not None
        first = as_planes(frames[:1])[0]
        margin_px = self.registration.params.max_shift_px
        before, after = (mean_of_nothing(first.shape, margin_px=margin_px) for _ in range(2))
        moved = np.empty((len(frames), *first.shape), np.float32)
        found, residual, correlations = [], [], []
        for start in range(0, len(frames), GROUP_FRAMES):
            group = slice(start, start + GROUP_FRAMES)
            recorded = as_planes(frames[group])
            found.append(self._shifts(block, group, recorded))
            self._undo(recorded, found[-1], moved[group])
            for images, target in zip(recorded, moved[group], strict=True):
                correlations.append([self._correlation(images), self._correlation(target)])
                before.add(images)
                after.add(target)
            residual.append(self.registration.locate(moved[start : start + 1]))
        self.output.write(block, moved)
        shifts = _joined_shifts(found)
        judged = np.where(shifts.flat[:, np.newaxis], np.nan, correlations).astype(np.float32)
        return Corrected(shifts, judged, _joined_shifts(residual), (before, after))

    def _shifts(self, block: slice, group: slice, recorded: NDArray[np.float32]) -> Shifts:
        """Return the shifts of a group of frames."""
        if self.known is None:
            return self.registration.locate(recorded)
        frames = slice(block.start + group.start, block.start + group.start + len(recorded))
        known = self.known
        return Shifts(known.rigid_px[frames], known.patches_px[frames], known.flat[frames])

    def _undo(
        self, recorded: NDArray[np.float32], shifts: Shifts, moved: NDArray[np.float32]
    ) -> None:
        """Put frames where they belong."""
        grid, border = self.registration.grid, self.registration.params.border
        for images, shift, target in zip(recorded, shifts.patches_px, moved, strict=True):
            resample(images, grid.field_px(shift), border=border, out=target)

    def _correlation(self, images: NDArray[np.float32]) -> float:
        """Return how like the template a frame is."""
        margin_px = self.registration.params.max_shift_px
        return correlation(images, self.registration.template, margin_px=margin_px)


def joined_surveys(parts: Iterable[Survey]) -> Survey:
    """Put what was found in blocks one after the other."""
    shifts, limits = zip(*parts, strict=True)
    return Survey(_joined_shifts(list(shifts)), np.concatenate(limits))


def joined_corrections(parts: Iterable[Corrected]) -> Corrected:
    """Put what was found in blocks one after the other; means are merged as they come."""
    shifts, correlations, residual = [], [], []
    means: tuple[RunningMean, RunningMean] | None = None
    for part in parts:
        shifts.append(part.shifts)
        correlations.append(part.correlations)
        residual.append(part.residual)
        if means is None:
            means = part.means
            continue
        for mean, other in zip(means, part.means, strict=True):
            mean.merge(other)
    assert means is not None
    return Corrected(
        _joined_shifts(shifts), np.concatenate(correlations), _joined_shifts(residual), means
    )


def _joined_shifts(parts: list[Shifts]) -> Shifts:
    """Put shifts one after the other."""
    return Shifts(*map(np.concatenate, zip(*parts, strict=True)))


def _groups(frames: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut a block into groups."""
    return [frames[start : start + GROUP_FRAMES] for start in range(0, len(frames), GROUP_FRAMES)]
