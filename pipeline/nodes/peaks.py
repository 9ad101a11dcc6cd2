"""Biology: peaks of traces, the bases between them, and changes by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Output, Port, Result, check_fields, column, number
from pipeline.nodes.peak_kernels import settle_peaks, turning_points
from pipeline.nodes.registry import register
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission

EVENT_IX, IS_PEAK = "_PB_IX", "_PB_IS_PEAK"
ACTIONS = ("add_peak", "add_base", "delete", "move")
EDIT_LENGTH = 4
LARGE = 1e12


@dataclass(frozen=True, kw_only=True)
class PeakDetectParams:
    """Settings of the detection of peaks."""

    data_column: str = column("time")
    """Traces in which peaks lie where they are highest."""

    derivative_column: str = column("time", optional=True)
    """Their derivative, perhaps of a smoothed copy, whose change of sign makes a peak or a base;
    "": central differences of the traces."""

    amplitude_column: str = column("time", optional=True)
    """What ``min_amplitude_abs`` is compared with, as the normalised traces; "": the traces."""

    fictional_bases: bool = True
    """Whether the first and the last sample are bases where a peak has no other; otherwise peaks
    without a base on both sides are left out."""

    max_curvature: float = number(0.0, -LARGE, LARGE)
    """Largest second derivative of a peak, per s²; 0 leaves out what is no summit."""

    min_amplitude_abs: float = number(-LARGE, -LARGE, LARGE)
    """Smallest value at a peak."""

    min_amplitude_rel: float = number(0.0, 0, LARGE)
    """The mean of rise and fall of a peak from and to its bases is larger than this."""

    def __post_init__(self) -> None:
        check_fields(self)


def peak_detect(params: PeakDetectParams, *, data: Transmission) -> Transmission:
    """Return where each trace has peaks and the bases between them.

    Parameters
    ----------
    params : PeakDetectParams
        Settings.
    data : Transmission
        Traces with NaN, and those of fewer than 3 samples, have no events.

    Notes
    -----
    ``_PB_IX`` holds the samples of the events of each trace in order, ``_PB_IS_PEAK`` 1 for a peak
    and 0 for a base. Where the derivative is 0, an event lies in the middle. A peak is then moved
    to the largest sample between its bases. A base stays while a peak needs it.
    """
    source = data.array(params.data_column)
    slope = data.array(params.derivative_column) if params.derivative_column else None
    level = data.array(params.amplitude_column) if params.amplitude_column else source
    for name, other in ((params.derivative_column, slope), (params.amplitude_column, level)):
        if other is not None:
            _check_alike(params.data_column, source, name, other)
    events = []
    for row in range(data.n_rows):
        trace = np.asarray(source.row(row), np.float64)
        if trace.size < 3 or not np.isfinite(trace).all():  # noqa: PLR2004
            events.append(_none())
            continue
        rate_hz = float(source.rate[row])
        change = np.gradient(trace) * rate_hz
        if slope is not None:
            change = np.asarray(slope.row(row), np.float64)
        heights = np.asarray(level.row(row), np.float64)
        events.append(find_peaks(trace, change, heights, rate_hz=rate_hz, params=params))
    return with_events(data, source, events)


Events = tuple[NDArray[np.int64], NDArray[np.bool_]]
"""The samples of events in order, and which of them are peaks."""


def find_peaks(
    trace: NDArray[np.float64],
    derivative: NDArray[np.float64],
    heights: NDArray[np.float64],
    *,
    rate_hz: float,
    params: PeakDetectParams,
) -> Events:
    """Return peaks and bases of one trace.

    Parameters
    ----------
    trace, derivative, heights : array, (n_samples,)
        The trace, its derivative per second, and what is compared with the smallest value.
    rate_hz : float
        Samples per second.
    params : PeakDetectParams
        Settings.
    """
    peaks, bases = turning_points(np.nan_to_num(derivative))
    curvature = np.gradient(derivative) * rate_hz
    fits = (heights[peaks] >= params.min_amplitude_abs) & (curvature[peaks] <= params.max_curvature)
    peaks = peaks[fits]
    if params.fictional_bases and peaks.size:
        first = [0] if not bases.size or bases[0] > peaks[0] else []
        last = [trace.size - 1] if not bases.size or bases[-1] < peaks[-1] else []
        bases = np.array([*first, *bases, *last], np.int64)
    after = np.searchsorted(bases, peaks)
    has_both = (after > 0) & (after < bases.size)
    left, right = bases[after[has_both] - 1], bases[after[has_both]]
    places, kept = settle_peaks(trace, left, right, params.min_amplitude_rel)
    return _in_order(np.unique(places[kept]), np.unique([left[kept], right[kept]]))


def _in_order(peaks: NDArray[np.int64], bases: NDArray[np.int64]) -> Events:
    """Return peaks and bases as events."""
    samples = np.concatenate([peaks, bases]).astype(np.int64)
    is_peak = np.arange(samples.size) < peaks.size
    order = np.argsort(samples, kind="stable")
    return samples[order], is_peak[order]


def _none() -> Events:
    """Return no events."""
    return np.empty(0, np.int64), np.empty(0, bool)


def _check_alike(name: str, source: ArrayColumn, other_name: str, other: ArrayColumn) -> None:
    """Refuse columns whose samples do not belong together."""
    if (source.lengths != other.lengths).any() or not np.allclose(
        source.rate, other.rate, equal_nan=True
    ):
        raise ValueError(
            f"{name} and {other_name} must have as many samples at the same rate in each row; "
            "derive and scale what was resampled or cut."
        )


def with_events(data: Transmission, source: ArrayColumn, events: Sequence[Events]) -> Transmission:
    """Return a table with the events of each trace.

    Parameters
    ----------
    data : Transmission
        The table.
    source : ArrayColumn
        The traces, whose rate and begin are kept with the events.
    events : sequence
        Of each row.
    """
    info = ColumnInfo("numeric", "samples", "event")
    places = [samples.astype(np.int32) for samples, _ in events]
    flags = [is_peak.astype(np.int8) for _, is_peak in events]
    for name, rows, about in (
        (IS_PEAK, flags, info._replace(unit="")),
        (EVENT_IX, places, info),
    ):
        lengths = np.array([row.size for row in rows], np.int64)
        kind = np.int8 if name == IS_PEAK else np.int32
        values = np.concatenate([np.empty(0, kind), *rows])
        column = ArrayColumn.flat(values, lengths, about, rate=source.rate, start=source.start)
        data = data.with_array(name, column)
    return data


@dataclass(frozen=True, kw_only=True)
class PeakEditParams:
    """Changes of peaks and bases by hand."""

    data_column: str = column("time")
    """Traces that the events lie on."""

    edits: tuple[tuple[Any, ...], ...] = ()
    """One after the other: the name of the row, ``add_peak``, ``add_base``, ``delete`` or ``move``,
    the sample, and the sample it is moved to (None for the others)."""

    def __post_init__(self) -> None:
        check_fields(self)
        for edit in self.edits:
            _check_edit(edit)
        # lists come out of JSON
        object.__setattr__(self, "edits", tuple(tuple(edit) for edit in self.edits))


def _check_edit(edit: Sequence[Any]) -> None:
    """Refuse what is no change of an event."""
    if len(edit) != EDIT_LENGTH or edit[1] not in ACTIONS:
        raise ValueError(
            "an edit must be the name of a row, one of " + ", ".join(ACTIONS) + ", a sample, and "
            f"a second sample or null; got {list(edit)!r}."
        )
    places = edit[2:] if edit[1] == "move" else edit[2:3]
    if not all(isinstance(place, int) and place >= 0 for place in places):
        raise ValueError(f"a sample must be a whole number from 0; got {list(edit)!r}.")


def peak_edit(params: PeakEditParams, *, data: Transmission) -> Transmission:
    """Return the table with changed events.

    Parameters
    ----------
    params : PeakEditParams
        The changes.
    data : Transmission
        With the events of `peak_detect`.

    Raises
    ------
    ValueError
        If a change names a row, a sample or an event that is not there.
    """
    source = data.array(params.data_column)
    _check_alike(params.data_column, source, params.data_column, source)
    ids = data.row_ids.tolist()
    events = [
        (samples.astype(np.int64), is_peak.astype(bool))
        for samples, is_peak in zip(
            data.array(EVENT_IX).rows(), data.array(IS_PEAK).rows(), strict=True
        )
    ]
    for edit in params.edits:
        if ids.count(edit[0]) != 1:
            raise ValueError(
                f"a row {edit[0]!r} is there {ids.count(edit[0])} times; an edit names one row."
            )
        row = ids.index(edit[0])
        events[row] = _edited(events[row], edit, int(source.lengths[row]))
    return with_events(data, source, events)


def _edited(events: Events, edit: Sequence[Any], n_samples: int) -> Events:
    """Return the events of a trace after one change."""
    kinds = dict(zip(events[0].tolist(), events[1].tolist(), strict=True))
    _, action, place, target = edit
    if max(place, target or 0) >= n_samples:
        raise ValueError(f"the trace has {n_samples} samples; got {list(edit)!r}.")
    if action in ("delete", "move") and place not in kinds:
        raise ValueError(f"there is no event at sample {place} of row {edit[0]!r}.")
    if action in ("delete", "move"):
        was_peak = kinds.pop(place)
    if action != "delete":
        kinds[target if action == "move" else place] = (
            was_peak if action == "move" else action == "add_peak"
        )
    samples = np.array(sorted(kinds), np.int64)
    return samples, np.array([kinds[sample] for sample in samples.tolist()], bool)


RESULT = Result(columns=(Output(EVENT_IX, "samples", "event"), Output(IS_PEAK, "", "event")))

register(
    Node(
        name="peak_detect",
        title="PeakDetect",
        group="Biology",
        params=PeakDetectParams,
        compute=peak_detect,
        results=(RESULT,),
        by_row=True,
        keeps_last_output=True,
    ),
    Node(
        name="peak_edit",
        title="Peak editor",
        group="Biology",
        params=PeakEditParams,
        compute=peak_edit,
        ports=(Port(needs=(EVENT_IX, IS_PEAK)),),
        results=(RESULT,),
        nan="pass",
        keeps_last_output=True,
    ),
)
