"""Undo a displacement: one interpolation a frame."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.interpolation import mix_planes, undo_field

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
    field_px : array, (2 or 3, n_planes or 1, n_rows or 1, n_cols or 1)
        How far the content lies from the reference along rows and columns, or along planes, too;
        one plane where all move alike, and one pixel where all pixels of a plane do.
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
    Cubic convolution over six pixels, first along planes, then along rows, then along columns:
    exact for polynomials of the third degree, and without error of place.

    References
    ----------
    Keys, IEEE Trans. Acoust. 29, 1153 (1981), doi:10.1109/TASSP.1981.1163711.
    """
    moved = np.empty(images.shape, np.float32) if out is None else out
    if not field_px.any():
        moved[:] = images
        return moved
    field = np.broadcast_to(field_px, (*field_px.shape[:-1], images.shape[2]))
    in_plane, across = field[-2:], field[:-2]
    sources = _between_planes(images, across[0], in_plane) if len(across) else images
    reach = ceil(np.abs(in_plane[1]).max())
    for plane, (image, target) in enumerate(zip(sources, moved, strict=True)):
        within = np.ascontiguousarray(in_plane[:, min(plane, in_plane.shape[1] - 1)], np.float32)
        undo_field(np.ascontiguousarray(image), within, reach, target)
    if border == "nan":
        moved[~_inside(images.shape, field)] = np.nan
    return moved


def _between_planes(
    images: NDArray[np.float32], across_px: NDArray[np.float32], in_plane_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the planes that the content of each plane lies in, before it moves within them."""
    planes = np.empty(images.shape, np.float32)
    for plane, target in enumerate(planes):
        at = min(plane, across_px.shape[0] - 1)
        shifts = across_px[at]
        if len(shifts) > 1:
            # a pixel has yet to move within the plane: its shift is found where it will go
            rows, cols = (
                np.clip(np.arange(length) - round(float(shift.mean())), 0, length - 1)
                for length, shift in zip(shifts.shape, in_plane_px[:, at], strict=True)
            )
            shifts = shifts[np.ix_(rows, cols)]
        mix_planes(images, plane, np.ascontiguousarray(shifts, np.float32), target)
    return planes


def _inside(frame_shape: tuple[int, ...], field: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are fetched from inside of the frame, ``(n_planes, n_rows, n_cols)``."""
    inside = np.ones((1, 1, 1), bool)
    for axis, shift in enumerate(field, start=len(frame_shape) - len(field)):
        length = frame_shape[axis]
        places = np.arange(length, dtype=np.float32).reshape(-1, *(1,) * (2 - axis)) + shift
        inside = inside & (places >= -NEGLIGIBLE_PX) & (places <= length - 1 + NEGLIGIBLE_PX)
    return np.broadcast_to(inside, frame_shape)
