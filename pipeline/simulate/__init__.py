"""Movies with planted truth, and the score of what was found against it."""

from pipeline.simulate.modes import TWO_PHOTON_MODES
from pipeline.simulate.one_photon import SimulatedOnePhoton, simulate_one_photon
from pipeline.simulate.one_photon_params import OnePhotonParams
from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.processes import ProcessParams, SimulatedProcesses, simulate_processes
from pipeline.simulate.score import Matches, match_rois, trace_correlations
from pipeline.simulate.two_photon import SimulatedMovie, simulate_two_photon
from pipeline.simulate.volume import SimulatedVolume, VolumeParams, simulate_volume

__all__ = [
    "TWO_PHOTON_MODES",
    "Matches",
    "OnePhotonParams",
    "ProcessParams",
    "SimulatedMovie",
    "SimulatedOnePhoton",
    "SimulatedProcesses",
    "SimulatedVolume",
    "TwoPhotonParams",
    "VolumeParams",
    "match_rois",
    "simulate_one_photon",
    "simulate_processes",
    "simulate_two_photon",
    "simulate_volume",
    "trace_correlations",
]
