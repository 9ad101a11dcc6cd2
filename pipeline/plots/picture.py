"""Images in shades of grey."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE = 255
SHEET_QUALITY = 90
"""Of a contact sheet, 0 to 100."""


def grey_png(image: NDArray[Any], *, limits: Sequence[float]) -> bytes:
    """Draw an image in shades of grey.

    Parameters
    ----------
    image : array, (n_rows, n_cols)
        The values; NaN is drawn black.
    limits : sequence of two float
        Values that are drawn black and white; those beyond are clipped.

    Returns
    -------
    bytes
        A PNG file of 8 bits, one pixel a value.

    Examples
    --------
    >>> grey_png(np.eye(4), limits=(0, 1))[1:4]
    b'PNG'
    """
    low, high = limits
    span = high - low or 1.0  # a flat image is black, not a division by zero
    scaled = np.clip((image.astype(np.float32) - low) / span, 0, 1)
    grey = (WHITE * np.nan_to_num(scaled)).round().astype(np.uint8)
    return cv2.imencode(".png", grey)[1].tobytes()


def contact_sheet(frames: NDArray[np.uint8], *, n_across: int) -> bytes:
    """Draw frames side by side, row after row, as one picture.

    Parameters
    ----------
    frames : array, (n_frames, n_rows, n_cols)
        Shades of grey.
    n_across : int
        Frames in a row; the last row is filled up with black.

    Returns
    -------
    bytes
        A JPEG file.

    Examples
    --------
    >>> contact_sheet(np.zeros((5, 8, 8), np.uint8), n_across=2)[6:10]
    b'JFIF'
    """
    n_frames, n_rows, n_cols = frames.shape
    n_down = -(-n_frames // n_across)
    places = np.zeros((n_down * n_across, n_rows, n_cols), np.uint8)
    places[:n_frames] = frames
    sheet = places.reshape(n_down, n_across, n_rows, n_cols).swapaxes(1, 2)
    picture = sheet.reshape(n_down * n_rows, n_across * n_cols)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, SHEET_QUALITY])[1].tobytes()
