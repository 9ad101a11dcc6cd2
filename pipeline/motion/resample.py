"""Undo a displacement: one interpolation a frame."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.interpolation import undo_field

NEGLIGIBLE_PX = 0.05
"""Content that lies no further outside of the frame than this is not missed."""


def resample(
    images: NDArray[np.float32],
    field_px: NDArray[np.float32],
    *,
    border: str = "copy",
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Fetch each pixel from where the displacement took it.

    Parameters
    ----------
    images : array, (n_planes, n_rows, n_cols)
        A frame.
    field_px : array, (2, n_rows, n_cols) or (2, 1, 1)
        How far the content lies from the reference, everywhere or as a whole; equal for all planes.
    border : str
        What becomes of pixels whose content lies outside of the frame: 'nan' marks them, else
        they repeat the nearest.
    out : array, (n_planes, n_rows, n_cols), optional
        Where to write.

    Returns
    -------
    array, (n_planes, n_rows, n_cols)
        The frame without displacement, a copy. NaN spreads to the pixels around it, three away at
        most along each axis.

    Notes
    -----
    Cubic convolution over six pixels, first along rows, then along columns: exact for polynomials
    of the third degree, and without error of place.

    References
    ----------
    Keys, IEEE Trans. Acoust. 29, 1153 (1981), doi:10.1109/TASSP.1981.1163711.
    """
    moved = np.empty(images.shape, np.float32) if out is None else out
    if not field_px.any():
        moved[:] = images
        return moved
    field = np.ascontiguousarray(
        np.broadcast_to(field_px, (*field_px.shape[:2], images.shape[2])), np.float32
    )
    reach = ceil(np.abs(field[1]).max())
    for image, target in zip(images, moved, strict=True):
        undo_field(np.ascontiguousarray(image), field, reach, target)
    if border == "nan":
        moved[:, ~_inside(images.shape[1:], field)] = np.nan
    return moved


def _inside(frame_shape: tuple[int, ...], field: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are fetched from inside of the frame."""
    rows, cols = (np.arange(length, dtype=np.float32) for length in frame_shape)
    down, right = rows[:, np.newaxis] + field[0], cols + field[1]
    last_row, last_col = (length - 1 + NEGLIGIBLE_PX for length in frame_shape)
    in_rows = (down >= -NEGLIGIBLE_PX) & (down <= last_row)
    return np.asarray(in_rows & (right >= -NEGLIGIBLE_PX) & (right <= last_col))
