"""Two segmentations of a recording side by side: which cells are the same, which are new."""

import pandas as pd
import streamlit as st

from apps import queries
from apps.browser.image_choice import Choice
from apps.browser.planes import rois_in_plane
from apps.browser.viewer import Outlines, image_viewer
from pipeline.plots import roi_color
from schemas.connection import Database

ALONE = "#ffffff"
"""Colour of what only one of the two has."""

SIDES = {"one": "here", "other": "there"}
COLUMNS = {
    "roi_one": st.column_config.NumberColumn("ROI here", format="%d"),
    "roi_other": st.column_config.NumberColumn("ROI there", format="%d"),
    "cosine": st.column_config.NumberColumn(
        "Same place", format="%.2f", help="cosine of the footprints"
    ),
    "trace_r": st.column_config.NumberColumn(
        "Same trace", format="%.2f", help="correlation of the raw traces"
    ),
    "because": st.column_config.TextColumn(
        "The other rejected it because", help="of the rejected ROI in the same place"
    ),
}


def describe(segmentation: queries.Key, motion: str | None) -> str:
    """Tell a segmentation from the others."""
    movie = f"corrected with '{motion}'" if motion else "as recorded"
    name, state = segmentation["name"], segmentation["state"]
    seeds = " from seeds" if segmentation["seeded_by"] or segmentation["seeds_id"] else ""
    return f"{segmentation['method']} '{name}'{seeds} of the movie {movie} ({state})"


def show_comparison(
    database: Database, key: queries.Key, segmentation: queries.Key, choice: Choice | None
) -> None:
    """Show which accepted ROIs another segmentation of the recording has as well.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        Of the recording.
    segmentation : dict
        From `apps.queries.segmentations`.
    choice : Choice or None
        The image on which both are drawn; None: there is none.
    """
    other = _choose_other(database, key, segmentation)
    if other is None:
        return
    table = queries.compared(database, segmentation["key"], other["key"])
    table = table.reindex(columns=list(COLUMNS))
    both = table["roi_one"].notna() & table["roi_other"].notna()
    st.markdown(
        f"**{int(both.sum())} cells in both**, {int(table['roi_other'].isna().sum())} only here, "
        f"{int(table['roi_one'].isna().sum())} only there; median correlation of the traces "
        f"of those in both: {table.loc[both, 'trace_r'].median():.2f}"
    )
    identity = f"{segmentation['segmentation_id']} {other['segmentation_id']}"
    if choice is not None:
        _show_images(database, (segmentation, other), table, choice, identity)
    st.dataframe(
        table,
        hide_index=True,
        height=240,
        column_config=COLUMNS,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"pairs {identity}",
    )


def _choose_other(
    database: Database, key: queries.Key, segmentation: queries.Key
) -> queries.Key | None:
    """Ask what is compared; None: nothing, or there is nothing else."""
    others = {
        row["segmentation_id"]: row
        for row in queries.segmentations(database, key)
        if row["trace_state"] == "done" and row["key"] != segmentation["key"]
    }
    if not others or segmentation["trace_state"] != "done":
        return None
    motions = queries.motion_names(database)
    chosen = st.selectbox(
        "Compare with",
        [None, *others],
        format_func=lambda name: (
            describe(others[name], motions.get(others[name]["motion_hash"])) if name else "nothing"
        ),
        key=f"compare {segmentation['segmentation_id']}",
    )
    return others[chosen] if chosen else None


def _show_images(
    database: Database,
    segmentations: tuple[queries.Key, queries.Key],
    table: pd.DataFrame,
    choice: Choice,
    identity: str,
) -> None:
    """Draw the cells of both on the same image, those in both in one colour."""
    picked = st.session_state.get(f"pairs {identity}", {"selection": {"rows": []}})
    chosen = table.iloc[[row for row in picked["selection"]["rows"] if row < len(table)]]
    columns = st.columns(2, gap="medium")
    for column, side, segmentation in zip(columns, SIDES, segmentations, strict=True):
        rois = queries.rois(database, segmentation["key"])
        rois = rois_in_plane(database, segmentation["key"], rois, choice.plane)
        rois = coloured(rois, table, side)
        with column:
            st.caption(f"{SIDES[side].capitalize()}: {segmentation['name']}")
            image_viewer(
                choice.image,
                key=f"{side} {identity}",
                label=f"{choice.name} image with the cells of {segmentation['name']}",
                limits=choice.limits,
                pixel_size_um=choice.pixel_size_um,
                outlines=Outlines(
                    rois, chosen[f"roi_{side}"].dropna().astype(int).tolist(), _nothing
                ),
            )
    st.caption(
        "Cells in both have the same colour on both sides; those that only one has are white. "
        "Rows of the table below are marked in the images."
    )


def coloured(rois: pd.DataFrame, table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return the accepted ROIs of one side with their colours and what is said of each.

    Parameters
    ----------
    rois : DataFrame
        As `apps.queries.rois` returns them.
    table : DataFrame
        As `apps.queries.compared` returns it.
    side : str
        ``one`` or ``other``.
    """
    partner = "other" if side == "one" else "one"
    mine = table.dropna(subset=[f"roi_{side}"]).set_index(f"roi_{side}")
    kept = rois[rois["accepted"]]
    rows = [mine.loc[roi_id] for roi_id in kept["roi_id"]]
    is_pair = [pd.notna(row[f"roi_{partner}"]) for row in rows]
    colors = [
        roi_color(int(row["roi_one"] if side == "other" else roi_id)) if pair else ALONE
        for roi_id, row, pair in zip(kept["roi_id"], rows, is_pair, strict=True)
    ]
    notes = [
        f"ROI {row[f'roi_{partner}']:.0f} {SIDES[partner]}, traces correlate {row['trace_r']:.2f}"
        if pair
        else f"only {SIDES[side]}"
        for row, pair in zip(rows, is_pair, strict=True)
    ]
    return kept.assign(color=colors, note=notes)


def _nothing() -> None:
    """Do nothing: the table is what selects."""
