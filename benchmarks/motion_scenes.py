"""The movies whose motion is known, and how far from it what was found lies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.motion import MotionParams
from pipeline.movie import Movie
from pipeline.simulate import (
    SimulatedMovie,
    SimulatedVolume,
    TwoPhotonParams,
    VolumeParams,
    simulate_two_photon,
    simulate_volume,
)

N_FRAMES, N_VOLUMES = 300, 150
RIGID = MotionParams(mode="rigid")
PIECEWISE = MotionParams(stride_px=(48, 48), overlap_px=(16, 16))
PARAMS = {"rigid": RIGID, "piecewise": PIECEWISE}
ONE_PHOTON_PARAMS = {mode: replace(params, highpass_gsig_px=3.0) for mode, params in PARAMS.items()}
VOLUME_PARAMS = {mode: replace(params, max_shift_px=(2, 12, 12)) for mode, params in PARAMS.items()}

STILL = {"max_shift_px": 0.0, "max_deviation_px": 0.0, "jump_rate_hz": 0.0}
DIM = {
    "cell_photons": 1.5,
    "background_photons": 1.0,
    "neuropil_photons": 0.5,
    "read_noise": 2.0,
}
ONE_PHOTON_LIGHT = {"cell_photons": 25.0, "background_photons": 10.0, "neuropil_photons": 60.0}
GLOW_PHOTONS = 800.0
GLOW_FLUCTUATION = 0.03
N_VESSELS = 6
VESSEL_SHADE = 0.25
SQUEEZE = 1.5

Simulated = SimulatedMovie | SimulatedVolume
Simulate = Callable[[int], Simulated]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Movies of one kind, one for each seed, and how they are corrected."""

    simulate: Simulate
    """Returns the movie of a seed, with its truth."""

    params: Mapping[str, MotionParams] = field(default_factory=lambda: PARAMS)
    """What it is corrected with, by the name of the mode."""

    goal_px: Mapping[str, float] = field(default_factory=dict)
    """What may be left, by the row of the table."""


def two_photon(**settings: float) -> Callable[[int], SimulatedMovie]:
    """Return what simulates two-photon movies of 256 x 256 pixels."""
    params = TwoPhotonParams(**{"n_frames": N_FRAMES, **settings})  # type: ignore[arg-type]
    return lambda seed: simulate_two_photon(params, rng=np.random.default_rng(seed))


def volume(**settings: float) -> Simulate:
    """Return what simulates volumes of 8 planes of 128 x 128 pixels."""
    params = VolumeParams(**{"n_frames": N_VOLUMES, **settings})  # type: ignore[arg-type]
    return lambda seed: simulate_volume(params, rng=np.random.default_rng(seed))


def one_photon(*, moves: bool, **settings: float) -> Simulate:
    """Return what simulates cells and vessels under a glow thirty times as bright as a cell.

    The glow is that of the tissue out of focus, and ``moves`` with it, or it stays where it is,
    as vignetting and stray light do. It flickers as a whole.
    """
    simulate = two_photon(**ONE_PHOTON_LIGHT, gain=1.0, offset=0.0, **settings)

    def simulated(seed: int) -> SimulatedMovie:
        in_focus = simulate(seed)
        rng = np.random.default_rng([seed, 1])
        scene = in_focus.scene
        shape = scene.background_images.shape[1:]
        shade = 1 - VESSEL_SHADE * _vessels(shape, rng)
        glow = GLOW_PHOTONS * _glow(shape)
        images = scene.background_images * shade
        if moves:
            images[0] += glow * shade
        scene = replace(scene, background_images=images.astype(np.float32))
        light = np.asarray(scene[:], np.float64)
        if not moves:
            inner = slice(scene.margin_px, -scene.margin_px)
            light += glow[inner, inner]
        light *= 1 + GLOW_FLUCTUATION * rng.normal(size=(len(light), 1, 1))
        movie = replace(in_focus.movie, source=rng.poisson(light).astype(np.uint16))
        return replace(in_focus, scene=scene, movie=movie)

    return simulated


