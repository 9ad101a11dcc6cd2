"""How good a motion correction is: the verdict in words, the numbers, the frames of no use."""

from typing import NamedTuple

import streamlit as st

from apps import queries

VERDICTS = {
    "improved": ("The correction made the mean image sharper.", "green"),
    "unchanged": ("The mean image is as sharp as before: the recording hardly moved.", "blue"),
    "worse": ("The mean image is less sharp than before: look at the movie.", "red"),
}

ADVICE = {
    "no contrast": "Frames without contrast are dark or saturated, as when a shutter is closed.",
    "shift at its limit": "Frames at the limit may lie farther away: raise `max_shift_px`.",
    "shift out of line": "A sudden shift to where the image is unlike the template is not trusted.",
    "unlike the others": "Frames unlike the others left the plane, or hold an artefact.",
}
"""What is behind the reasons for which frames are of no use."""

FRAMES = "Unusable frames"
LEAST_PX = 0.01
COLUMNS = {
    "frame": st.column_config.NumberColumn("Frame"),
    "time_s": st.column_config.NumberColumn("Time (s)", format="%.2f"),
    "reason": st.column_config.TextColumn("Reason"),
}


class _Metric(NamedTuple):
    """A number, with what it means."""

    label: str
    value: str
    help: str
    change: str | None = None


def show_quality(correction: queries.Key, mode: str, n_in_a_row: int) -> None:
    """Show the verdict and the numbers.

    Parameters
    ----------
    correction : dict
        From `apps.queries.correction`.
    mode : str
        'rigid' or 'piecewise'.
    n_in_a_row : int
        Numbers that fit beside each other.
    """
    sentence, color = VERDICTS[correction["verdict"]]
    st.badge(sentence, color=color)
    st.markdown(_in_words(correction))
    metrics = _metrics(correction, mode)
    for first in range(0, len(metrics), n_in_a_row):
        places = st.columns(n_in_a_row)
        for place, metric in zip(places, metrics[first : first + n_in_a_row], strict=False):
            place.metric(metric.label, metric.value, metric.change, border=True, help=metric.help)


def show_unusable(correction: queries.Key) -> None:
    """List the frames of no use with the reason, and what can be done."""
    table = queries.unusable_frames(correction)
    if table.empty:
        st.caption("Every frame is usable.")
        return
    st.markdown("**Frames of no use**")
    st.dataframe(table, hide_index=True, column_config=COLUMNS)
    for reason in table["reason"].unique():
        st.caption(ADVICE.get(reason, ""))


def _in_words(correction: queries.Key) -> str:
    """Say what was achieved, what is left, and what cannot be used."""
    before, after = (correction[f"crispness_{when}"] for when in ("before", "after"))
    gain = f"Crispness changed by {100 * (after / before - 1):+.0f} %. " if before else ""
    left = correction["residual_px"]
    rest = "" if left is None else f"{_about(left)} of motion is left in a frame. "
    n_frames, n_lost = len(correction["shifts_px"]), correction["n_unusable"]
    part = f"{100 * n_lost / n_frames:.1f} %"
    lost = f"{n_lost:,} of {n_frames:,} frames ({part}) are of no use." if n_lost else ""
    return (gain + rest + (lost or f"All {n_frames:,} frames are usable.")).strip()


def _about(left_px: float) -> str:
    """Return a small length in words."""
    return f"About {left_px:.2f} px" if left_px >= LEAST_PX else f"Less than {LEAST_PX:g} px"


def _metrics(correction: queries.Key, mode: str) -> list[_Metric]:
    """Return the numbers that are shown."""
    is_rigid = mode == "rigid"
    metrics = [
        _change(correction, "Correlation with the template", "mean_correlation", ".3f"),
        _change(correction, "Crispness of the mean image", "crispness", ",.0f"),
        _Metric(
            "Motion left",
            _in_px(correction["residual_px"], ".3f"),
            "rms of the shift that is found when corrected frames are registered again",
        ),
        _Metric(
            "Motion left in patches",
            _in_px(None if is_rigid else correction["residual_patch_px"], ".3f"),
            "a rigid correction looks at frames as a whole; a piecewise one tells"
            if is_rigid
            else "the same of the shifts of patches",
        ),
        _Metric(
            FRAMES,
            f"{correction['n_unusable']:,}",
            "frames without contrast, beyond the largest shift, or unlike the others",
        ),
        _Metric(
            "Largest shift",
            _in_px(correction["largest_shift_px"], ".1f"),
            "of a usable frame or patch, along an axis",
        ),
        _Metric(
            "Border without content",
            _in_px(correction["border_px"], "d"),
            "width of the edge in which some frame has no content of its own",
        ),
        _Metric("Border cut off", _in_px(correction["cropped_px"], "d"), "on each side"),
    ]
    return metrics


def _change(correction: queries.Key, label: str, name: str, form: str) -> _Metric:
    """Return a number after the correction, and what it was before."""
    before, after = correction[f"{name}_before"], correction[f"{name}_after"]
    change = f"{after - before:+{form}} from {before:{form}}"
    return _Metric(label, f"{after:{form}}", "after the correction, and before", change)


def _in_px(value: float | None, form: str) -> str:
    """Return a length in pixels; results of older versions lack some."""
    return "not measured" if value is None else f"{value:{form}} px"
