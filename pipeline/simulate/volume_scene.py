"""The volume before any noise: cells in depth, background and motion."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter1d

from pipeline.simulate.cells import FAINTEST, draw_apart, draw_cell, window
from pipeline.simulate.params import SHAPE_MARGIN
from pipeline.simulate.scene import MovingScene, draw_modes, scene_margin_px
from pipeline.simulate.volume_params import VolumeParams

CUBIC_REACH = 2
"""How far the interpolation along the axis looks, in samples."""

BLUR_REACH = 3
"""Standard deviations after which the blur of a cell is cut."""


@dataclass(frozen=True, kw_only=True)
class VolumeScene(MovingScene):
    """A `FrameSource` of noiseless volumes, rendered where they are asked for.

    The scene is sampled more finely along the axis than the planes, so that a shift by a fraction
    of a plane is true; footprints are ``(n_samples * n_rows * n_cols, n_cells)``.
    """

    planes: range
    """Samples along the axis that the planes show at rest."""

    def __getitem__(self, frames: slice | int) -> NDArray[np.float32]:
        chosen = range(self.shape[0])[frames]
        if isinstance(chosen, int):
            return self._render(chosen)
        volumes = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for frame, target in zip(chosen, volumes, strict=True):
            target[:] = self._render(frame)
        return volumes

    def still(self, frame: int) -> NDArray[np.float32]:
        """Return the whole scene of a frame as it is without motion, every sample of it."""
        scene = np.tensordot(self.background_traces[:, frame], self.background_images, axes=1)
        inner = slice(self.margin_px, -self.margin_px)
        cells = self.footprints @ self.traces[:, frame]
        scene[:, inner, inner] += cells.reshape(-1, *self.shape[-2:])
        return np.asarray(scene, np.float32)

    def _render(self, frame: int) -> NDArray[np.float32]:
        """Return a volume as it was seen."""
        scene = self.still(frame)
        depths, rows, cols = self.displacement.sources_px(frame)
        samples = self.planes.start + self.planes.step * depths
        rows, cols = rows + np.float32(self.margin_px), cols + np.float32(self.margin_px)
        return np.stack([_look(scene, *at) for at in zip(samples, rows, cols, strict=True)])


def _look(
    scene: NDArray[np.float32],
    samples: NDArray[np.float32],
    rows: NDArray[np.float32],
    cols: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Interpolate the scene at the points that a plane shows; light is never negative."""
    seen = np.zeros(rows.shape, np.float32)
    first = math.floor(samples.min()) - CUBIC_REACH + 1
    for sample in range(first, math.floor(samples.max()) + CUBIC_REACH + 1):
        weight = _cubic(samples - np.float32(sample))
        if weight.any():
            seen += weight * cv2.remap(scene[sample], cols, rows, cv2.INTER_LANCZOS4)
    return np.maximum(seen, 0)


def _cubic(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weight of a sample at a distance, in cubic convolution.

    References
    ----------
    Keys (1981), https://doi.org/10.1109/TASSP.1981.1163711
    """
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.asarray(np.where(x <= 1, near, np.where(x < CUBIC_REACH, far, 0)), np.float32)


def plane_samples(params: VolumeParams) -> range:
    """Return the samples of the scene that the planes show at rest, beyond a margin for motion."""
    step = params.samples_per_plane
    reach = params.max_plane_shift_px + params.max_plane_deviation_px
    start = math.ceil(step * reach) + CUBIC_REACH
    return range(start, start + step * params.n_planes, step)


def scene_shape(params: VolumeParams) -> tuple[int, int, int]:
    """Return the samples, rows and columns of the scene, without the margin of the latter two."""
    planes = plane_samples(params)
    return planes[-1] + planes.start + 1, params.n_rows, params.n_cols


def draw_volume_centers(params: VolumeParams, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the centres of the cells, ``(n_cells, 3)`` in planes and pixels, none too close.

    Raises
    ------
    ValueError
        If the cells do not fit into the volume.
    """
    margin = params.cell_margin_px
    low = (0, margin, margin)
    high = (params.n_planes - 1, params.n_rows - margin, params.n_cols - margin)
    step_um = np.array([params.plane_spacing_um, params.pixel_size_um, params.pixel_size_um])
    return draw_apart(params, low, high, step_um=step_um, rng=rng)


def draw_volume_footprints(
    params: VolumeParams, centers: NDArray[np.float64], rng: np.random.Generator
) -> sparse.csc_array:
    """Draw one blurred ball a cell in every sample of the scene, each with maximum 1."""
    columns = [_draw_column(params, center, rng) for center in centers]
    nothing = sparse.csc_array((math.prod(scene_shape(params)), 0), dtype=np.float32)
    return sparse.csc_array(sparse.hstack([nothing, *columns]))


def _draw_column(
    params: VolumeParams, center: NDArray[np.float64], rng: np.random.Generator
) -> sparse.csc_array:
    """Draw a cell as a column of the matrix of footprints."""
    n_samples, n_rows, n_cols = scene_shape(params)
    planes = plane_samples(params)
    middle = planes.start + planes.step * center[0]
    radius_px = params.cell_radius_um / params.pixel_size_um * rng.uniform(0.85, 1.15)
    samples = _samples(params, middle, radius_px)
    rows, cols = window(center[1:], SHAPE_MARGIN * radius_px, (n_rows, n_cols))
    sample_px = params.sample_spacing_um / params.pixel_size_um
    ball = draw_cell(
        rows[:, np.newaxis] - center[1],
        cols - center[2],
        (samples[:, np.newaxis, np.newaxis] - middle) * sample_px,
        radius_px=radius_px,
        ring=bool(rng.random() < params.ring_fraction),
        rng=rng,
    )
    sigma = params.axial_blur_um / params.sample_spacing_um
    values = gaussian_filter1d(ball, sigma, axis=0, mode="constant", truncate=BLUR_REACH)
    in_scene = (samples >= 0) & (samples < n_samples)
    values = values[in_scene] / values.max()
    bright = values > FAINTEST
    pixels = np.ravel_multi_index(
        np.ix_(samples[in_scene], rows, cols), (n_samples, n_rows, n_cols)
    )[bright]
    entries = values[bright].astype(np.float32), (pixels, np.zeros(pixels.size, int))
    return sparse.csc_array(entries, shape=(n_samples * n_rows * n_cols, 1))


def _samples(params: VolumeParams, middle: float, radius_px: float) -> NDArray[np.int64]:
    """Return the samples that a cell can reach, also those beyond the scene."""
    reach_um = SHAPE_MARGIN * radius_px * params.pixel_size_um + BLUR_REACH * params.axial_blur_um
    reach = math.ceil(reach_um / params.sample_spacing_um)
    return np.arange(math.floor(middle) - reach, math.ceil(middle) + reach + 1)


def draw_volume_background(
    params: VolumeParams, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the images and the traces of the background, in photons before bleaching."""
    margin = 2 * scene_margin_px(params)
    n_samples, n_rows, n_cols = scene_shape(params)
    shape = n_samples, n_rows + margin, n_cols + margin
    blur = params.axial_blur_um / params.sample_spacing_um
    to_samples = params.pixel_size_um / params.sample_spacing_um
    smooth = min(shape[1:]) / 8
    sigmas = ((np.hypot(sigma * to_samples, blur), sigma, sigma) for sigma in (1.5, 20, smooth))
    fine, coarse, widest = sigmas
    return draw_modes(params, shape, (fine, coarse, widest), rng)
