"""How the simulated tissue moves."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.activity import slow_noise
from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.volume_params import VolumeParams

WAVES = np.array([(0, 1), (1, 0), (1, 1), (0, 2), (2, 0)])
"""Half periods along rows and columns of the cosines that make up the non-rigid field."""

VOLUME_WAVES = np.array([(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)])
"""The same along planes, rows and columns."""

KNOT_SPACING_PX = 6
INVERSIONS = 3
JUMP_SIZE = 1.5
"""Size of sudden movements, relative to the slow drift."""


@dataclass(frozen=True, kw_only=True)
class Displacement:
    """Where the content of each frame lies: a rigid shift and a smooth field on top.

    What lies at a point of the reference lies, in a frame, at the point plus `field_px` there.
    """

    shifts_px: NDArray[np.float64]
    """The rigid shift, ``(n_frames, n_axes)``, [planes,] rows, columns."""

    weights_px: NDArray[np.float64]
    """Amplitudes of the cosines, ``(n_frames, n_waves, n_axes)``."""

    waves: NDArray[np.int64]
    """Half periods of the cosines along each axis, ``(n_waves, n_axes)``."""

    frame_shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)``."""

    def at(self, frame: int, *places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacement at points of the reference, ``(..., n_axes)`` in pixels.

        Parameters
        ----------
        frame : int
            Number of the frame.
        *places : array
            One coordinate an axis, in pixels, all of one shape.
        """
        waves = np.ones(1)
        for length, place, periods in zip(self.frame_shape, places, self.waves.T, strict=True):
            waves = waves * np.cos(np.pi / length * np.multiply.outer(place + 0.5, periods))
        return np.asarray(self.shifts_px[frame] + waves @ self.weights_px[frame])

    def field_px(self, frame: int) -> NDArray[np.float64]:
        """Return the displacement at every pixel of the reference, ``(*frame_shape, n_axes)``."""
        return self.at(frame, *np.indices(self.frame_shape).astype(float))

    def sources_px(self, frame: int) -> NDArray[np.float32]:
        """Return the point of the reference that each pixel shows, ``(n_axes, *frame_shape)``.

        The field is inverted by fixed-point iteration on a coarse grid of every plane, which its
        smoothness permits, and interpolated between the knots.
        """
        *planes, n_rows, n_cols = self.frame_shape
        (row_knots, down), (col_knots, along) = _knots(n_rows), _knots(n_cols)
        knots = [*(np.arange(length, dtype=float) for length in planes), row_knots, col_knots]
        shown = np.stack(np.meshgrid(*knots, indexing="ij"))
        source = shown
        for _ in range(INVERSIONS):
            source = shown - np.moveaxis(self.at(frame, *source), -1, 0)
        return np.asarray(down @ source @ along.T, np.float32)


def draw_displacement(params: TwoPhotonParams, rng: np.random.Generator) -> Displacement:
    """Draw drift, jitter and jumps of the whole frame, and a slow deformation."""
    path, weights = _draw_motion(params, WAVES, rng)
    return Displacement(
        shifts_px=_scaled(path, params.max_shift_px),
        weights_px=_scaled(weights, params.max_deviation_px, bound=np.abs(weights).sum(axis=1)),
        waves=WAVES,
        frame_shape=(params.n_rows, params.n_cols),
    )


def draw_volume_displacement(params: VolumeParams, rng: np.random.Generator) -> Displacement:
    """Draw the same for a volume, where the axis has limits of its own."""
    path, weights = _draw_motion(params, VOLUME_WAVES, rng)
    across = _scaled(path[:, :1], params.max_plane_shift_px)
    deviation = _scaled(weights, params.max_deviation_px, bound=np.abs(weights).sum(axis=1))
    deviation[..., 0] *= params.pixel_size_um / params.plane_spacing_um
    return Displacement(
        shifts_px=np.hstack([across, _scaled(path[:, 1:], params.max_shift_px)]),
        weights_px=deviation,
        waves=VOLUME_WAVES,
        frame_shape=(params.n_planes, params.n_rows, params.n_cols),
    )


def _draw_motion(
    params: TwoPhotonParams, waves: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the path of the frame and the amplitudes of the waves, of any size."""
    noise = partial(slow_noise, rate_hz=params.rate_hz, rng=rng)
    n_waves, n_axes = waves.shape
    shape = params.n_frames, n_axes
    drift = noise(shape, time_s=3.0) + 0.3 * noise(shape, time_s=0.1)
    path = drift + _draw_jumps(params, n_axes, rng)
    weights = noise((params.n_frames, n_waves, n_axes), time_s=0.7)
    return path - np.median(path, axis=0), weights / waves.sum(axis=1)[:, np.newaxis]


def _draw_jumps(
    params: TwoPhotonParams, n_axes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw sudden movements that relax within a fraction of a second."""
    jumps = np.zeros((params.n_frames, n_axes))
    hits = np.flatnonzero(rng.random(params.n_frames) < params.jump_rate_hz / params.rate_hz)
    for start in hits:
        time_s = np.arange(params.n_frames - start) / params.rate_hz
        size = JUMP_SIZE * rng.normal(size=n_axes)
        jumps[start:] += size * np.exp(-time_s / 0.15)[:, np.newaxis]
    return jumps


def _scaled(
    values: NDArray[np.float64], largest: float, *, bound: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Scale values so that the largest of them (or of their bound) has the given size."""
    peak = np.abs(values if bound is None else bound).max()
    return np.asarray(values * (largest / peak if peak else 0.0))


def _knots(length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coarse positions along an axis, and the matrix that interpolates to pixels."""
    knots = np.linspace(0, length - 1, -(-length // KNOT_SPACING_PX) + 1)
    spread = [np.interp(np.arange(length), knots, unit) for unit in np.eye(knots.size)]
    return knots, np.stack(spread, axis=1)
