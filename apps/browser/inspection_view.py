"""Where a one-photon extraction starts cells, and what other thresholds would change."""

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from apps import queries
from apps.browser.session import with_database
from apps.browser.steps import say_state
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.onephoton.images import SeedImages
from pipeline.extraction.onephoton.inspection import seed_places_px
from pipeline.params import params_from_dict
from pipeline.plots import seeds_figure
from schemas.connection import Database

CHART = {"displaylogo": False}
BRIGHTEST = 99.8
"""Percentile of the pixels that has the brightest colour."""


@st.fragment
@with_database
def show_inspection(database: Database, key: queries.Key) -> None:
    """Show the images by which seeds are chosen, with a slider for each threshold."""
    asked = queries.inspections(database, key)
    if not asked:
        st.info(
            "No one-photon extraction was asked for: `mesmerize submit segmentation "
            "--params one-photon`, then `mesmerize populate`."
        )
        return
    by_id = {row["segmentation_id"]: row for row in asked}
    identity = st.selectbox(
        "Parameter set",
        list(by_id),
        format_func=lambda segmentation_id: by_id[segmentation_id]["name"],
        key=f"inspected {sorted(by_id)}",
    )
    chosen = by_id[identity]
    if chosen["state"] != "done":
        say_state("seed_inspection", chosen["state"])
        return
    _show_seeds(queries.inspection(database, chosen["key"]), chosen)


def _show_seeds(found: queries.Inspected, chosen: queries.Key) -> None:
    """Show both images, the sliders below them, and the seeds that pass."""
    own = params_from_dict(CnmfeParams, chosen["params"])
    params = _choose_thresholds(found, own, chosen["segmentation_id"])
    images = SeedImages(found.correlation, found.pnr)
    size = {"gsig_px": found.gsig_px or own.gsig_px}
    seeds_px = seed_places_px(images, found.bin_px, replace(params, **size))
    n_own = len(seed_places_px(images, found.bin_px, replace(own, **size)))
    _say_count(len(seeds_px), n_own, params, own)
    places = st.columns(2, gap="medium")
    shown = (
        (places[0], found.correlation, params.min_corr, "correlation"),
        (places[1], found.pnr, params.min_pnr, "peak to noise"),
    )
    for place, image, threshold, label in shown:
        figure = seeds_figure(
            image,
            seeds_px + found.cropped_px,
            bin_px=found.bin_px,
            limits=(threshold, max(threshold, _brightest(image))),
            label=label,
            first_px=found.cropped_px,
        )
        place.plotly_chart(figure, key=f"{label} {chosen['segmentation_id']}", config=CHART)
    st.caption(
        "What is darkest is below the threshold. The extraction begins with these seeds; later "
        "rounds look for more, by the same thresholds, in what the first cells leave unexplained. "
        f"Each image is of the movie in bins of {found.bin_frames} frames without the background."
    )


def _choose_thresholds(found: queries.Inspected, own: CnmfeParams, identity: str) -> CnmfeParams:
    """Ask for both thresholds; they begin with those of the parameter set."""
    left, right = st.columns(2, gap="medium")
    min_corr = left.slider(
        "min_corr", 0.0, 1.0, float(own.min_corr), 0.01, key=f"min_corr {identity}"
    )
    highest = float(np.ceil(max(_brightest(found.pnr), 2 * own.min_pnr)))
    min_pnr = right.slider(
        "min_pnr", 0.0, highest, float(own.min_pnr), 0.1, key=f"min_pnr {identity}"
    )
    return replace(own, min_corr=min_corr, min_pnr=min_pnr)


def _say_count(n_seeds: int, n_own: int, params: CnmfeParams, own: CnmfeParams) -> None:
    """Say how many seeds pass, and how other thresholds are kept."""
    change = None if params == own else f"{n_seeds - n_own:+d} against the parameter set"
    st.metric("Seeds that pass", n_seeds, change, delta_color="off", border=True)
    if params != own:
        st.markdown("To use these thresholds, store them as a parameter set of their own:")
        st.code(
            "mesmerize params add segmentation NAME --method cnmfe "
            f"min_corr={params.min_corr:g} min_pnr={params.min_pnr:g}{_others(own)}",
            language="bash",
        )


def _others(own: CnmfeParams) -> str:
    """Return what else a parameter set says that is not the default, as a command has it."""
    usual = CnmfeParams()
    names = own.__dataclass_fields__.keys() - {"min_corr", "min_pnr"}
    return "".join(
        f" '{name}={_json(getattr(own, name))}'"
        for name in sorted(names)
        if getattr(own, name) != getattr(usual, name)
    )


def _json(value: object) -> object:
    """Return a value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _brightest(image: NDArray[np.float32]) -> float:
    """Return the value that has the brightest colour."""
    return float(np.percentile(image, BRIGHTEST))
