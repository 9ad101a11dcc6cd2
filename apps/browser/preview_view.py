"""What shows how good motion corrections are: images, a short video, the patches."""

import base64
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from apps import queries
from apps.browser.image_choice import CONTRAST
from apps.browser.steps import say_state
from apps.browser.viewer import image_viewer
from pipeline.motion import MotionParams
from pipeline.motion.patches import plan_patches
from pipeline.params import params_from_dict
from pipeline.plots import grid_figure
from schemas.connection import Database

VIDEO = (
    '<img src="data:image/webp;base64,{video}" '
    'style="width:100%;max-width:720px;image-rendering:pixelated" '
    'alt="some frames as recorded, and beside them the same ones corrected">'
)


def show_images(database: Database, key: queries.Key, chosen: list[queries.Key]) -> None:
    """Show an image of the recorded movie beside those of the corrected ones.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the recording.
    chosen : list of dict
        From `apps.queries.corrections`, each of them done.
    """
    st.markdown("**Before and after**")
    name = st.segmented_control(
        "Projection over time",
        list(queries.PREVIEWS),
        default="mean_image",
        required=True,
        format_func=queries.PREVIEWS.get,
        key="preview",
    )
    facts = queries.movie_facts(database, key)
    plane = _choose_plane(facts)
    before, *after = st.columns(1 + len(chosen))
    limits = None
    with before:
        st.caption("as recorded")
        if facts:
            image = queries.projection(database, key, name)
            limits = _limits(image)
            _show_image(image, plane, limits, "as recorded")
        else:
            say_state("recording_info", "pending")
    for place, row in zip(after, chosen, strict=True):
        with place:
            st.caption(f"corrected with '{row['name']}'")
            if _is_there(database, row):
                image = queries.preview_image(database, row["key"], name)
                _show_image(image, plane, limits or _limits(image), row["name"])


def show_video(database: Database, row: queries.Key) -> None:
    """Show some frames of a motion correction before beside after, over and over."""
    if _is_there(database, row):
        video = base64.b64encode(queries.preview_video(database, row["key"])).decode()
        st.html(VIDEO.format(video=video))
        st.caption("Left as recorded, right corrected; frames from the whole recording.")


def show_patches(database: Database, row: queries.Key) -> None:
    """Show the patches that were registered, and the part with content, over the template."""
    params = params_from_dict(MotionParams, row["params"])
    image = _plane_of(queries.projection(database, row["key"], "template"), None)
    firsts, patch_px = _patches(params, image.shape)
    crop = queries.preview_crop(database, row["key"]) if _is_previewed(database, row) else None
    figure = grid_figure(
        image,
        limits=_limits(image),
        firsts_px=firsts,
        patch_px=patch_px,
        crop=(crop[-2], crop[-1]) if crop else None,
    )
    identity = f"patches {row['motion_hash']}"
    st.plotly_chart(figure, key=identity, config={"displaylogo": False})
    n_rows, n_cols = map(len, firsts)
    words = (
        f"{n_rows} × {n_cols} patches of {patch_px[0]} × {patch_px[1]} px; they overlap in the "
        "bands, one of them is framed."
        if params.mode == "piecewise"
        else "The frame moved as a whole."
    )
    if crop:
        (top, bottom), (left, right) = crop[-2], crop[-1]
        words += f" Dashed: the part with content, rows {top}–{bottom}, columns {left}–{right}."
    st.caption(words)


def _patches(
    params: MotionParams, shape: tuple[int, ...]
) -> tuple[tuple[list[int], list[int]], tuple[int, int]]:
    """Return the first rows and columns of the patches, and their size; rigid: the frame is one."""
    if params.mode != "piecewise":
        return ([0], [0]), (shape[0], shape[1])
    patch_px = params.patch_px
    grid = plan_patches((shape[0], shape[1]), stride_px=params.stride_px, patch_px=patch_px)
    rows, cols = grid.firsts
    return (rows.tolist(), cols.tolist()), patch_px


def _show_image(
    image: NDArray[Any], plane: int | None, limits: tuple[float, float], label: str
) -> None:
    """Show an image, of a volume one plane."""
    image_viewer(_plane_of(image, plane), key=f"preview {label}", label=label, limits=limits)


def _choose_plane(facts: queries.Key | None) -> int | None:
    """Ask which plane of a volume is shown; None: the middle one, or there is but one."""
    if not facts or facts["n_planes"] == 1:
        return None
    n_planes = facts["n_planes"]
    return int(st.slider("Plane", 0, n_planes - 1, n_planes // 2, key="plane of the preview"))


def _plane_of(image: NDArray[Any], plane: int | None) -> NDArray[Any]:
    """Return a plane of a volume; an image has only itself."""
    if image.ndim == 2:  # noqa: PLR2004 rows and columns
        return image
    return image[len(image) // 2 if plane is None else plane]


def _limits(image: NDArray[Any]) -> tuple[float, float]:
    """Return the values that are drawn black and white."""
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, CONTRAST) if finite.size else (0.0, 1.0)
    return float(low), float(high)


def _is_previewed(database: Database, row: queries.Key) -> bool:
    """Return whether there is a preview of a motion correction."""
    return queries.job_state(database, "motion_preview", row["key"]) == "done"


def _is_there(database: Database, row: queries.Key) -> bool:
    """Return the same, and say it where there is none."""
    state = queries.job_state(database, "motion_preview", row["key"])
    if state != "done":
        say_state("motion_preview", state)
    return state == "done"
