"""Movies with planted truth, and the score of what was found against it."""

from pipeline.simulate.params import TwoPhotonParams
from pipeline.simulate.score import Matches, match_rois
from pipeline.simulate.two_photon import SimulatedMovie, simulate_two_photon

__all__ = ["Matches", "SimulatedMovie", "TwoPhotonParams", "match_rois", "simulate_two_photon"]
