"""Movies with planted truth, and the score of what was found against it."""

from pipeline.simulate.modes import TWO_PHOTON_MODES
from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.score import Matches, match_rois, trace_correlations
from pipeline.simulate.two_photon import SimulatedMovie, simulate_two_photon
from pipeline.simulate.volume import SimulatedVolume, VolumeParams, simulate_volume

__all__ = [
    "TWO_PHOTON_MODES",
    "Matches",
    "SimulatedMovie",
    "SimulatedVolume",
    "TwoPhotonParams",
    "VolumeParams",
    "match_rois",
    "simulate_two_photon",
    "simulate_volume",
    "trace_correlations",
]
