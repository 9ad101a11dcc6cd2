"""Biology: numbers of each peak."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Output, Port, Result, check_fields, column
from pipeline.nodes.offspring import PARENT_ID, repeat_rows, scalars_only
from pipeline.nodes.peak_kernels import features
from pipeline.nodes.peaks import EVENT_IX, IS_PEAK
from pipeline.nodes.registry import register
from pipeline.transmission import ArrayColumn, ColumnInfo, Transmission


class Feature(NamedTuple):
    """A number of a peak."""

    name: str
    """Column in which time counts in samples."""

    unit: str
    """Of it."""

    seconds: str = ""
    """Column in which time counts in seconds; "": time does not enter."""

    unit_seconds: str = ""
    """Of that."""

    power: int = 0
    """Power of time in it: 1 for a duration, -1 for a slope."""


SIGNAL = "{unit}"
FEATURES = (
    Feature("_pf_ampl_rel_b_ix_l", SIGNAL),
    Feature("_pf_ampl_rel_b_ix_r", SIGNAL),
    Feature("_pf_ampl_rel_b_mean", SIGNAL),
    Feature("_pf_ampl_rel_zero", SIGNAL),
    Feature("_pf_area_rel_zero", "{unit}·sample", "_pf_area_rel_zero_s", "{unit}·s", 1),
    Feature("_pf_area_rel_min", "{unit}·sample", "_pf_area_rel_min_s", "{unit}·s", 1),
    Feature("_pf_rising_slope_avg", "{unit}/sample", "_pf_rising_slope_avg_s", "{unit}/s", -1),
    Feature("_pf_falling_slope_avg", "{unit}/sample", "_pf_falling_slope_avg_s", "{unit}/s", -1),
    Feature("_pf_duration_base", "samples", "_pf_duration_base_s", "s", 1),
    Feature("_pf_prominence", SIGNAL),
    Feature("_pf_half_width", "samples", "_pf_half_width_s", "s", 1),
    Feature("_pf_decay_time", "samples", "_pf_decay_time_s", "s", 1),
)
"""Amplitude over left base, right base, their mean, and zero; area over zero and over the minimum;
slopes; distance of the bases; height over the higher base; width at half height; time in which it
falls to 1/e of its height over the mean of the bases."""


@dataclass(frozen=True, kw_only=True)
class PeakFeaturesParams:
    """Settings of the features of peaks."""

    data_column: str = column("time")
    """Traces that are measured; of the length and rate of those in which peaks were found."""

    def __post_init__(self) -> None:
        check_fields(self)


class _Peaks(NamedTuple):
    """All peaks that lie between two bases."""

    rows: NDArray[np.int64]
    peaks: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]


def peak_features(params: PeakFeaturesParams, *, data: Transmission) -> Transmission:
    """Return a row for each peak, with what is measured of it.

    Parameters
    ----------
    params : PeakFeaturesParams
        Settings.
    data : Transmission
        With the events of `peak_detect`. Peaks whose neighbours are not both bases are left out.

    Notes
    -----
    Of the row that a peak is of, its single values stay; its arrays are found by ``parent_id``.
    Areas are those of ``_pf_peak_curve``, which ends before the right base, by Simpson's rule; of
    an even number of samples, the last interval is under the parabola through the last three.
    """
    source = data.array(params.data_column)
    found = _bounded_peaks(data)
    _check_fits(params.data_column, source, data.array(EVENT_IX))
    made = np.full((len(found.rows), len(FEATURES)), np.nan)
    edges = np.searchsorted(found.rows, np.arange(data.n_rows + 1))
    for row in range(data.n_rows):
        mine = slice(edges[row], edges[row + 1])
        if edges[row] < edges[row + 1]:
            trace = np.asarray(source.row(row), np.float64)
            features(trace, found.peaks[mine], found.left[mine], found.right[mine], made[mine])
    return _table(params, data, found, made)


def _bounded_peaks(data: Transmission) -> _Peaks:
    """Return the peaks with a base before and a base after them."""
    events, flags = data.array(EVENT_IX), data.array(IS_PEAK).values.astype(bool)
    row = np.repeat(np.arange(data.n_rows), events.lengths)
    samples = events.values.astype(np.int64)
    inner = np.zeros(samples.size, bool)
    if samples.size > 2:  # noqa: PLR2004
        same = (row[:-2] == row[1:-1]) & (row[2:] == row[1:-1])
        inner[1:-1] = same & flags[1:-1] & ~flags[:-2] & ~flags[2:]
    place = np.flatnonzero(inner)
    return _Peaks(row[place], samples[place], samples[place - 1], samples[place + 1])


def _check_fits(name: str, source: ArrayColumn, events: ArrayColumn) -> None:
    """Refuse traces in which the samples of events mean something else."""
    has_any = events.lengths > 0
    last = np.zeros(events.n_rows, np.int64)
    last[has_any] = events.values[events.offsets[1:][has_any] - 1]
    wrong = has_any & ((last >= source.lengths) | ~np.isclose(source.rate, events.rate))
    if wrong.any():
        raise ValueError(
            f"{name} has another length or rate in row {int(np.flatnonzero(wrong)[0])} than the "
            "traces in which the peaks were found; take those, or find the peaks again."
        )


def _table(
    params: PeakFeaturesParams, data: Transmission, found: _Peaks, made: NDArray[np.float64]
) -> Transmission:
    """Return the rows of peaks."""
    source = data.array(params.data_column)
    ending = np.array([f"/peak:{sample}" for sample in found.peaks], object)
    table = repeat_rows(data, found.rows, ending)
    rate = source.rate[found.rows]
    unit = source.info.unit
    for place, feature in enumerate(FEATURES):
        values = made[:, place]
        table = table.with_scalar(feature.name, values, _info(feature.unit, unit))
        if feature.seconds:
            info = _info(feature.unit_seconds, unit)
            table = table.with_scalar(feature.seconds, values * rate**-feature.power, info)
    ix, s = ColumnInfo("numeric", "samples"), ColumnInfo("numeric", "s")
    time_s = source.start[found.rows] + found.peaks / rate
    for name, numbers, info in (
        ("_pf_p_ix", found.peaks, ix),
        ("_pf_b_ix_l", found.left, ix),
        ("_pf_b_ix_r", found.right, ix),
        ("_pf_time_s", time_s, s),
        ("_pf_interval_s", _intervals(found.rows, time_s), s),
        ("_pf_rate", _rates(source, found.rows), ColumnInfo("numeric", "1/min")),
    ):
        table = table.with_scalar(name, numbers, info)
    return table.with_array("_pf_peak_curve", source.cut(found.rows, found.left, found.right))


def _info(text: str, unit: str) -> ColumnInfo:
    """Return what a feature is, given the unit of the trace."""
    plain = text.format(unit=unit or "1").replace("1·", "")
    return ColumnInfo("numeric", "" if plain == "1" else plain)


def _intervals(rows: NDArray[np.int64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the time since the peak before; NaN of the first one of a trace."""
    intervals = np.full(rows.size, np.nan)
    follows = rows[1:] == rows[:-1]
    intervals[1:][follows] = np.diff(time_s)[follows]
    return intervals


