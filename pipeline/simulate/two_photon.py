"""Simulated two-photon movies."""

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
from pipeline.simulate.cells import draw_centers, draw_footprints
from pipeline.simulate.detector import Detector
from pipeline.simulate.displacement import draw_displacement
from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.recording import WRITERS, record
from pipeline.simulate.scene import Scene, draw_background, scene_margin_px
from pipeline.simulate.truth import SimulatedScene


@dataclass(frozen=True, kw_only=True)
class SimulatedMovie(SimulatedScene):
    """A movie of one plane and the truth behind it."""

    scene: Scene
    """What the movie shows, before motion."""

    params: TwoPhotonParams
    """What was simulated."""

    @property
    def footprints(self) -> sparse.csc_array:
        """Shapes of the cells, ``(n_pixels, n_cells)``, pixels in C order, columns of norm 1."""
        return self.scene.footprints

    @property
    def background_images(self) -> NDArray[np.float32]:
        """The static background, then the neuropil modes, ``(n_modes, n_rows, n_cols)``."""
        inner = slice(self.scene.margin_px, -self.scene.margin_px)
        return self.scene.background_images[:, inner, inner]

    @property
    def pixel_size_um(self) -> tuple[float, float]:
        """Size of a pixel, (row, column)."""
        return self.params.pixel_size_um, self.params.pixel_size_um


def simulate_two_photon(
    params: TwoPhotonParams,
    *,
    rng: np.random.Generator,
    out: Path | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> SimulatedMovie:
    """Simulate a two-photon movie: cells, neuropil, bleaching, motion and photon noise.

    The motion moves a noiseless scene that is larger than the frame; the noise comes after, so
    that it is as independent between pixels as a detector's.

    Parameters
    ----------
    params : TwoPhotonParams
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
    SimulatedMovie
        The movie and the truth behind it.

    Raises
    ------
    ValueError
        If the cells do not fit into the frame, or the suffix of ``out`` is unknown.
    """
    if out is not None:
        check_one_of("the suffix of out", out.suffix.lower(), tuple(WRITERS))
    spikes = draw_spikes(params, rng)
    centers_px = draw_centers(params, rng)
    scene = _draw_scene(params, spikes, centers_px, rng)
    pixel_size_um = (params.pixel_size_um, params.pixel_size_um)
    noiseless = Movie(source=scene, rate_hz=params.rate_hz, pixel_size_um=pixel_size_um)
    detector = Detector(params=params, seed=int(rng.integers(2**63)))
    movie = record(
        noiseless,
        detector,
        out=out,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    return SimulatedMovie(
        movie=movie,
        noiseless=noiseless,
        scene=scene,
        spikes=spikes,
        centers_px=centers_px,
        params=params,
    )


def _draw_scene(
    params: TwoPhotonParams,
    spikes: NDArray[np.int16],
    centers_px: NDArray[np.float64],
    rng: np.random.Generator,
) -> Scene:
    """Draw what the movie shows, in grey levels."""
    shapes = draw_footprints(params, centers_px, rng)
    sizes = norm(shapes, axis=0)
    grey = params.gain * bleaching(params)
    traces = grey * sizes[:, np.newaxis] * draw_fluorescence(params, spikes, rng)
    images, levels = draw_background(params, rng)
    return Scene(
        footprints=sparse.csc_array(shapes / sizes),
        traces=traces.astype(np.float32),
        background_images=images.astype(np.float32),
        background_traces=(grey * levels).astype(np.float32),
        displacement=draw_displacement(params, rng),
        margin_px=scene_margin_px(params),
    )
