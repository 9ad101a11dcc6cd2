"""What a file format gives back: an array as it is stored, and what the file says about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class StoredArray(Protocol):
    """An array on disk with its axes in the order of the file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Read a part: one slice for each axis, each with a positive step."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One array of a file, a movie or a part of one."""

    name: str
    """How messages call it."""

    array: StoredArray
    """The pixels; nothing is read before it is asked for."""

    axes: str = ""
    """A letter for each axis, where the file names them; else empty."""

    rate_hz: float | None = None
    """Frames (of a volume movie: volumes) per second, where the file tells."""

    pixel_size_um: Mapping[str, float] = field(default_factory=dict)
    """Size of a pixel along the axes ``Z``, ``Y``, ``X``, where the file tells."""

    channel_names: tuple[str, ...] = ()
    """Names of the channels, where the file tells."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    """``origin``, ``date`` and ``orig_meta`` of the file, as JSON values."""

    files: frozenset[Path] = frozenset()
    """Every file that the array is read from, resolved."""
