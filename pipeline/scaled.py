"""Pixels stored as whole numbers, with a scale and an offset that make them real again."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.movie import FrameSource

SCALE_ATTRIBUTE, OFFSET_ATTRIBUTE = "scale_factor", "add_offset"
"""Names of the CF convention, which other programs know."""


class Scale(NamedTuple):
    """What stored numbers mean: ``value = factor * stored + offset``."""

    factor: float
    """Size of a step."""

    offset: float
    """Value of a stored zero."""


class ScaledArray:
    """A `FrameSource` of float32 frames that are stored as whole numbers.

    Parameters
    ----------
    stored : array
        The whole numbers, ``(n_frames[, n_planes], n_rows, n_cols)``.
    scale : Scale
        What they mean.

    Examples
    --------
    >>> ScaledArray(np.array([[[0, 4]]], np.uint16), Scale(0.5, 10.0))[0]
    array([[10., 12.]], dtype=float32)
    """

    def __init__(self, stored: FrameSource, scale: Scale) -> None:
        self.stored = stored
        self.scale = scale

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames[, n_planes], n_rows, n_cols)``."""
        return tuple(self.stored.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(np.float32)

    @property
    def chunks(self) -> Any:
        """Lengths of a stored chunk along each axis; None where there are no chunks."""
        return getattr(self.stored, "chunks", None)

    def __getitem__(self, frames: Any) -> NDArray[np.float32]:
        values = np.asarray(self.stored[frames], np.float32)
        return values * np.float32(self.scale.factor) + np.float32(self.scale.offset)


def scale_for(dtype: str, low: float, high: float) -> Scale:
    """Return the scale at which a whole number type holds values between two limits.

    Parameters
    ----------
    dtype : str
        A type of whole numbers.
    low, high : float
        Least and largest value.
    """
    limits = np.iinfo(dtype)
    # two steps are left for rounding
    factor = (high - low) / (int(limits.max) - int(limits.min) - 2) if high > low else 1.0
    return Scale(factor, low - factor * (int(limits.min) + 1))


def stored_values(values: NDArray[np.float32], dtype: str, scale: Scale) -> NDArray[Any]:
    """Return the whole numbers nearest to values; none may be NaN or out of range.

    Parameters
    ----------
    values : array
        What is to be stored.
    dtype : str
        A type of whole numbers.
    scale : Scale
        From `scale_for`.
    """
    steps = (values - np.float32(scale.offset)) / np.float32(scale.factor)
    return np.asarray(np.rint(steps, out=steps).astype(dtype))


def scale_attributes(scale: Scale | None) -> dict[str, Any]:
    """Return the attributes of an array that say its scale, if it has one."""
    if scale is None:
        return {}
    return {SCALE_ATTRIBUTE: scale.factor, OFFSET_ATTRIBUTE: scale.offset}


def unscaled(stored: Any) -> FrameSource:
    """Return an array as it is meant: float32 if its attributes say a scale, else as it is."""
    attributes = dict(stored.attrs)
    if SCALE_ATTRIBUTE not in attributes:
        source: FrameSource = stored
        return source
    scale = Scale(attributes[SCALE_ATTRIBUTE], attributes.get(OFFSET_ATTRIBUTE, 0.0))
    return ScaledArray(stored, scale)
