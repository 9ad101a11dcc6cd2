"""The corrected movie on disk: a Zarr array of real or of scaled whole numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from pipeline.motion.patches import Lengths
from pipeline.movie import FrameSource, Movie
from pipeline.scaled import Scale, scale_attributes, scale_for, stored_values, unscaled

CHUNK_PX = 128

OVERSHOOT = 0.46
"""How far, relative to the range of the values, interpolation can go beyond it on either side:
the absolute weights of cubic convolution over six pixels sum up to 1.375 along an axis."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where corrected frames go."""

    array: Any
    """The Zarr array, ``(n_frames[, n_planes], n_rows, n_cols)``."""

    dtype: str
    """Type of its pixels."""

    scale: Scale | None
    """What its pixels mean, if they are whole numbers."""

    cropped_px: Lengths
    """Planes, rows and columns that are cut off on each side."""

    @property
    def frames(self) -> FrameSource:
        """The corrected frames, float32."""
        return unscaled(self.array)

    def write(self, block: slice, frames: NDArray[np.float32]) -> None:
        """Write frames ``(n_frames, n_planes, n_rows, n_cols)``."""
        kept = frames[:, *(slice(width, -width or None) for width in self.cropped_px)]
        values = stored_values(kept, self.dtype, self.scale) if self.scale else kept
        self.array[block] = values.reshape(-1, *self.array.shape[1:])


def create_output(
    out: Path,
    movie: Movie,
    *,
    chunk_frames: int,
    dtype: str,
    scale: Scale | None,
    cropped_px: Lengths,
) -> Output:
    """Create the Zarr array of a corrected movie, compressed fast.

    A chunk is some frames long, so that frames come quickly one after the other, and a part of
    the frame wide, so that the course of a patch in time comes without the rest of the frame.

    Parameters
    ----------
    out : Path
        Where; must not exist.
    movie : Movie
        What is corrected: its shape before the edges are cut off, and the size of its pixels.
    chunk_frames : int
        Length of a chunk.
    dtype : str
        Type of the pixels.
    scale : Scale or None
        What they mean, if they are whole numbers.
    cropped_px : tuple of int
        Planes, rows and columns to cut off on each side.
    """
    size = {"pixel_size_um": list(movie.pixel_size_um)} if movie.pixel_size_um else {}
    n_frames, *frame_shape = movie.shape
    widths = cropped_px[-len(frame_shape) :]
    kept = (length - 2 * width for length, width in zip(frame_shape, widths, strict=True))
    shape = n_frames, *kept
    tile = tuple(min(length, CHUNK_PX) for length in shape[-2:])
    array = zarr.create_array(
        store=out,
        shape=shape,
        chunks=(min(chunk_frames, shape[0]), *(1 for _ in shape[1:-2]), *tile),
        dtype=dtype,
        compressors=BloscCodec(
            cname="lz4", clevel=1, shuffle="bitshuffle", typesize=np.dtype(dtype).itemsize
        ),
        # looking whether a chunk is empty costs more than writing it
        config={"write_empty_chunks": True},
        attributes=scale_attributes(scale) | size,
    )
    return Output(array=array, dtype=dtype, scale=scale, cropped_px=cropped_px)


def output_scale(dtype: str, limits: NDArray[np.float64]) -> Scale | None:
    """Return the scale at which no pixel of a corrected movie is clipped; None for real numbers.

    Parameters
    ----------
    dtype : str
        Type of the pixels.
    limits : array, (n_frames, 2)
        Least and largest pixel of each recorded frame.

    Raises
    ------
    ValueError
        If a pixel is NaN or infinite, which no whole number says.
    """
    if dtype == "float32":
        return None
    low, high = float(limits[:, 0].min()), float(limits[:, 1].max())
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"the movie has pixels that are NaN or infinite, which {dtype} cannot hold; "
            "set dtype to 'float32'."
        )
    room = OVERSHOOT * (high - low)
    return scale_for(dtype, low - room, high + room)
