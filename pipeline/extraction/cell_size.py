"""How large a cell is on the pixels of a movie, where the settings leave it open."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pipeline.checks import check_in_range
from pipeline.movie import Movie

CELL_RADIUS_UM = 5.0
"""Of the body of a neuron: its half-size, whatever the microscope."""

CELL_GSIGS = 4
"""Size of a whole cell, in half-sizes."""

MIN_GSIG_PX = {"planes": 0.1, "rows": 1, "columns": 1}
MAX_GSIG_PX = 100
DIGITS = 2

Params = TypeVar("Params")


def for_movie(params: Params, movie: Movie) -> Params:
    """Return settings that say how large a cell is on the pixels of a movie.

    Parameters
    ----------
    params : dataclass instance
        Settings of an extraction.
    movie : Movie
        What it works on.

    Returns
    -------
    dataclass instance
        See `for_frame`.
    """
    return for_frame(params, movie.frame_shape, movie.pixel_size_um)


def for_frame(
    params: Params, frame_shape: Sequence[int], pixel_size_um: Sequence[float] | None
) -> Params:
    """Return settings that say how large a cell is on the pixels of a frame.

    Parameters
    ----------
    params : dataclass instance
        Settings of an extraction; those that say it, or have no such field, stay as they are.
    frame_shape : sequence of int
        ``([n_planes,] n_rows, n_cols)``.
    pixel_size_um : sequence of float or None
        Along these axes; None: it is not known.

    Returns
    -------
    dataclass instance
        ``gsig_px`` is that of a cell of `CELL_RADIUS_UM`, no less than a cell needs to be seen and
        no more than fits the frame. Of pixels of unknown size, it is ``USUAL_GSIG_PX``.

    Examples
    --------
    >>> from pipeline.extraction.params import CnmfParams
    >>> for_frame(CnmfParams(), (512, 512), (0.5, 0.5)).gsig_px
    (10.0, 10.0)
    >>> for_frame(CnmfParams(), (512, 512), None).gsig_px
    (5.0, 5.0)
    """
    settings: Any = params
    if getattr(settings, "gsig_px", ()) is not None:
        return params
    gsig_px = settings.USUAL_GSIG_PX
    n_axes = len(gsig_px)
    if pixel_size_um is not None and len(pixel_size_um) >= n_axes:
        sizes = zip(frame_shape[-n_axes:], pixel_size_um[-n_axes:], settings.AXES, strict=True)
        gsig_px = tuple(_half_size(length, size_um, axis) for length, size_um, axis in sizes)
    fitted: Params = replace(settings, **_changes(settings, gsig_px))
    return fitted


def known_half_sizes(gsig_px: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return half-sizes that are known.

    Raises
    ------
    ValueError
        If they are not.
    """
    if gsig_px is None:
        raise ValueError(
            "gsig_px follows from the pixel size of a movie, which these settings do not know; "
            "take for_movie(params, movie) of pipeline.extraction.cell_size, or give gsig_px."
        )
    return gsig_px


def check_half_sizes(gsig_px: Any, axes: Sequence[str], axes_in_words: str) -> None:
    """Refuse half-sizes that are not one number an axis, each in its range; None is none yet.

    Raises
    ------
    ValueError
        If they are not.
    """
    if gsig_px is None:
        return
    if not isinstance(gsig_px, Sequence) or len(gsig_px) != len(axes):
        raise ValueError(
            f"gsig_px must be {axes_in_words}, or null to follow from the pixel size; "
            f"got {gsig_px!r}."
        )
    for axis, number in zip(axes, gsig_px, strict=True):
        check_in_range("gsig_px", number, MIN_GSIG_PX[axis], MAX_GSIG_PX)


def _half_size(length: int, size_um: float, axis: str) -> float:
    """Return the half-size of a cell along an axis, in its pixels."""
    most = length if axis == "planes" else length / CELL_GSIGS
    wanted = min(CELL_RADIUS_UM / size_um, most, MAX_GSIG_PX)
    return max(MIN_GSIG_PX[axis], round(wanted, DIGITS))


def _changes(settings: Any, gsig_px: tuple[float, ...]) -> dict[str, Any]:
    """Return what follows from the half-size of a cell: also a patch, if there is one, holds it."""
    patch_px = getattr(settings, "patch_half_px", None)
    if patch_px is None:
        return {"gsig_px": gsig_px}
    widest = math.ceil(CELL_GSIGS * max(gsig_px))
    return {"gsig_px": gsig_px, "patch_half_px": max(patch_px, widest)}
