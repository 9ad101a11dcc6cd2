"""What shows how good motion corrections are: images, a short video, the patches."""

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from apps import queries
from apps.browser.image_choice import CONTRAST
from apps.browser.planes import plane_of
from apps.browser.player import show_player
from apps.browser.steps import say_state
from apps.browser.viewer import image_viewer
from pipeline.motion import MotionParams
from pipeline.motion.patches import plan_patches
from pipeline.motion.preview import (
    MEAN_FRAMES,
    VIDEO_RATE_HZ,
    video_frames,
    video_planes,
    video_starts,
)
from pipeline.params import params_from_dict
from pipeline.plots import grid_figure
from schemas.connection import Database

CACHED_VIDEOS = 8


def show_images(
    database: Database,
    key: queries.Key,
    chosen: list[queries.Key],
    found: list[queries.Key],
    plane: int | None,
) -> None:
    """Show an image of the recorded movie beside those of the corrected ones.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the recording.
    chosen : list of dict
        From `apps.queries.corrections`, each of them done.
    found : list of dict
        Of each, from `apps.queries.correction`.
    plane : int or None
        From `apps.browser.planes.choose_plane`.
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
    before, *after = st.columns(1 + len(chosen))
    limits, n_planes = None, None
    with before:
        st.caption("as recorded")
        if queries.movie_facts(database, key):
            image = queries.projection(database, key, name)
            limits, n_planes = _limits(image), len(image)
            _show_image(plane_of(image, plane), limits, "as recorded")
        else:
            say_state("recording_info", "pending")
    for place, row, correction in zip(after, chosen, found, strict=True):
        with place:
            st.caption(f"corrected with '{row['name']}'" + _cut_words(correction))
            if _is_there(database, row):
                image = queries.preview_image(database, row["key"], name)
                shown = plane_of(image, plane, n_planes)
                _show_image(shown, limits or _limits(image), row["name"])


def show_video(
    database: Database, row: queries.Key, correction: queries.Key, plane: int | None
) -> None:
    """Show some frames of a motion correction before beside after, as a film.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        From `apps.queries.corrections`.
    correction : dict
        From `apps.queries.correction`.
    plane : int or None
        From `apps.browser.planes.choose_plane`.
    """
    if not _is_there(database, row):
        return
    frames = _frames(queries.preview_video(database, row["key"]))
    starts = video_starts(len(correction["shifts_px"]))[: len(frames)]
    words = [_when(start, correction["rate_hz"]) for start in starts]
    by_plane = frames.reshape(-1, len(starts), *frames.shape[1:])
    said = "Left as recorded, right corrected; frames from the whole recording."
    place = 0
    if plane is not None and len(by_plane) > 1:
        shown = video_planes(len(queries.projection(database, row["key"], "template")))
        place = min(range(len(by_plane)), key=lambda index: abs(shown[index] - plane))
        said += f" Plane {shown[place]}."
    show_player(
        by_plane[place],
        key=f"video {row['motion_hash']}",
        label="some frames as recorded, and beside them the same ones corrected",
        words=words,
        rate_hz=VIDEO_RATE_HZ,
    )
    st.caption(said)


@st.cache_data(max_entries=CACHED_VIDEOS, show_spinner=False)
def _frames(video: bytes) -> NDArray[np.uint8]:
    """Return the frames of a video."""
    return video_frames(video)


def _when(start: int, rate_hz: float | None) -> str:
    """Say which frames of the movie one of the film is the mean of."""
    frames = f"frames {start}–{start + MEAN_FRAMES - 1}"
    return f"{frames} · {start / rate_hz:.2f} s" if rate_hz else frames


def show_patches(
    database: Database, row: queries.Key, correction: queries.Key, plane: int | None
) -> None:
    """Show the patches that were registered, and the part with content, over the template.

    Parameters
    ----------
    database : Database
        The connected tables.
    row : dict
        From `apps.queries.corrections`.
    correction : dict
        From `apps.queries.correction`.
    plane : int or None
        From `apps.browser.planes.choose_plane`.
    """
    params = params_from_dict(MotionParams, row["params"])
    image = plane_of(queries.projection(database, row["key"], "template"), plane)
    firsts, patch_px = _patches(params, image.shape)
    crop = queries.preview_crop(database, row["key"]) if _is_previewed(database, row) else None
    if crop:  # it was found in what the correction left of the frame
        cut = correction["cropped_px"]
        crop = [*crop[:-2], *([first + cut, stop + cut] for first, stop in crop[-2:])]
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
        words += f" Dashed: the part with content, rows {top}–{bottom}, columns {left}–{right}"
        words += f", planes {crop[0][0]}–{crop[0][1]}." if len(crop) > len("yx") else "."
    st.caption(words)


def _patches(
    params: MotionParams, shape: tuple[int, ...]
) -> tuple[tuple[list[int], list[int]], tuple[int, int]]:
    """Return the first rows and columns of the patches, and their size; rigid: the frame is one."""
    if params.mode != "piecewise":
        return ([0], [0]), (shape[0], shape[1])
    patch_px = (params.patch_px[-2], params.patch_px[-1])
    grid = plan_patches(
        (1, shape[0], shape[1]),
        stride_px=(1, *params.stride_px[-2:]),
        patch_px=(1, *patch_px),
    )
    _, rows, cols = grid.firsts
    return (rows.tolist(), cols.tolist()), patch_px


def _show_image(image: NDArray[Any], limits: tuple[float, float], label: str) -> None:
    """Show an image."""
    image_viewer(image, key=f"preview {label}", label=label, limits=limits)


def _cut_words(correction: queries.Key) -> str:
    """Say what was cut off: pixels are counted from there."""
    cut = correction["cropped_px"]
    return f", {cut} px cut off on each side" if cut else ""


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
