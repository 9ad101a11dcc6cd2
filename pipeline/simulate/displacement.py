"""How the simulated tissue moves."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.activity import slow_noise
from pipeline.simulate.params import TwoPhotonParams

WAVES = np.array([(0, 1), (1, 0), (1, 1), (0, 2), (2, 0)])
"""Half periods along rows and columns of the cosines that make up the non-rigid field."""

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
    """The rigid shift, ``(n_frames, 2)``, rows first."""

    weights_px: NDArray[np.float64]
    """Amplitudes of the cosines, ``(n_frames, n_waves, 2)``, rows first."""

    frame_shape: tuple[int, int]
    """``(n_rows, n_cols)``."""

    def at(
        self, frame: int, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the displacement at points of the reference, ``(..., 2)`` in pixels."""
        n_rows, n_cols = self.frame_shape
        waves = np.cos(np.pi / n_rows * np.multiply.outer(rows + 0.5, WAVES[:, 0])) * np.cos(
            np.pi / n_cols * np.multiply.outer(cols + 0.5, WAVES[:, 1])
        )
        return np.asarray(self.shifts_px[frame] + waves @ self.weights_px[frame])

    def field_px(self, frame: int) -> NDArray[np.float64]:
        """Return the displacement at every pixel of the reference, ``(n_rows, n_cols, 2)``."""
        rows, cols = np.indices(self.frame_shape).astype(float)
        return self.at(frame, rows, cols)

    def sources_px(self, frame: int) -> NDArray[np.float32]:
        """Return the point of the reference that each pixel shows, ``(2, n_rows, n_cols)``.

        The field is inverted by fixed-point iteration on a coarse grid, which its smoothness
        permits, and interpolated between the knots.
        """
        knots, spread = zip(*(_knots(length) for length in self.frame_shape), strict=True)
        shown = np.stack(np.meshgrid(*knots, indexing="ij"), axis=-1)
        source = shown
        for _ in range(INVERSIONS):
            source = shown - self.at(frame, source[..., 0], source[..., 1])
        return np.stack([spread[0] @ source[..., axis] @ spread[1].T for axis in (0, 1)]).astype(
            np.float32
        )


def draw_displacement(params: TwoPhotonParams, rng: np.random.Generator) -> Displacement:
    """Draw drift, jitter and jumps of the whole frame, and a slow deformation."""
    noise = partial(slow_noise, rate_hz=params.rate_hz, rng=rng)
    shape = params.n_frames, 2
    path = noise(shape, time_s=3.0) + 0.3 * noise(shape, time_s=0.1) + _draw_jumps(params, rng)
    weights = noise((params.n_frames, len(WAVES), 2), time_s=0.7)
    weights /= WAVES.sum(axis=1)[:, np.newaxis]
    return Displacement(
        shifts_px=_scaled(path - np.median(path, axis=0), params.max_shift_px),
        weights_px=_scaled(weights, params.max_deviation_px, bound=np.abs(weights).sum(axis=1)),
        frame_shape=(params.n_rows, params.n_cols),
    )


def _draw_jumps(params: TwoPhotonParams, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw sudden movements that relax within a fraction of a second."""
    jumps = np.zeros((params.n_frames, 2))
    hits = np.flatnonzero(rng.random(params.n_frames) < params.jump_rate_hz / params.rate_hz)
    for start in hits:
        time_s = np.arange(params.n_frames - start) / params.rate_hz
        jumps[start:] += JUMP_SIZE * rng.normal(size=2) * np.exp(-time_s / 0.15)[:, np.newaxis]
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
