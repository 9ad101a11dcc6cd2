"""What simulated movies have in common: the movie, and the truth behind it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.movie import Movie
from pipeline.simulate.activity import bleaching
from pipeline.simulate.displacement import Displacement
from pipeline.simulate.one_photon_params import OnePhotonParams
from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.scene import Scene
from pipeline.simulate.volume_params import VolumeParams
from pipeline.simulate.volume_scene import VolumeScene


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A movie and the truth behind it."""

    movie: Movie
    """The noisy movie, uint16, ``(n_frames[, n_planes], n_rows, n_cols)``."""

    noiseless: Movie
    """The same before noise and offset, float32, rendered on reading."""

    spikes: NDArray[np.int16]
    """Number of spikes in each frame, ``(n_cells, n_frames)``."""

    centers_px: NDArray[np.float64]
    """Centres of the cells, ``(n_cells, n_axes)``: ([plane,] row, column)."""

    params: TwoPhotonParams | OnePhotonParams | VolumeParams
    """What was simulated."""

    @property
    def rate_hz(self) -> float:
        """Frames (volumes) per second."""
        return self.params.rate_hz

    @property
    def decay_time_s(self) -> float:
        """Time constant of the decay of a transient, in seconds."""
        return self.params.decay_time_s


@dataclass(frozen=True, kw_only=True)
class SimulatedScene(Simulated):
    """A movie of a scene that is bleached and moves as a whole.

    Without motion and noise, frame ``t`` would be the offset plus ``footprints @ traces[:, t]``
    plus the background images weighted with ``background_traces[:, t]``, all in grey levels.
    """

    scene: Scene | VolumeScene
    """What the movie shows, before motion."""

    params: TwoPhotonParams | VolumeParams
    """What was simulated."""

    @property
    def traces(self) -> NDArray[np.float32]:
        """Fluorescence of the cells without noise, bleaching included, ``(n_cells, n_frames)``."""
        return self.scene.traces

    @property
    def background_images(self) -> NDArray[np.float32]:
        """The static background, then the neuropil modes, ``(n_modes, *frame_shape)``."""
        raise NotImplementedError

    @property
    def background_traces(self) -> NDArray[np.float32]:
        """Their course in time, bleaching included, ``(n_modes, n_frames)``."""
        return self.scene.background_traces

    @property
    def background(self) -> NDArray[np.float32]:
        """Mean of the background over time, of the shape of a frame."""
        level = self.background_traces.mean(axis=1)
        return np.asarray(np.tensordot(level, self.background_images, axes=1), np.float32)

    @property
    def bleaching(self) -> NDArray[np.float64]:
        """Fluorescence that is left at each frame, 1 at the first, ``(n_frames,)``."""
        return bleaching(self.params)

    @property
    def displacement(self) -> Displacement:
        """The motion; its ``field_px(frame)`` says where every pixel went, rigid shift included."""
        return self.scene.displacement

    @property
    def shifts_px(self) -> NDArray[np.float64]:
        """How far each frame's content lies from the reference, ``(n_frames, n_axes)``."""
        return self.displacement.shifts_px
