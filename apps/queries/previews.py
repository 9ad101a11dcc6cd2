"""What shows how good a motion correction is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.queries.keys import Key
from schemas.connection import Database

PREVIEWS = {"mean_image": "mean", "max_image": "max", "std_image": "std"}
"""Short names of the images that exist before and after a correction, by column."""


def preview_image(database: Database, key: Key, name: str) -> NDArray[Any]:
    """Return an image of the corrected movie, ``([n_planes,] n_rows, n_cols)``.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the motion correction.
    name : str
        One of `PREVIEWS`.
    """
    return np.asarray((database.motion.MotionPreview & key).fetch1(name))


def preview_video(database: Database, key: Key) -> bytes:
    """Return some frames before beside after, as an animated WebP."""
    return bytes((database.motion.MotionPreview & key).fetch1("video"))


def preview_crop(database: Database, key: Key) -> Sequence[Sequence[int]] | None:
    """Return the part with content, ``[first, stop)`` of [planes,] rows and columns, or None."""
    found: Sequence[Sequence[int]] | None = (database.motion.MotionPreview & key).fetch1("crop")
    return found
