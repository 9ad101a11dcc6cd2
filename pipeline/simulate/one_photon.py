"""Simulated movies of a miniature one-photon microscope."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import norm

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
)
from pipeline.movie import Movie
from pipeline.simulate.activity import bleaching, draw_fluorescence, draw_spikes
from pipeline.simulate.cells import draw_centers
from pipeline.simulate.detector import Detector
from pipeline.simulate.displacement import draw_displacement
from pipeline.simulate.one_photon_params import OnePhotonParams
from pipeline.simulate.one_photon_tissue import (
    draw_blurred_footprints,
    draw_haze,
    draw_transmission,
    haze_shape,
    vignette,
)
from pipeline.simulate.scene import Scene, scene_margin_px
from pipeline.simulate.truth import Simulated

WORKING_COPIES = 6
"""Copies of a float32 frame that rendering and noise hold at a time."""


@dataclass(frozen=True, kw_only=True)
class VignettedScene:
    """A `FrameSource` of noiseless frames: the tissue moves, the shade of the optics does not."""

    scene: Scene
    """The tissue."""

    shade: NDArray[np.float32]
    """Part of the light that reaches each pixel, ``(n_rows, n_cols)``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames, n_rows, n_cols)``."""
        return self.scene.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return self.scene.dtype

    def __getitem__(self, frames: slice | int) -> NDArray[np.float32]:
        chosen = range(self.shape[0])[frames]
        if isinstance(chosen, int):
            return self.scene[chosen] * self.shade
        # one at a time: the bits of a product of matrices depend on their shapes
        return np.stack([self.scene[frame] * self.shade for frame in chosen])


@dataclass(frozen=True, kw_only=True)
class SimulatedOnePhoton(Simulated):
    """A one-photon movie and the truth behind it.

    Without motion and noise, frame ``t`` would be the offset plus ``footprints @ traces[:, t]``
    plus ``background(t)``, all in grey levels.
    """

    tissue: VignettedScene
    """What the movie shows."""

    footprints: sparse.csc_array
    """Shapes of the cells as they shine through, ``(n_pixels, n_cells)``, columns of norm 1."""

    traces: NDArray[np.float32]
    """Fluorescence of the cells without noise, bleaching included, ``(n_cells, n_frames)``."""

    params: OnePhotonParams
    """What was simulated."""

    @property
    def pixel_size_um(self) -> tuple[float, float]:
        """Size of a pixel, (row, column)."""
        return self.params.pixel_size_um, self.params.pixel_size_um

    @property
    def shifts_px(self) -> NDArray[np.float64]:
        """How far each frame's content lies from the reference, ``(n_frames, 2)``, rows first."""
        return self.tissue.scene.displacement.shifts_px

    def background(self, frame: int) -> NDArray[np.float32]:
        """Return all light of a frame that is not of the cells, ``(n_rows, n_cols)``."""
        scene = self.tissue.scene
        inner = slice(scene.margin_px, -scene.margin_px)
        images = scene.background_images[:, inner, inner]
        light = np.tensordot(scene.background_traces[:, frame], images, axes=1)
        return np.asarray(light * self.tissue.shade, np.float32)

    def peak_to_noise(self) -> NDArray[np.float64]:
        """Return the largest transient of each cell over the noise of a pixel, ``(n_cells,)``.

        Both are taken at the brightest pixel of the cell; the noise is that of single frames.
        """
        brightest = self.footprints.argmax(axis=0)
        weight = self.footprints.max(axis=0).toarray().ravel()
        light = self.background(0).ravel()[brightest]
        noise = np.sqrt(self.params.gain * light + self.params.read_noise**2)
        return np.asarray(weight * np.ptp(self.traces, axis=1) / noise, np.float64)


def simulate_one_photon(
    params: OnePhotonParams,
    *,
    rng: np.random.Generator,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> SimulatedOnePhoton:
    """Simulate a one-photon movie: cells in and out of focus, haze, vessels, shade and noise.

    Parameters
    ----------
    params : OnePhotonParams
        What the movie shows.
    rng : numpy.random.Generator
        Source of chance; an equal state gives equal bits, whatever the threads and the memory.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for frames under work; the movie, which is kept in memory, comes on top.
    progress : callable
        Called after each block; may raise to cancel.

    Returns
    -------
    SimulatedOnePhoton
        The movie and the truth behind it.

    Raises
    ------
    ValueError
        If the cells do not fit into the frame.
    """
    spikes = draw_spikes(params.shared, rng)
    centers_px = draw_centers(params.shared, rng)
    tissue = VignettedScene(
        scene=_draw_scene(params, spikes, centers_px, rng), shade=vignette(params)
    )
    sizes = (params.pixel_size_um, params.pixel_size_um)
    noiseless = Movie(source=tissue, rate_hz=params.rate_hz, pixel_size_um=sizes)
    movie = Movie(
        source=_record(
            noiseless,
            Detector(params=params.shared, seed=int(rng.integers(2**63))),
            memory_bytes=memory_bytes,
            threads=threads,
            progress=progress,
        ),
        rate_hz=params.rate_hz,
        pixel_size_um=sizes,
        name="simulated movie",
    )
    seen = sparse.diags_array(tissue.shade.ravel()) @ tissue.scene.footprints
    strength = norm(seen, axis=0)
    return SimulatedOnePhoton(
        movie=movie,
        noiseless=noiseless,
        tissue=tissue,
        footprints=sparse.csc_array(seen / strength),
        traces=(tissue.scene.traces * strength[:, np.newaxis]).astype(np.float32),
        spikes=spikes,
        centers_px=centers_px,
        params=params,
    )


def _draw_scene(
    params: OnePhotonParams,
    spikes: NDArray[np.int16],
    centers_px: NDArray[np.float64],
    rng: np.random.Generator,
) -> Scene:
    """Draw the tissue, in grey levels."""
    transmission = draw_transmission(params, haze_shape(params), rng)
    margin_px = scene_margin_px(params.shared)
    inner = slice(margin_px, -margin_px)
    shapes = draw_blurred_footprints(params, centers_px, rng)
    shapes = sparse.csc_array(sparse.diags_array(transmission[inner, inner].ravel()) @ shapes)
    sizes = norm(shapes, axis=0)
    grey = params.gain * bleaching(params.shared)
    traces = grey * sizes[:, np.newaxis] * draw_fluorescence(params.shared, spikes, rng)
    images, levels = draw_haze(params, transmission, rng)
    return Scene(
        footprints=sparse.csc_array(shapes / sizes),
        traces=traces.astype(np.float32),
        background_images=images.astype(np.float32),
        background_traces=(grey * levels).astype(np.float32),
        displacement=draw_displacement(params.shared, rng),
        margin_px=margin_px,
    )


def _record(
    noiseless: Movie,
    detector: Detector,
    *,
    memory_bytes: int,
    threads: int,
    progress: Progress,
) -> NDArray[np.uint16]:
    """Expose the whole movie, block by block."""
    blocks = frame_blocks(
        noiseless.n_frames,
        frame_bytes=WORKING_COPIES * noiseless.frame_bytes,
        memory_bytes=memory_bytes // (threads + 1),
    )
    recorded = np.empty(noiseless.shape, np.uint16)
    parts = map_blocks(
        detector.expose, noiseless, blocks, threads=threads, phase="simulating", progress=progress
    )
    for frames, part in zip(blocks, parts, strict=True):
        recorded[frames] = part
    return recorded