def _glow(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a broad bright spot off the middle, 1 at its brightest."""
    rows, cols = (axis / length for axis, length in zip(np.indices(shape), shape, strict=True))
    return np.asarray(0.25 + 0.75 * np.exp(-2 * ((rows - 0.55) ** 2 + (cols - 0.45) ** 2)))


def _vessels(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw winding lines of several widths, 1 in their middle."""
    vessels = np.zeros(shape)
    for width_px in np.linspace(1.5, 4, N_VESSELS):
        steps = np.arange(0, 2 * max(shape), 0.25)
        angle = rng.uniform(0, 2 * np.pi) + np.cumsum(0.02 * rng.normal(size=steps.size))
        path = np.cumsum([np.sin(angle), np.cos(angle)], axis=1) * 0.25
        start = rng.uniform(0, shape)[:, np.newaxis] - path[:, :: steps.size // 2][:, 1:2]
        rows, cols = np.rint(path + start).astype(int)
        inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        line = np.zeros(shape)
        line[rows[inside], cols[inside]] = 1
        line = gaussian_filter(line, width_px)
        vessels = np.maximum(vessels, np.minimum(SQUEEZE * line / (line.max() or 1), 1))
    return vessels


SCENES = {
    "two-photon": Scene(
        simulate=two_photon(), goal_px={"piecewise": 0.05, "piecewise, patches": 0.15}
    ),
    "two-photon, rigid only": Scene(
        simulate=two_photon(max_deviation_px=0.0), goal_px={"rigid": 0.05, "piecewise": 0.05}
    ),
    "still": Scene(simulate=two_photon(**STILL), goal_px={"rigid": 0.02, "piecewise": 0.02}),
    "2 photons a pixel": Scene(
        simulate=two_photon(**DIM), goal_px={"piecewise": 0.3, "piecewise, patches": 0.3}
    ),
    "one-photon, glow moves": Scene(
        simulate=one_photon(moves=True),
        params=ONE_PHOTON_PARAMS,
        goal_px={"rigid": 0.3, "piecewise": 0.3},
    ),
    "one-photon, glow stays": Scene(
        simulate=one_photon(moves=False),
        params=ONE_PHOTON_PARAMS,
        goal_px={"rigid": 0.3, "piecewise": 0.3},
    ),
    "volume": Scene(
        simulate=volume(),
        params=VOLUME_PARAMS,
        goal_px={"piecewise": 0.05, "piecewise, patches": 0.15},
    ),
    "volume, rigid only": Scene(
        simulate=volume(max_deviation_px=0.0), params=VOLUME_PARAMS, goal_px={"rigid": 0.05}
    ),
}


def blobs(shifts_px: NDArray[np.float64], *, seed: int, noise: float) -> Movie:
    """Draw blobs whose centres are shifted exactly, whatever the fraction, and noise on them."""
    rng = np.random.default_rng(seed)
    axis = np.arange(256)
    centers, heights = rng.uniform(-20, 276, (800, 2)), rng.uniform(50, 150, 800)
    frames = np.empty((len(shifts_px), 256, 256), np.float32)
    for frame, shift in zip(frames, shifts_px, strict=True):
        down, right = (centers + shift).T
        across = np.exp(-((axis[:, np.newaxis] - down) ** 2) / 18) * heights
        frame[:] = across @ np.exp(-((axis[:, np.newaxis] - right) ** 2) / 18).T
        frame[:] += rng.normal(0, noise, frame.shape)
    return Movie(source=frames, rate_hz=30.0)


def mean_shifts(simulated: Simulated) -> NDArray[np.float64]:
    """Return the planted shift of each frame, averaged over its pixels, ``(n_frames, n_axes)``."""
    fields = map(simulated.displacement.field_px, range(simulated.movie.n_frames))
    return np.stack([field_px.reshape(-1, field_px.shape[-1]).mean(axis=0) for field_px in fields])


def shifts_at(simulated: Simulated, middles: list[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the planted shifts at the crossings of rows and columns, a place an axis."""
    places = np.meshgrid(*middles, indexing="ij")
    n_frames = simulated.movie.n_frames
    return np.stack([simulated.displacement.at(frame, *places) for frame in range(n_frames)])


def patch_middles(params: MotionParams, frame_shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """Return the middles of the patches along each axis that the frame has, in pixels."""
    strides, overlaps = params.stride_px, params.overlap_px
    if len(frame_shape) > len(strides):  # a patch reaches through all planes
        strides, overlaps = (frame_shape[0], *strides), (0, *overlaps)
    middles = []
    for length, stride, overlap in zip(frame_shape, strides, overlaps, strict=True):
        size = stride + overlap
        firsts = np.append(np.arange(0, length - size, stride), length - size)
        middles.append(firsts + (size - 1) / 2)
    return middles


def moved_apart(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the rms of what differs between frames: the place of the template is free."""
    error = found - truth
    return float(np.sqrt(np.mean(np.square(error - error.mean(axis=0)))))
