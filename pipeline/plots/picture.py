"""An image in shades of grey."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE = 255


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
