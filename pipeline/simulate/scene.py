"""The scene before any noise: cells, background and motion."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.simulate.activity import slow_noise
from pipeline.simulate.displacement import Displacement
from pipeline.simulate.neuropil import Sigma, draw_neuropil, smooth_image
from pipeline.simulate.params import TwoPhotonParams

N_NEUROPIL_MODES = 4
INTERPOLATION_PX = 4


@dataclass(frozen=True, kw_only=True)
class MovingScene:
    """What moves before the eye: larger than the frame, so that what comes into view is real."""

    footprints: sparse.csc_array
    """``(n_pixels, n_cells)`` of the whole scene, or of the frame."""

    traces: NDArray[np.float32]
    """``(n_cells, n_frames)``."""

    background_images: NDArray[np.float32]
    """``(n_modes[, n_samples], n_rows + 2 margin, n_cols + 2 margin)``."""

    background_traces: NDArray[np.float32]
    """``(n_modes, n_frames)``."""

    displacement: Displacement
    """What moves the frames."""

    margin_px: int
    """How far the scene reaches beyond the rows and columns on each side."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames[, n_planes], n_rows, n_cols)``."""
        return (self.traces.shape[1], *self.displacement.frame_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Scene(MovingScene):
    """A `FrameSource` of noiseless frames, rendered where they are asked for."""

    def __getitem__(self, frames: slice | int) -> NDArray[np.float32]:
        chosen = range(self.shape[0])[frames]
        if isinstance(chosen, int):
            return np.asarray(self[chosen : chosen + 1][0])
        still = self.still(chosen)
        moved = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for image, frame, target in zip(still, chosen, moved, strict=True):
            rows, cols = self.displacement.sources_px(frame) + np.float32(self.margin_px)
            cv2.remap(image, cols, rows, cv2.INTER_LANCZOS4, dst=target)
        # between dark and bright, the interpolation undershoots
        return np.maximum(moved, 0, out=moved)

    def still(self, frames: range) -> NDArray[np.float32]:
        """Return frames with margins as they were without motion."""
        times = np.asarray(frames)
        images = np.tensordot(self.background_traces[:, times].T, self.background_images, axes=1)
        inner = slice(self.margin_px, -self.margin_px)
        cells = (self.footprints @ self.traces[:, times]).T
        images[:, inner, inner] += cells.reshape(len(times), *self.shape[1:])
        return np.asarray(images, np.float32)


def scene_margin_px(params: TwoPhotonParams) -> int:
    """Return how far beyond the frame the motion and its interpolation can look."""
    return int(np.ceil(params.max_shift_px + params.max_deviation_px)) + INTERPOLATION_PX


def draw_background(
    params: TwoPhotonParams, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the images and the traces of the background, in photons before bleaching.

    The first is static and textured, as resting tissue is; the others are neuropil.
    """
    margin = 2 * scene_margin_px(params)
    shape = params.n_rows + margin, params.n_cols + margin
    texture = 0.2 * smooth_image(shape, 1.5, rng) + 0.3 * smooth_image(shape, 20, rng)
    static = params.background_photons * np.exp(texture - 0.065)
    images, traces = draw_neuropil(params, shape, rng)
    return np.stack([static, *images]), np.vstack([np.ones(params.n_frames), traces])


def draw_modes(
    params: TwoPhotonParams,
    shape: tuple[int, ...],
    sigmas_px: tuple[Sigma, Sigma, Sigma],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the same for a scene of any shape, from the grain of tissue, clouds and neuropil."""
    fine, coarse, smooth = sigmas_px
    texture = 0.2 * smooth_image(shape, fine, rng) + 0.3 * smooth_image(shape, coarse, rng)
    static = params.background_photons * np.exp(texture - 0.065)
    modes = [np.exp(0.7 * smooth_image(shape, smooth, rng)) for _ in range(N_NEUROPIL_MODES)]
    fluctuation = slow_noise(
        (params.n_frames, N_NEUROPIL_MODES), time_s=1.0, rate_hz=params.rate_hz, rng=rng
    )
    level = params.neuropil_photons / N_NEUROPIL_MODES
    traces = level * np.exp(0.4 * fluctuation.T - 0.08)
    images = np.stack([static, *(mode / mode.mean() for mode in modes)])
    return images, np.vstack([np.ones(params.n_frames), traces])
