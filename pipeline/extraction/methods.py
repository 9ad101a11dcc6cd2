"""The ways to find the sources of a movie: a name, its settings, its function.

A new way is one entry here; parameter sets, tables, commands and the app know it from then on.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.checks import check_one_of
from pipeline.extraction.caiman_engine import CaimanParams, extract_with_caiman
from pipeline.extraction.caiman_engine.engine import COPIES
from pipeline.extraction.cnmf import extract_sources
from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.measured import measure_rois
from pipeline.extraction.onephoton import CnmfeParams, extract_sources_one_photon
from pipeline.extraction.onephoton.bins import filed_bytes
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.sources import Sources
from pipeline.extraction.suitability import check_movie
from pipeline.extraction.volume import Cnmf3dParams, extract_sources_3d
from pipeline.extraction.volume.suitability import check_volume
from pipeline.movie import Movie


class Method(NamedTuple):
    """A way to find the sources of a movie."""

    params: type[Any]
    """Its settings, a frozen dataclass; among them ``border_px``, an edge without ROIs, where cells
    are sought."""

    extract: Callable[..., Sources]
    """``extract(movie, params, *, threads, memory_bytes, progress)``."""

    takes_seeds: bool = False
    """Whether it also takes ``seeds``, footprints to begin with."""

    is_guest: bool = False
    """Whether it runs in an interpreter of its own: it also takes ``host``, where that is."""

    movie_copies: float = 0.0
    """Float32 copies of the whole movie that it holds, besides the memory that it is given."""

    of_volumes: bool | None = False
    """Whether it works on movies with planes; the others work on one plane. None: on both."""

    needs_seeds: bool = False
    """Whether it does not seek cells, and only measures the footprints that it is given."""

    filed_bytes: Callable[..., int] | None = None
    """``filed_bytes(movie, params)`` of its copies of a movie in temporary files; None: they are no
    larger than the memory that it is given."""

    check: Callable[..., None] | None = None
    """``check(movie, params, *, memory_bytes)`` refuses a movie that it cannot work on, by what is
    known without its frames."""


def _check_shared(movie: Movie, params: Any, *, memory_bytes: int) -> None:
    """Refuse a movie by the settings that a method has in common with CNMF."""
    check_movie(movie, params.shared, memory_bytes=memory_bytes)


DEFAULT_METHOD = "cnmf"
MANUAL = "manual"
METHODS = {
    DEFAULT_METHOD: Method(CnmfParams, extract_sources, takes_seeds=True, check=check_movie),
    "cnmfe": Method(
        CnmfeParams,
        extract_sources_one_photon,
        takes_seeds=True,
        filed_bytes=filed_bytes,
        check=_check_shared,
    ),
    "caiman": Method(
        CaimanParams,
        extract_with_caiman,
        takes_seeds=True,
        is_guest=True,
        movie_copies=COPIES,
        check=_check_shared,
    ),
    "cnmf3d": Method(
        Cnmf3dParams, extract_sources_3d, takes_seeds=True, of_volumes=True, check=check_volume
    ),
    MANUAL: Method(ManualParams, measure_rois, takes_seeds=True, of_volumes=None, needs_seeds=True),
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


def why_not(name: str, *, n_planes: int) -> str | None:
    """Return in words why a method does not work on a movie, or None: it does.

    Parameters
    ----------
    name : str
        Of a method.
    n_planes : int
        Of the movie.

    Examples
    --------
    >>> why_not("cnmf", n_planes=4)
    'has 4 planes and cnmf works on one: use parameters of cnmf3d.'
    """
    if find_method(name).of_volumes in (None, n_planes > 1):
        return None
    others = [other for other, method in METHODS.items() if method.of_volumes is (n_planes > 1)]
    use = f"use parameters of {' or '.join(others)}."
    if n_planes > 1:
        return f"has {n_planes} planes and {name} works on one: {use}"
    return f"has one plane and {name} works on volumes: {use}"


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
