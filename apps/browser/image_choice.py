"""Which image of a recording is looked at, and with which contrast."""

from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from apps import queries
from apps.browser.planes import choose_plane, plane_of
from schemas.connection import Database

CONTRAST = (1, 99.7)
"""Percentiles of the pixels that are drawn black and white, at first."""

CONTRAST_STEPS = 200
PLANE = "plane"
"""Name of the slider of planes."""


class Choice(NamedTuple):
    """An image to be shown."""

    name: str
    """What it shows."""

    image: NDArray[Any]
    """``(n_rows, n_cols)``."""

    limits: tuple[float, float]
    """Values that are drawn black and white."""

    pixel_size_um: list[float] | None
    """Size of a pixel, where it is known."""

    plane: int | None = None
    """The plane of a volume."""


def choose_image(
    database: Database, key: queries.Key, segmentation: queries.Key | None
) -> Choice | None:
    """Ask which image is shown; None: there is none yet.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the recording.
    segmentation : dict or None
        From `apps.queries.segmentations`; tells whose motion template is offered.
    """
    facts = queries.movie_facts(database, key)
    corrected = _correction(database, key, segmentation)
    names = [name for name in queries.PROJECTIONS if (corrected if name == "template" else facts)]
    if not names:
        st.info("There is no image of this recording yet.")
        return None
    name = st.segmented_control(
        "Image",
        names,
        default=names[0],
        required=True,
        format_func=queries.PROJECTIONS.get,
        key="projection",
    )
    image = queries.projection(database, corrected if name == "template" else key, name)
    plane = choose_plane(facts, PLANE)
    image = plane_of(image, plane, facts["n_planes"] if facts else None)
    limits = _choose_limits(image, name)
    size_um = facts and facts["pixel_size_um"]
    return Choice(queries.PROJECTIONS[name], image, limits, size_um, plane)


def _choose_limits(image: NDArray[Any], name: str) -> tuple[float, float]:
    """Ask between which values the greys lie."""
    lowest, highest = float(np.nanmin(image)), float(np.nanmax(image))
    if not lowest < highest:
        return lowest, highest
    usual = tuple(float(limit) for limit in np.nanpercentile(image, CONTRAST))
    step = (highest - lowest) / CONTRAST_STEPS
    form = "%.0f" if step > 1 else "%.3g"
    key = f"contrast {name} {lowest} {highest}"
    return st.slider("Contrast", lowest, highest, usual, step, format=form, key=key)


def _correction(
    database: Database, key: queries.Key, segmentation: queries.Key | None
) -> queries.Key | None:
    """Return the key of the motion correction whose template fits, if it is done."""
    wanted = segmentation and segmentation["motion_hash"]
    for row in queries.corrections(database, key):
        if row["state"] == "done" and wanted in (None, row["motion_hash"]):
            return row["key"]
    return None
