"""Where the simulated cells lie and what they look like."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.simulate.params import SHAPE_MARGIN, TwoPhotonParams

TRIES_PER_CELL = 1000
EDGE_PX = 0.6
FAINTEST = 0.05
HARMONICS = np.arange(2, 5)


def draw_centers(params: TwoPhotonParams, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the centres of the cells, ``(n_cells, 2)`` in pixels, none closer than allowed.

    Raises
    ------
    ValueError
        If the cells do not fit into the frame.
    """
    margin = params.cell_margin_px
    low, high = (margin, margin), (params.n_rows - margin, params.n_cols - margin)
    step_um = np.full(2, params.pixel_size_um)
    return draw_apart(params, low, high, step_um=step_um, rng=rng)


def draw_apart(
    params: TwoPhotonParams,
    low: tuple[float, ...],
    high: tuple[float, ...],
    *,
    step_um: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw points between two corners, ``(n_cells, n_axes)`` in pixels of the given size.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    centers = np.empty((0, len(low)))
    for _ in range(TRIES_PER_CELL * params.n_cells):
        if len(centers) == params.n_cells:
            break
        center = rng.uniform(low, high)
        distances_um = np.linalg.norm((centers - center) * step_um, axis=1)
        if np.all(distances_um >= params.min_distance_um):
            centers = np.vstack([centers, center])
    if len(centers) < params.n_cells:
        raise ValueError(
            f"only {len(centers)} of n_cells = {params.n_cells} cells fit into the frame; "
            "lower n_cells or min_distance_um, or enlarge the frame."
        )
    return centers


def draw_footprints(
    params: TwoPhotonParams, centers: NDArray[np.float64], rng: np.random.Generator
) -> sparse.csc_array:
    """Draw one irregular disc or ring a cell, ``(n_pixels, n_cells)``, each with maximum 1."""
    shape = params.n_rows, params.n_cols
    footprints = sparse.lil_array((len(centers), shape[0] * shape[1]), dtype=np.float32)
    for cell, center in enumerate(centers):
        radius_px = params.cell_radius_um / params.pixel_size_um * rng.uniform(0.85, 1.15)
        rows, cols = window(center, SHAPE_MARGIN * radius_px, shape)
        values = draw_cell(
            rows[:, np.newaxis] - center[0],
            cols[np.newaxis, :] - center[1],
            radius_px=radius_px,
            ring=bool(rng.random() < params.ring_fraction),
            rng=rng,
        )
        inside = values > FAINTEST
        pixels = rows[:, np.newaxis] * shape[1] + cols
        footprints[cell, pixels[inside]] = values[inside]
    return sparse.csc_array(footprints.T)


def window(
    center: NDArray[np.float64], reach_px: float, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and the columns of a frame that a cell can reach."""
    first = np.maximum(np.floor(center - reach_px), 0).astype(int)
    stop = np.minimum(np.ceil(center + reach_px) + 1, shape).astype(int)
    return np.arange(first[0], stop[0]), np.arange(first[1], stop[1])


def draw_cell(
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    depths: NDArray[np.float64] | float = 0.0,
    *,
    radius_px: float,
    ring: bool,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw one cell around the origin: a wobbly outline, a soft edge, perhaps a dim nucleus.

    Rows, columns and depths are in pixels; with depths it is a ball, without them its disc.
    """
    wobble = rng.normal(0, 0.07, HARMONICS.size)
    phase = rng.uniform(0, 2 * np.pi, HARMONICS.size)
    angle = np.arctan2(rows, cols)[..., np.newaxis]
    outline = radius_px * (1 + (wobble * np.cos(HARMONICS * angle + phase)).sum(axis=-1))
    distance = np.hypot(np.hypot(rows, cols), depths)
    tilt = rng.normal(0, 0.15 / radius_px, 2)
    values = _soft_disc(outline - distance) * np.clip(1 + tilt[0] * rows + tilt[1] * cols, 0.5, 1.5)
    if ring:
        values *= 1 - rng.uniform(0.4, 0.7) * _soft_disc(0.55 * outline - distance)
    return np.asarray(values / values.max())


def _soft_disc(depth_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 well inside and 0 well outside of an outline."""
    return 1 / (1 + np.exp(np.clip(-depth_px / EDGE_PX, -50, 50)))
