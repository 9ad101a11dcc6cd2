"""Cells, their traces and the background, from a motion-corrected movie."""

from pipeline.extraction.cnmf import extract_sources
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.sources import Background, Quality, Sources

__all__ = ["Background", "CnmfParams", "Quality", "Sources", "extract_sources"]
