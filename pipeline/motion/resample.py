"""Undo a displacement: one interpolation a frame."""

import cv2
import numpy as np
from numpy.typing import NDArray


def resample(
    images: NDArray[np.float32], displacement_px: NDArray[np.float32], *, border: str
) -> NDArray[np.float32]:
    """Fetch each pixel from where the displacement took it.

    Parameters
    ----------
    images : array, (n_planes, n_rows, n_cols)
        A frame.
    displacement_px : array, (2,) or (2, n_rows, n_cols)
        How far the content lies from the reference; equal for all planes.
    border : str
        What becomes of pixels whose content lies outside of the frame: 'copy' or 'nan'.

    Returns
    -------
    array, (n_planes, n_rows, n_cols)
        The frame without displacement, a copy. NaN spreads to the pixels next to it, four away at
        most.

    Notes
    -----
    Lanczos interpolation over 8 x 8 pixels, at places rounded to 1/32 pixel: its mean error of
    place is below 0.02 pixel, where that of OpenCV's bicubic kernel reaches 0.05.
    """
    shape = images.shape[-2:]
    shifts = np.asarray(displacement_px, np.float32)
    if not shifts.any():
        return images.copy()
    rows, cols = (
        np.indices(shape, np.float32)[axis] + np.broadcast_to(shifts[axis], shape)
        for axis in (0, 1)
    )
    # OpenCV writes into what it is given, and wants it contiguous
    moved = np.empty(images.shape, np.float32)
    for image, target in zip(images, moved, strict=True):
        cv2.remap(image, cols, rows, cv2.INTER_LANCZOS4, target, cv2.BORDER_REPLICATE)
    if border == "nan":
        inside = (rows >= 0) & (rows <= shape[0] - 1) & (cols >= 0) & (cols <= shape[1] - 1)
        moved[:, ~inside] = np.nan
    return moved
