"""What is left of a movie without what is known of it, worked out where it is asked for.

Nothing that is as long as the movie is held.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction.field import Field
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.ring import RingBackground
from pipeline.movie import FrameSource
from pipeline.scratch import put_aside


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A `FrameSource` of a movie without background and known cells."""

    frames: FrameSource
    """The movie, ``(n_frames, n_pixels)``."""

    background: RingBackground
    """Its background."""

    cells: Cells
    """What is known of its cells."""

    field: Field
    """Its pixels; those that are not usable are 0."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames, n_rows, n_cols)``."""
        return self.frames.shape[0], *self.field.frame_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one pixel."""
        return np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[np.float32]:
        rest = self.background.subtract(frames, self.frames[frames])
        rest -= (self.cells.footprints @ self.cells.calcium[:, frames]).T
        put_aside(self.cells.calcium)
        rest[:, ~self.field.usable] = 0
        return rest.reshape(-1, *self.field.frame_shape)


@dataclass(frozen=True, kw_only=True)
class RestOfBlocks:
    """A `FrameSource` of the means of blocks without their level and known cells."""

    coarse: FrameSource
    """The means, ``(n_frames, n_blocks)``."""

    background: RingBackground
    """What is known of level and cells."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_frames, n_blocks)``."""
        return self.coarse.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one value."""
        return np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[np.float32]:
        return self.background.without_cells(self.coarse[frames], frames)
