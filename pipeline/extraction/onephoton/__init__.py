"""Cells, their traces and the background of one-photon movies: CNMF-E."""

from pipeline.extraction.onephoton.engine import extract_sources_one_photon
from pipeline.extraction.onephoton.params import CnmfeParams

__all__ = ["CnmfeParams", "extract_sources_one_photon"]
