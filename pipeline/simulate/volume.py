"""Simulated volumetric movies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import norm

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.checks import check_one_of
from pipeline.movie import Movie
from pipeline.simulate.activity import bleaching, draw_fluorescence, draw_spikes
from pipeline.simulate.detector import Detector
from pipeline.simulate.displacement import draw_volume_displacement
from pipeline.simulate.recording import WRITERS, record
from pipeline.simulate.scene import scene_margin_px
from pipeline.simulate.truth import SimulatedScene
from pipeline.simulate.volume_params import VolumeParams
from pipeline.simulate.volume_scene import (
    VolumeScene,
    draw_volume_background,
    draw_volume_centers,
    draw_volume_footprints,
    plane_samples,
    scene_shape,
)

__all__ = ["SimulatedVolume", "VolumeParams", "simulate_volume"]


@dataclass(frozen=True, kw_only=True)
class SimulatedVolume(SimulatedScene):
    """A volumetric movie and the truth behind it."""

    scene: VolumeScene
    """What the movie shows, before motion."""

    params: VolumeParams
    """What was simulated."""

    @property
    def footprints(self) -> sparse.csc_array:
        """Shapes of the cells in the planes at rest, ``(n_pixels, n_cells)``.

        Pixels are in C order of planes, rows and columns; columns have norm 1.
        """
        n_pixels = self.params.n_rows * self.params.n_cols
        rows = np.arange(n_pixels) + n_pixels * np.array(self.scene.planes)[:, np.newaxis]
        return sparse.csc_array(self.scene.footprints[rows.ravel()])

    @property
    def background_images(self) -> NDArray[np.float32]:
        """The static background, then the neuropil, ``(n_modes, n_planes, n_rows, n_cols)``."""
        inner = slice(self.scene.margin_px, -self.scene.margin_px)
        return self.scene.background_images[:, list(self.scene.planes), inner, inner]

    @property
    def pixel_size_um(self) -> tuple[float, float, float]:
        """Distance of planes, and size of a pixel, (plane, row, column)."""
        size_um = self.params.pixel_size_um
        return self.params.plane_spacing_um, size_um, size_um


def simulate_volume(
    params: VolumeParams,
    *,
    rng: np.random.Generator,
    out: Path | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> SimulatedVolume:
    """Simulate a volumetric two-photon movie: as `simulate_two_photon`, in three dimensions.

    Cells are balls that the optics lengthen along the axis; all planes of a volume are taken at
    once, and move along the axis as well.

    Parameters
    ----------
    params : VolumeParams
        What the movie shows.
    rng : numpy.random.Generator
        Source of chance; an equal state gives equal bits, whatever the threads and the memory.
    out : Path, optional
        A ``.tif``, ``.tiff`` or ``.npy`` file to write, block by block; without it the movie is
        kept in memory.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for frames under work.
    progress : callable
        Called after each block; may raise to cancel.

    Returns
    -------
    SimulatedVolume
        The movie and the truth behind it.

    Raises
    ------
    ValueError
        If the cells do not fit into the volume, or the suffix of ``out`` is unknown.
    """
    if out is not None:
        check_one_of("the suffix of out", out.suffix.lower(), tuple(WRITERS))
    spikes = draw_spikes(params, rng)
    centers_px = draw_volume_centers(params, rng)
    scene = _draw_scene(params, spikes, centers_px, rng)
    size_um = params.plane_spacing_um, params.pixel_size_um, params.pixel_size_um
    noiseless = Movie(source=scene, rate_hz=params.rate_hz, pixel_size_um=size_um)
    detector = Detector(params=params, seed=int(rng.integers(2**63)))
    movie = record(
        noiseless, detector, out=out, threads=threads, memory_bytes=memory_bytes, progress=progress
    )
    return SimulatedVolume(
        movie=movie,
        noiseless=noiseless,
        scene=scene,
        spikes=spikes,
        centers_px=centers_px,
        params=params,
    )


def _draw_scene(
    params: VolumeParams,
    spikes: NDArray[np.int16],
    centers_px: NDArray[np.float64],
    rng: np.random.Generator,
) -> VolumeScene:
    """Draw what the movie shows, in grey levels."""
    shapes = draw_volume_footprints(params, centers_px, rng)
    planes = plane_samples(params)
    seen = np.isin(np.arange(scene_shape(params)[0]), planes)
    seen = np.repeat(seen, params.n_rows * params.n_cols)
    sizes = norm(shapes[seen], axis=0)
    grey = params.gain * bleaching(params)
    traces = grey * sizes[:, np.newaxis] * draw_fluorescence(params, spikes, rng)
    images, levels = draw_volume_background(params, rng)
    return VolumeScene(
        footprints=sparse.csc_array(shapes / sizes),
        traces=traces.astype(np.float32),
        background_images=images.astype(np.float32),
        background_traces=(grey * levels).astype(np.float32),
        displacement=draw_volume_displacement(params, rng),
        margin_px=scene_margin_px(params),
        planes=planes,
    )
