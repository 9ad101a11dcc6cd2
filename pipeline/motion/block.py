"""What is done to one block of frames: find the shifts, undo them, judge, write."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.motion.contrast import as_planes
from pipeline.motion.memory import GROUP_FRAMES
from pipeline.motion.output import Output
from pipeline.motion.registration import Registration, Shifts
from pipeline.motion.resample import resample
from pipeline.motion.similarity import RunningMean, correlation, mean_of_nothing

AROUND = np.array([(0, 1, 0), (1, 0, 1), (0, 1, 0)], np.float32) / 4
"""Means over the four pixels beside each."""


class Corrected(NamedTuple):
    """What is known of frames that were corrected and written."""

    shifts: Shifts
    """Of each frame."""

    correlations: NDArray[np.float32]
    """With the template, before and after, ``(n_frames, 2)``; NaN if flat."""

    residual: Shifts
    """How large a shift may be left in some frames: what registering the corrected frame again
    finds, and how far two halves of the pixels of the recorded one lie from where all do."""

    means: tuple[RunningMean, RunningMean]
    """Of the frames before and after, in the core."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The work on blocks of frames whose shifts are to be found."""

    registration: Registration
    """Where frames belong."""

    output: Output | None
    """Where corrected frames go, if they are wanted."""

    def correct(self, block: slice, frames: NDArray[Any]) -> Corrected:
        """Find the shift of each frame, undo it, judge, and write."""
        first = as_planes(frames[:1])[0]
        before, after = (
            mean_of_nothing(first.shape, margin_px=self.registration.margin_px) for _ in range(2)
        )
        moved = np.empty((len(frames), *first.shape), np.float32)
        found, residual, correlations = [], [], []
        for start in range(0, len(frames), GROUP_FRAMES):
            group = slice(start, start + GROUP_FRAMES)
            recorded = as_planes(frames[group])
            found.append(self.registration.locate(recorded))
            undo_shifts(self.registration, recorded, found[-1], moved[group])
            for images, target in zip(recorded, moved[group], strict=True):
                correlations.append([self._correlation(images), self._correlation(target)])
                before.add(images)
                after.add(target)
            residual.append(self._left(recorded[0], moved[start], found[-1]))
        if self.output is not None:
            self.output.write(block, moved)
        shifts = _joined_shifts(found)
        judged = np.where(shifts.flat[:, np.newaxis], np.nan, correlations).astype(np.float32)
        return Corrected(shifts, judged, _joined_shifts(residual), (before, after))

    def _left(
        self, recorded: NDArray[np.float32], moved: NDArray[np.float32], found: Shifts
    ) -> Shifts:
        """Return how large a shift may be left in the first frame of a group.

        A corrected frame registered again has the same noise, and so the same error: how large
        that is, two halves of the pixels tell, whose noise has nothing in common.
        """
        located = self.registration.locate(np.stack([moved, *_halves(recorded)]))
        return Shifts(
            _combined(located.rigid_px, found.rigid_px[0]),
            _combined(located.patches_px, found.patches_px[0]),
            located.flat[:1],
        )

    def _correlation(self, images: NDArray[np.float32]) -> float:
        """Return how like the template a frame is."""
        template, margin_px = self.registration.template, self.registration.margin_px
        return correlation(images, template, margin_px=margin_px)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """The work on blocks of frames whose shifts are known."""

    registration: Registration
    """Where frames belong."""

    shifts: Shifts
    """Of all frames of the movie."""

    output: Output
    """Where corrected frames go."""

    def write(self, block: slice, frames: NDArray[Any]) -> None:
        """Undo the shift of each frame, and write."""
        recorded = as_planes(frames)
        moved = np.empty(recorded.shape, np.float32)
        rigid_px, patches_px, flat = self.shifts
        known = Shifts(rigid_px[block], patches_px[block], flat[block])
        undo_shifts(self.registration, recorded, known, moved)
        self.output.write(block, moved)


def undo_shifts(
    registration: Registration,
    recorded: NDArray[np.float32],
    shifts: Shifts,
    moved: NDArray[np.float32],
) -> None:
    """Put frames ``(n_frames, n_planes, n_rows, n_cols)`` where they belong, into ``moved``."""
    grid, params = registration.grid, registration.params
    for images, shift, target in zip(recorded, shifts.patches_px, moved, strict=True):
        field_px = grid.field_px(shift[..., -params.n_axes :])
        resample(images, field_px, border=params.border, out=target)


def frame_limits(_: slice, frames: NDArray[Any]) -> NDArray[np.float64]:
    """Return the least and the largest pixel of each frame, ``(n_frames, 2)``; NaN if one is."""
    axes = tuple(range(1, frames.ndim))
    return np.stack([frames.min(axes), frames.max(axes)], axis=1).astype(float)


def _halves(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return a frame twice, with every second pixel, as on a chessboard, or with the others.

    What is left out is the mean of its four neighbours, none of which is left out.
    """
    around = np.stack([cv2.filter2D(plane, -1, AROUND) for plane in images])
    rows, cols = np.indices(images.shape[1:])
    is_white = (rows + cols) % 2 == 0
    return [np.where(is_kept, images, around) for is_kept in (is_white, ~is_white)]


def _combined(
    located_px: NDArray[np.float32], found_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how much is left of a corrected frame, and of both halves around its shift."""
    again, *halves = located_px
    apart = np.mean([np.square(half - found_px) for half in halves], axis=0)
    return np.asarray(np.sqrt(np.square(again) + apart)[np.newaxis], np.float32)


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
