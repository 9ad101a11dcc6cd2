"""The movies on which the extraction of cells is measured.

One parameter set serves all two-photon scenes, one all one-photon scenes, one all volumes: their
defaults. No planted cell ever leaves the field of view, so that each of them can be found.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pipeline.simulate import (
    TWO_PHOTON_MODES,
    OnePhotonParams,
    SimulatedMovie,
    SimulatedOnePhoton,
    SimulatedVolume,
    TwoPhotonParams,
    VolumeParams,
    simulate_one_photon,
    simulate_two_photon,
    simulate_volume,
)

RATE_HZ = 30.0
Simulated = SimulatedMovie | SimulatedOnePhoton | SimulatedVolume


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A kind of movie, and how cells are sought in it."""

    simulate: Callable[[np.random.Generator, Path], Simulated]
    """Writes a TIFF and returns the truth."""

    method: str = "cnmf"
    """A name in `pipeline.extraction.methods`."""

    settings: str = "{}"
    """Values of its parameter set that differ from the defaults, as JSON."""

    motion: str = "{}"
    """Values of motion correction that differ from the defaults, as JSON; null: a still movie is
    not corrected."""

    rate_hz: float = RATE_HZ
    """Frames (volumes) per second."""


def _two_photon(params: TwoPhotonParams) -> Scene:
    """Return the scene of a two-photon movie."""
    return Scene(simulate=lambda rng, out: simulate_two_photon(params, rng=rng, out=out))


def _one_photon(params: OnePhotonParams) -> Scene:
    """Return the scene of a still one-photon movie."""

    def simulate(rng: np.random.Generator, out: Path) -> SimulatedOnePhoton:
        simulated = simulate_one_photon(params, rng=rng)
        tifffile.imwrite(out, simulated.movie[:], bigtiff=True, photometric="minisblack")
        return simulated

    return Scene(simulate=simulate, method="cnmfe", motion="null", rate_hz=params.rate_hz)


def _volume(**changes: Any) -> Scene:
    """Return a scene of a volume; cells of 6.6 um blurred by 3 um lie on planes 5 um apart."""
    params = VolumeParams(**changes)
    return Scene(
        simulate=lambda rng, out: simulate_volume(params, rng=rng, out=out),
        method="cnmf3d",
        settings='{"gsig_px": [1.2, 5, 5]}',
        motion='{"max_shift_px": [2, 12, 12]}',
        rate_hz=params.rate_hz,
    )


def _grown(n_frames: int, side_px: int) -> Scene:
    """Return the scene of good signal with another size, as many cells on each square pixel."""
    easy = TWO_PHOTON_MODES["easy"]
    n_cells = round(easy.n_cells * (side_px / easy.n_rows) ** 2)
    return _two_photon(
        replace(easy, n_frames=n_frames, n_rows=side_px, n_cols=side_px, n_cells=n_cells)
    )


STILL = {"max_shift_px": 0.0, "max_deviation_px": 0.0, "jump_rate_hz": 0.0}
SCENES = {name: _two_photon(params) for name, params in TWO_PHOTON_MODES.items()}
SCENES["one-photon"] = _one_photon(OnePhotonParams.moderate())
SCENES["one-photon-hard"] = _one_photon(OnePhotonParams.hard())
SCENES["volume"] = _volume()
SCENES["volume-still"] = _volume(max_plane_shift_px=0.0, **STILL)

GROWTH = {
    f"{side_px} x {side_px} x {n_frames}": (_grown(n_frames, side_px), side_px**2 * n_frames)
    for side_px, n_frames in ((256, 1000), (256, 3000), (256, 10_000), (128, 3000), (512, 3000))
}
"""Scenes of more and more frames and pixels, with the number of values of each."""
