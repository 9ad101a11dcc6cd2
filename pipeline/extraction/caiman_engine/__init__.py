"""CaImAn as a second engine, in an interpreter of its own: nothing of it is imported here."""

from pipeline.extraction.caiman_engine.engine import Host, extract_with_caiman
from pipeline.extraction.caiman_engine.params import CaimanParams

__all__ = ["CaimanParams", "Host", "extract_with_caiman"]
