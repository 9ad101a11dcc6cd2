"""The neuropil between the simulated cells: light that fluctuates in wide waves, or locally."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.simulate.activity import slow_noise
from pipeline.simulate.params import TwoPhotonParams

Sigma = float | tuple[float, ...]
"""Width of a Gaussian, in pixels: one for all axes, or one for each."""

N_WAVES = 4
TIME_S = 1.0
SPACING_WIDTHS = 1.5
"""Distance of the middles of two patches of local neuropil, in their widths."""

SHARED = 0.3
"""Part of the variance of local neuropil that all patches have in common."""


def draw_neuropil(
    params: TwoPhotonParams, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the images and the traces of the neuropil, in photons before bleaching.

    Parameters
    ----------
    params : TwoPhotonParams
        Settings.
    shape : tuple of int
        Rows and columns of the scene.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    tuple of arrays
        Images ``(n_modes, n_rows, n_cols)`` of mean 1 in all, and traces ``(n_modes, n_frames)``.
    """
    if params.neuropil_width_um is None:
        return _waves(params, shape, rng)
    return _patches(params, params.neuropil_width_um / params.pixel_size_um, shape, rng)


def smooth_image(
    shape: tuple[int, ...], sigma_px: Sigma, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth image of mean 0 and standard deviation 1."""
    image = gaussian_filter(rng.normal(size=shape), sigma_px)
    return np.asarray((image - image.mean()) / image.std())


def _waves(
    params: TwoPhotonParams, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a few waves, each over the whole frame with a course of its own."""
    sigma_px = min(shape) / 8
    modes = [np.exp(0.7 * smooth_image(shape, sigma_px, rng)) for _ in range(N_WAVES)]
    images = np.stack([mode / mode.mean() for mode in modes])
    return images, _levels(params, _courses(params, N_WAVES, rng)) / N_WAVES


def _patches(
    params: TwoPhotonParams, width_px: float, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw soft patches that cover the frame, each with a course that is its own in part."""
    axes = [np.arange(0, n + SPACING_WIDTHS * width_px, SPACING_WIDTHS * width_px) for n in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    places = places + rng.normal(0, 0.3 * width_px, places.shape)
    rows, cols = np.indices(shape)
    images = np.stack(
        [np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / (2 * width_px**2)) for r, c in places]
    )
    images /= images.sum(axis=0)
    # where patches overlap, their courses average out
    alone = np.square(images).sum(axis=0).mean()
    own = np.sqrt((1 - SHARED) / alone) * _courses(params, len(places), rng)
    return images, _levels(params, own + np.sqrt(SHARED) * _courses(params, 1, rng))


def _courses(
    params: TwoPhotonParams, n_courses: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw courses of variance 1, ``(n_courses, n_frames)``."""
    shape = params.n_frames, n_courses
    return slow_noise(shape, time_s=TIME_S, rate_hz=params.rate_hz, rng=rng).T


def _levels(params: TwoPhotonParams, courses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn courses into photons of the mean that was asked for."""
    spread = params.neuropil_fluctuation
    return np.asarray(params.neuropil_photons * np.exp(spread * courses - spread**2 / 2))
