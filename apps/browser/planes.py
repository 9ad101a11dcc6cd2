"""Which plane of a volume is looked at."""

import re
from typing import Any

import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from apps import queries
from schemas.connection import Database


def turn_to_plane(key: str, plane: int) -> None:
    """Move a slider of planes, from a callback.

    Parameters
    ----------
    key : str
        As `choose_plane` was given.
    plane : int
        What is to be shown.
    """
    for name in st.session_state:
        if re.fullmatch(rf"{key} of \d+", str(name)):
            st.session_state[name] = plane


def choose_plane(facts: queries.Key | None, key: str) -> int | None:
    """Ask which plane is shown; None: there is but one.

    Parameters
    ----------
    facts : dict or None
        From `apps.queries.movie_facts`.
    key : str
        Of the slider in the session.
    """
    if not facts or facts["n_planes"] == 1:
        return None
    n_planes = facts["n_planes"]
    name = f"{key} of {n_planes}"
    st.session_state.setdefault(name, n_planes // 2)
    return int(st.slider("Plane", 0, n_planes - 1, key=name))


def plane_of(image: NDArray[Any], plane: int | None, n_planes: int | None = None) -> NDArray[Any]:
    """Return a plane of an image that may be a volume, and may have lost planes at its ends.

    Parameters
    ----------
    image : array, ([n_planes,] n_rows, n_cols)
        The image; one without planes has only itself.
    plane : int or None
        Of the recording; one that was cut off is shown by its neighbour. None: the middle one.
    n_planes : int, optional
        Of the recording; without it, the image has all of them.
    """
    if image.ndim == 2:  # noqa: PLR2004 rows and columns
        return image
    if plane is None:
        return image[len(image) // 2]
    cut = (n_planes - len(image)) // 2 if n_planes else 0
    return image[min(max(plane - cut, 0), len(image) - 1)]


def rois_in_plane(
    database: Database, key: queries.Key, rois: pd.DataFrame, plane: int | None
) -> pd.DataFrame:
    """Return the ROIs that are seen in a plane, with their outlines there.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the segmentation.
    rois : DataFrame
        From `apps.queries.rois`.
    plane : int or None
        Of the recording; None: there is but one, and all are seen.
    """
    if plane is None:
        return rois
    name = f"outlines {key['segmentation_id']}"
    kept = st.session_state.get(name)
    if kept is None or kept[0] != plane:
        kept = plane, queries.outlines_in_plane(database, key, plane)
        st.session_state[name] = kept
    outlines = kept[1]
    seen = rois[rois["roi_id"].isin(outlines)]
    return seen.assign(contour_px=[outlines[roi_id] for roi_id in seen["roi_id"]])
