"""Kinds of two-photon movies to measure with, from good to difficult."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.simulate.params import TwoPhotonParams

EASY = TwoPhotonParams(
    n_frames=2000, n_cells=150, cell_photons=45.0, background_photons=15.0, neuropil_photons=6.0
)
"""Good signal: 150 cells that hardly overlap."""

DENSE_DIM = TwoPhotonParams(
    n_frames=2000,
    n_cells=220,
    min_distance_um=7.0,
    cell_photons=5.5,
    background_photons=6.0,
    neuropil_photons=8.0,
    neuropil_fluctuation=0.22,
    neuropil_width_um=20.0,
)
"""220 dim cells that overlap, in strong neuropil that differs from place to place."""

LARGE = TwoPhotonParams(
    n_frames=3000,
    n_rows=512,
    n_cols=512,
    n_cells=600,
    cell_photons=45.0,
    background_photons=15.0,
    neuropil_photons=6.0,
)
"""A large frame: 600 cells of good signal."""

TWO_PHOTON_MODES: Mapping[str, TwoPhotonParams] = MappingProxyType(
    {"easy": EASY, "dense-dim": DENSE_DIM, "large": LARGE}
)
"""The kinds by name."""
