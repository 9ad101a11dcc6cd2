"""The ways to find the sources of a movie: a name, its settings, its function.

A new way is one entry here; parameter sets, tables, commands and the app know it from then on.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.checks import check_one_of
from pipeline.extraction.caiman_engine import CaimanParams, extract_with_caiman
from pipeline.extraction.caiman_engine.engine import COPIES
from pipeline.extraction.cnmf import extract_sources
from pipeline.extraction.onephoton import CnmfeParams, extract_sources_one_photon
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.sources import Sources


class Method(NamedTuple):
    """A way to find the sources of a movie."""

    params: type[Any]
    """Its settings, a frozen dataclass; among them ``border_px``, an edge without ROIs."""

    extract: Callable[..., Sources]
    """``extract(movie, params, *, threads, memory_bytes, progress)``."""

    takes_seeds: bool = False
    """Whether it also takes ``seeds``, footprints to begin with."""

    is_guest: bool = False
    """Whether it runs in an interpreter of its own: it also takes ``host``, where that is."""

    movie_copies: float = 0.0
    """Float32 copies of the whole movie that it holds, besides the memory that it is given."""


DEFAULT_METHOD = "cnmf"
METHODS = {
    DEFAULT_METHOD: Method(CnmfParams, extract_sources, takes_seeds=True),
    "cnmfe": Method(CnmfeParams, extract_sources_one_photon),
    "caiman": Method(
        CaimanParams, extract_with_caiman, takes_seeds=True, is_guest=True, movie_copies=COPIES
    ),
}


def find_method(name: str) -> Method:
    """Return the method of a name.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> find_method("cnmf").params.__name__
    'CnmfParams'
    """
    check_one_of("the method", name, tuple(METHODS))
    return METHODS[name]


def method_name(params: Any) -> str:
    """Return the name of the method that settings belong to.

    Raises
    ------
    TypeError
        If they belong to none.

    Examples
    --------
    >>> method_name(CnmfParams())
    'cnmf'
    """
    for name, method in METHODS.items():
        if type(params) is method.params:
            return name
    kinds = ", ".join(method.params.__name__ for method in METHODS.values())
    raise TypeError(f"settings of an extraction must be {kinds}; got {type(params).__name__}.")
