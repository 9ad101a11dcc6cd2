"""The sample of a recording: made, changed, replaced, removed and brought back."""

from typing import Any

import streamlit as st

from apps import queries
from apps.browser.going import show_going
from apps.browser.sample_form import entered, field_key, show_fields, with_values
from apps.browser.session import why_not, with_database
from schemas.connection import Database
from schemas.sample_removal import going_with_sample, remove_sample, restore_sample
from schemas.sample_replacement import replace_segmentation, segmentation_names
from schemas.sample_versions import newest_version, sample_history
from schemas.samples import SampleChange, add_sample, find_sample, modify_samples, undo_sample
from schemas.settings import ProjectError

ANNOTATING, REMOVING = "analyst", "admin"
"""The roles that it takes to enter something, and to remove a sample."""

GOING = "what would go with a sample"
STALE = "what was shown before somebody else was faster"
NO_ROIS = "none yet"


@st.fragment
@with_database
def show_sample(database: Database, key: queries.Key) -> None:
    """Show the sample of a recording, and let it be made, changed and removed."""
    found = (database.sample.Sample() & key).to_dicts()
    names = {
        segmentation[-1]: name for segmentation, name in segmentation_names(database, key).items()
    }
    if found:
        _show_one(database, dict(found[0]), names)
    else:
        _show_new(database, key, names)


def _show_new(database: Database, key: queries.Key, names: dict[str, str]) -> None:
    """Let a recording become a sample."""
    reason = why_not(database, ANNOTATING)
    before = newest_version(database, key)
    if before is None:
        st.info("This recording is no sample yet.")
    else:
        st.info(f"This recording is no sample now. It was {before['sample_id']}.")
        args = (before["sample_id"],)
        st.button(
            "Bring it back", on_click=_restore, args=args, disabled=reason is not None, help=reason
        )
    row = with_values(database, {**key, "comments": "", "version": 0})
    with st.form("new sample", border=True):
        st.selectbox(
            "Segmentation",
            [*names, None],
            format_func=lambda each: names.get(each, NO_ROIS),
            key=field_key(row, "segmentation"),
            width=340,
        )
        show_fields(database, row, disabled=reason is not None)
        st.form_submit_button(
            "Make it a sample",
            type="primary",
            on_click=_add,
            args=(row,),
            disabled=reason is not None,
            help=reason,
        )


def _show_one(database: Database, row: dict[str, Any], names: dict[str, str]) -> None:
    """Show a sample, and let it be changed."""
    reason = why_not(database, ANNOTATING)
    rights: dict[str, Any] = {"disabled": reason is not None, "help": reason}
    history = sample_history(database, row["sample_id"]) if row["version"] else None
    st.subheader(row["sample_id"])
    if history is not None:
        last = history.iloc[0]
        st.caption(
            f"version {last['version']}, {last['change_made']} by {last['account']} on "
            f"{last['entered']:%Y-%m-%d at %H:%M}"
        )
    base = _base(with_values(database, row))
    with st.form("sample", border=True):
        show_fields(database, base, disabled=reason is not None)
        st.form_submit_button("Save", type="primary", on_click=_save, args=(base,), **rights)
    _show_segmentation(row, names, rights)
    _show_ways_back(database, row, rights)
    if history is not None:
        with st.expander("History"):
            shown = history.assign(
                segmentation=[names.get(each, each) for each in history["segmentation_id"]]
            )
            st.dataframe(shown.drop(columns="segmentation_id"), hide_index=True)


def _base(row: dict[str, Any]) -> dict[str, Any]:
    """Return the version that the fields show: an older one, when somebody was faster."""
    stale = st.session_state.get(STALE)
    if stale is None or stale["sample_id"] != row["sample_id"]:
        return row
    st.warning(
        f"Somebody else has changed this sample since you began; the comments are now: "
        f"“{row['comments']}”. The history below tells all. What you typed is still here."
    )
    with st.container(horizontal=True):
        st.button("Take theirs", on_click=_forget)
        st.button("Store mine nevertheless", on_click=_save, args=({**stale, "newer": row},))
    return stale


def _show_segmentation(row: dict[str, Any], names: dict[str, str], rights: dict[str, Any]) -> None:
    """Show which segmentation counts, and let another one be chosen."""
    chosen = row["segmentation_id"]
    options = [*names, None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.selectbox(
            "Segmentation",
            options,
            index=options.index(chosen) if chosen in options else len(options) - 1,
            format_func=lambda each: names.get(each, NO_ROIS),
            key=f"segmentation {row['sample_id']} {row['version']}",
            width=340,
        )
        if wanted != chosen:
            st.button("Replace", on_click=_replace, args=(row, wanted), **rights)


def _show_ways_back(database: Database, row: dict[str, Any], rights: dict[str, Any]) -> None:
    """Let the last change be undone, and the sample be removed."""
    reason = why_not(database, REMOVING)
    with st.container(horizontal=True):
        st.button("Undo the last change", on_click=_undo, args=(row,), **rights)
        st.button(
            "Remove the sample",
            on_click=_ask,
            args=(row["sample_id"],),
            disabled=reason is not None,
            help=reason or "Its recording, its ROIs and its history stay.",
        )
    going = st.session_state.get(GOING, {})
    if going.get("sample_id") == row["sample_id"]:
        delete = (_remove, row, going["rows"])
        show_going(database, going["rows"], delete, _keep, warning="This goes; it can come back:")


@with_database
def _add(database: Database, row: dict[str, Any]) -> None:
    fields = entered(database, row)
    sample_id = add_sample(
        database,
        row,
        segmentation_id=st.session_state[field_key(row, "segmentation")],
        trial_id=fields["trial_id"],
        comments=fields["comments"] or "",
        values=fields["values"],
    )
    st.toast(f"Made the sample {sample_id}.", icon=":material/check:")


@with_database
def _save(database: Database, base: dict[str, Any]) -> None:
    fields = entered(database, base)
    newest = base.get("newer", base)["version"]
    try:
        change = SampleChange(sample_id=base["sample_id"], after=newest, **fields)
        modify_samples(database, [change])
    except ProjectError:
        if find_sample(database, base["sample_id"])["version"] != newest:
            st.session_state[STALE] = base
        raise
    _forget()
    st.toast("Saved.", icon=":material/check:")


def _forget() -> None:
    """Show the sample as it is now."""
    st.session_state.pop(STALE, None)


@with_database
def _replace(database: Database, row: dict[str, Any], segmentation_id: str | None) -> None:
    found = replace_segmentation(database, row["sample_id"], segmentation_id, after=row["version"])
    st.toast(
        f"{len(found.pairs)} ROIs are the same cells, {len(found.lost)} are gone, "
        f"{len(found.new)} are new.",
        icon=":material/check:",
        duration="long",
    )


@with_database
def _undo(database: Database, row: dict[str, Any]) -> None:
    undo_sample(database, row["sample_id"], after=row["version"])
    st.toast("The sample is again what it was before the last change.")


@with_database
def _ask(database: Database, sample_id: str) -> None:
    rows = going_with_sample(database, sample_id)
    st.session_state[GOING] = {"sample_id": sample_id, "rows": rows}


@with_database
def _restore(database: Database, sample_id: str) -> None:
    restore_sample(database, sample_id)


@with_database
def _remove(database: Database, row: dict[str, Any], shown: dict[str, int]) -> None:
    _keep()
    remove_sample(database, row["sample_id"], shown=shown, after=row["version"])
    st.toast(f"Removed {row['sample_id']}; it can be brought back.")


def _keep() -> None:
    """Ask no more."""
    st.session_state.pop(GOING, None)
