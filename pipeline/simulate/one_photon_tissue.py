"""What a one-photon microscope sees beside the cells: haze, vessels, and cells out of focus."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter

from pipeline.simulate.activity import slow_noise
from pipeline.simulate.one_photon_params import OnePhotonParams
from pipeline.simulate.scene import scene_margin_px

HAZE = ((18.0, 40, 0.3), (45.0, 16, 0.35), (130.0, 4, 0.35))
"""For each scale of the haze: its size in micrometres, its number of modes, its part."""

HAZE_TIMES_S = (0.3, 1.5, 8.0)
"""Time scales of the haze."""

FAINTEST = 0.05
EDGE_PX = 0.6
ELONGATION = 0.12
REACH_BLURS = 3.0
STEP_PX = 4.0
VESSEL_BLURS = 1.5
"""Vessels lie above the cells and are less sharp."""

TURN = 0.05
BRANCHES_PER_PX = 0.005
THINNEST = 0.35
"""Width of the last branches, relative to that of the widest vessels."""

BRANCH_WIDTH = 0.7
"""Width of a branch, relative to that of its vessel."""

PULSE = 0.02
"""How much the absorption of the vessels varies with the blood, relative."""


def draw_blurred_footprints(
    params: OnePhotonParams, centers: NDArray[np.float64], rng: np.random.Generator
) -> sparse.csc_array:
    """Draw cells in and out of focus, ``(n_pixels, n_cells)``.

    Before blur, each has a maximum of 1; blur spreads the light and keeps its sum.
    """
    shape = params.n_rows, params.n_cols
    columns = sparse.lil_array((len(centers), shape[0] * shape[1]), dtype=np.float32)
    for cell, center in enumerate(centers):
        image = _draw_cell(params, center, rng)
        pixels = np.flatnonzero(image > FAINTEST * image.max())
        columns[cell, pixels] = image.flat[pixels]
    return sparse.csc_array(columns.T)


def _draw_cell(
    params: OnePhotonParams, center: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw an ellipse with a soft edge, blurred by its distance from the focus."""
    radius_px = params.cell_radius_um / params.pixel_size_um * rng.uniform(0.85, 1.15)
    stretch = 1 + ELONGATION * rng.normal()
    angle = rng.uniform(0, np.pi)
    out_of_focus_um = params.focus_spread_um * rng.normal()
    blur_px = np.hypot(params.blur_um, out_of_focus_um) / params.pixel_size_um
    rows, cols = np.indices((params.n_rows, params.n_cols)) - center[:, np.newaxis, np.newaxis]
    along = np.cos(angle) * rows + np.sin(angle) * cols
    across = np.cos(angle) * cols - np.sin(angle) * rows
    depth_px = radius_px - np.hypot(along / stretch, across * stretch)
    disc = 1 / (1 + np.exp(np.clip(-depth_px / EDGE_PX, -50, 50)))
    return np.asarray(gaussian_filter(disc, blur_px, truncate=REACH_BLURS))