def _rates(source: ArrayColumn, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many peaks the trace of each has per minute."""
    count = np.bincount(rows, minlength=source.n_rows)[rows]
    return np.asarray(60 * count * source.rate[rows] / source.lengths[rows], np.float64)


def _outputs() -> tuple[Output, ...]:
    """Return all columns that are made."""
    measured: list[Any] = []
    for feature in FEATURES:
        measured.append(Output(feature.name, feature.unit))
        measured += [Output(feature.seconds, feature.unit_seconds)] if feature.seconds else []
    places = [Output(f"_pf_{name}", "samples") for name in ("p_ix", "b_ix_l", "b_ix_r")]
    times = [Output("_pf_time_s", "s"), Output("_pf_interval_s", "s"), Output("_pf_rate", "1/min")]
    curve = Output("_pf_peak_curve", SIGNAL, "time")
    return curve, *measured, *places, *times, Output(PARENT_ID, kind="identifier")


register(
    Node(
        name="peak_features",
        title="PeakFeatures",
        group="Biology",
        params=PeakFeaturesParams,
        compute=peak_features,
        ports=(Port(needs=(EVENT_IX, IS_PEAK)),),
        results=(Result(columns=_outputs(), rows="more"),),
        by_row=True,
        nan="pass",
        leaves=scalars_only,
    ),
)
