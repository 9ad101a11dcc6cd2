"""The recorded frame that footprints are of, and whether it is that of a recording."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.settings import ProjectError


class SeedFrame(NamedTuple):
    """The recorded frame that footprints are of."""

    n_pixels: int
    """0: it is not known."""

    shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)``; empty: it is not known."""


def check_frame(frame: SeedFrame, recorded: tuple[int, ...]) -> None:
    """Refuse footprints of other frames than those of a recording.

    Parameters
    ----------
    frame : SeedFrame
        Of the footprints.
    recorded : tuple of int
        ``([n_planes,] n_rows, n_cols)`` of the recording.

    Raises
    ------
    ProjectError
        If they are others.
    """
    if frame.shape in ((), recorded) and frame.n_pixels in (0, math.prod(recorded)):
        return
    of = " x ".join(map(str, frame.shape)) or f"{frame.n_pixels} pixels"
    raise ProjectError(
        f"the seeds are of a frame of {of}, and the frames of this recording have "
        f"{' x '.join(map(str, recorded))} pixels; give masks of these frames."
    )


def frame_of(row: Mapping[str, Any]) -> SeedFrame:
    """Return the frame that a row of ``SeedMasks`` is of."""
    lengths = row["n_planes"], row["n_rows"], row["n_cols"]
    return SeedFrame(row["n_pixels"], tuple(length for length in lengths if length))