def draw_transmission(
    params: OnePhotonParams, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw which part of the light passes the vessels, 1 where there is none."""
    mask = np.zeros(shape, np.float32)
    widest_px = params.vessel_width_um / params.pixel_size_um
    for _ in range(params.n_vessels):
        width = rng.uniform(2 * THINNEST, 1)
        _draw_vessel(mask, _at_edge(shape, rng), width, widest_px, rng)
    depth = gaussian_filter(mask, VESSEL_BLURS * params.blur_um / params.pixel_size_um)
    return np.asarray(1 - params.vessel_absorption * depth, np.float64)


def _at_edge(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a point on an edge and the direction to another one near the centre: row, col, angle."""
    turn = rng.uniform(0, 2 * np.pi)
    center = np.array(shape) / 2
    start = np.clip(center + max(shape) * np.array([np.sin(turn), np.cos(turn)]), 0, shape)
    aim = center + rng.uniform(-0.3, 0.3, 2) * shape - start
    return np.array([*start, np.arctan2(*aim)])


def _draw_vessel(
    mask: NDArray[np.float32],
    start: NDArray[np.float64],
    width: float,
    widest_px: float,
    rng: np.random.Generator,
) -> None:
    """Draw a winding vessel and its branches into a mask, in place; thin ones are less dark."""
    row, col, angle = start
    turn = 0.0
    inside = True
    while inside and width >= THINNEST:
        turn = 0.8 * turn + TURN * rng.normal()
        angle += turn
        before = round(col), round(row)
        row, col = row + STEP_PX * np.sin(angle), col + STEP_PX * np.cos(angle)
        piece = np.zeros_like(mask)
        cv2.line(piece, before, (round(col), round(row)), width, max(1, round(width * widest_px)))
        np.maximum(mask, piece, out=mask)
        inside = 0 <= row <= mask.shape[0] and 0 <= col <= mask.shape[1]
        if rng.random() < BRANCHES_PER_PX * STEP_PX:
            side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
            width *= BRANCH_WIDTH
            _draw_vessel(mask, np.array([row, col, angle + side]), width, widest_px, rng)


def draw_haze(
    params: OnePhotonParams, transmission: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw images and traces of all light that is not the cells', before bleaching, in photons.

    The first is static tissue, the second the pulse of the vessels, the others are haze: smooth
    images of several scales, each of which varies in time by itself.
    """
    shape = transmission.shape
    texture = 0.1 * _smooth(shape, 2, rng) + 0.2 * _smooth(shape, 15, rng)
    static = params.background_photons * transmission * np.exp(texture - 0.025)
    images, traces = [static, static * (1 - transmission)], [np.ones(params.n_frames)]
    traces.append(PULSE * _courses(params, 1, rng)[0])
    for size_um, n_modes, part in HAZE:
        level = part * params.haze_photons / n_modes
        # modes are independent, so that their sum varies less than each
        strength = params.haze_fluctuation * np.sqrt(n_modes) * np.sqrt(part)
        for course in _courses(params, n_modes, rng):
            mode = np.exp(0.8 * _smooth(shape, size_um / params.pixel_size_um, rng))
            images.append(transmission * mode / mode.mean())
            traces.append(level * np.maximum(1 + strength * course, 0))
    return np.stack(images), np.stack(traces)


def _courses(
    params: OnePhotonParams, n_courses: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw fluctuations of mean 0 and standard deviation near 1, ``(n_courses, n_frames)``."""
    shape = params.n_frames, n_courses
    parts = [slow_noise(shape, time_s=t, rate_hz=params.rate_hz, rng=rng) for t in HAZE_TIMES_S]
    return np.asarray(np.sum(parts, axis=0).T / np.sqrt(len(parts)))


def vignette(params: OnePhotonParams) -> NDArray[np.float32]:
    """Return the part of the light that reaches each pixel of the detector, 1 in the centre."""
    rows, cols = (np.linspace(-1, 1, n) for n in (params.n_rows, params.n_cols))
    distance = (rows[:, np.newaxis] ** 2 + cols**2) / 2
    return np.asarray(1 - params.vignetting * distance, np.float32)


def haze_shape(params: OnePhotonParams) -> tuple[int, int]:
    """Return the shape of the scene, which reaches beyond the frame by what motion may show."""
    margin = 2 * scene_margin_px(params.shared)
    return params.n_rows + margin, params.n_cols + margin


def _smooth(
    shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth image of mean 0 and standard deviation 1."""
    # drawn coarsely and enlarged where it is smooth: a wide filter is slow
    step = max(1, int(sigma_px / 3))
    coarse = [-(-n // step) for n in shape]
    image = gaussian_filter(rng.normal(size=coarse), sigma_px / step)
    whole = np.asarray(cv2.resize(image, tuple(shape[::-1]), interpolation=cv2.INTER_CUBIC))
    return np.asarray((whole - whole.mean()) / whole.std())
