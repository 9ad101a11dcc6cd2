"""A movie that is read only where it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.checks import check_in_range

MOVIE_NDIM = (3, 4)
MAX_RATE_HZ = 1e5


class FrameSource(Protocol):
    """What a movie reads from: a NumPy, Zarr or HDF5 array, or a reader's own lazy array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames[, n_planes], n_rows, n_cols)``."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        ...

    def __getitem__(self, frames: Any, /) -> Any:
        """Read a slice of frames."""
        ...


@dataclass(frozen=True, kw_only=True)
class Movie:
    """Frames on disk or in memory, with what is known about them.

    Raises
    ------
    ValueError
        If the source does not have three or four axes, or the rate is not a positive number.

    Examples
    --------
    >>> movie = Movie(source=np.zeros((100, 32, 48), np.uint16), rate_hz=30.0)
    >>> movie[10:20].shape
    (10, 32, 48)
    """

    source: FrameSource
    """The frames, ``(n_frames[, n_planes], n_rows, n_cols)``."""

    rate_hz: float | None = None
    """Frames (of a volume movie: volumes) per second; None where it is not known."""

    pixel_size_um: tuple[float, ...] | None = None
    """Size of a pixel in micrometres, ``([plane,] row, column)``; None where it is not known."""

    name: str = "movie"
    """How messages call it, usually the file name."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the source says about itself, as JSON values."""

    files: tuple[Path, ...] = ()
    """Every file (or Zarr folder) that it is read from, resolved; none for one in memory."""

    def __post_init__(self) -> None:
        shape = self.source.shape
        if len(shape) not in MOVIE_NDIM or 0 in shape:
            raise ValueError(
                f"{self.name} is not a movie: its axes must be time, [planes,] rows and columns, "
                f"none of them empty; got shape {tuple(shape)}."
            )
        if self.rate_hz is not None:
            check_in_range("rate_hz", self.rate_hz, 1e-6, MAX_RATE_HZ)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames[, n_planes], n_rows, n_cols)``."""
        return tuple(self.source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(self.source.dtype)

    @property
    def is_volume(self) -> bool:
        """Whether a frame has planes."""
        return len(self.shape) == max(MOVIE_NDIM)

    @property
    def n_frames(self) -> int:
        """Number of frames (of a volume movie: volumes)."""
        return self.shape[0]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """``([n_planes,] n_rows, n_cols)``."""
        return self.shape[1:]

    @property
    def frame_bytes(self) -> int:
        """Memory that one frame takes as it is stored."""
        return int(np.prod(self.frame_shape)) * self.dtype.itemsize

    @property
    def chunk_frames(self) -> int:
        """Frames that are stored together; part of a chunk takes as long to read as the whole."""
        return int(getattr(self.source, "chunk_frames", 1))

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, frames: slice | int) -> NDArray[Any]:
        """Read frames; a slice keeps the time axis, a number drops it."""
        return np.asarray(self.source[frames])

    def require_rate_hz(self) -> float:
        """Return the rate, or refuse.

        Raises
        ------
        ValueError
            If the rate is not known.
        """
        if self.rate_hz is None:
            raise ValueError(
                f"the frame rate of {self.name} is not known; give it (--rate-hz, or rate_hz=) "
                "or a metadata file."
            )
        return self.rate_hz
