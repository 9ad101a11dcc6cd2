"""The field of view: which pixels there are, and how large a cell is on them."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Field(NamedTuple):
    """Pixels of a movie, or of its small copy."""

    frame_shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)``."""

    usable: NDArray[np.bool_]
    """Pixels that may belong to a cell or to the background, ``(n_pixels,)``."""

    gsig_px: tuple[float, ...]
    """Half-size of a cell along each axis."""

    @property
    def margin_px(self) -> tuple[int, ...]:
        """Half of a half-size, at least 1: how far a footprint may grow in one step."""
        return tuple(max(1, math.ceil(gsig_px / 2 - 0.5)) for gsig_px in self.gsig_px)
