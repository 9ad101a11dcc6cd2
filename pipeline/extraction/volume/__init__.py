"""Cells of a volume: all planes together, or plane by plane."""

from pipeline.extraction.volume.engine import extract_sources_3d
from pipeline.extraction.volume.params import Cnmf3dParams

__all__ = ["Cnmf3dParams", "extract_sources_3d"]
