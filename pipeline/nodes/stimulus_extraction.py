"""Biology: traces cut by the stimuli that were given meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.nodes.declaration import (
    Node,
    Output,
    Port,
    Result,
    check_fields,
    choice,
    column,
    number,
)
from pipeline.nodes.registry import register
from pipeline.transmission import RECORDING_ID, ROW_ID, ArrayColumn, ColumnInfo, Transmission

ZERO_POSITIONS = ("start_offset", "stim_end", "stim_center")
PARENT_ID = "parent_id"
LONGEST_S = 1e6


@dataclass(frozen=True, kw_only=True)
class ExtractStimParams:
    """Settings of the extraction of stimulus periods."""

    data_column: str = column("time")
    """Traces that are cut."""

    stimulus_type: str = ""
    """Type of the stimuli, as ``odour``."""

    zero_position: str = choice("start_offset", ZERO_POSITIONS)
    """Where a part begins, but for the offset: at the begin, the end or the middle of the stimulus;
    that is time 0 of the part."""

    start_offset_s: float = number(0.0, -LONGEST_S, LONGEST_S)
    """Added to the begin of each part, in seconds; has no effect with ``stim_end``."""

    end_offset_s: float = number(0.0, -LONGEST_S, LONGEST_S)
    """Added to the end of the stimulus, where a part ends, in seconds."""

    duration_s: float | None = number(None, 1e-6, LONGEST_S)
    """Length of every part, in place of its end at the stimulus's end, in seconds."""

    fill: bool = False
    """Whether what lies beyond the recording is NaN, so that no part is shorter than asked for."""

    baseline_s: float | None = number(None, 1e-6, LONGEST_S)
    """Seconds before the stimulus whose mean is subtracted from the part."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.stimulus_type, str):
            raise TypeError(f"stimulus_type must be text; got {self.stimulus_type!r}.")


class Parts(NamedTuple):
    """Pairs of rows and of stimulus periods of their recordings, row by row, in order of time."""

    rows: NDArray[np.int64]
    """Number of the row."""

    periods: pd.DataFrame
    """The period of each pair, with the columns of stimuli and ``trial``, how many-th of its name
    it is in the recording, from 1."""

    def samples(
        self, column: ArrayColumn, begin_s: NDArray[np.float64], end_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the samples ``[first, stop)`` of each pair between two times of the recording."""
        found = []
        for time_s in (begin_s, end_s):
            place = (time_s - column.start[self.rows]) * column.rate[self.rows]
            # a sample belongs to what covers at least half of it
            found.append(np.floor(place + 0.5 + 1e-9).astype(np.int64))
        return found[0], found[1]


def pair_with_stimuli(data: Transmission, stimulus_type: str) -> Parts:
    """Return each row with each stimulus period of its recording.

    Parameters
    ----------
    data : Transmission
        With ``recording_id`` and stimuli.
    stimulus_type : str
        Of the stimuli.

    Raises
    ------
    ValueError
        If there are no stimuli of that type.
    """
    known = sorted(set(data.stimuli["type"]))
    if stimulus_type not in known:
        there = ", ".join(map(repr, known)) or "none"
        raise ValueError(
            f"there are no stimuli of the type {stimulus_type!r} in these recordings; the types "
            f"are: {there}. Import stimuli first."
        )
    periods = data.stimuli[data.stimuli["type"] == stimulus_type].sort_values(
        [RECORDING_ID, "start_s", "end_s", "name"], kind="stable", ignore_index=True
    )
    periods["trial"] = periods.groupby([RECORDING_ID, "name"]).cumcount() + 1
    periods["number"] = periods.groupby(RECORDING_ID).cumcount() + 1
    counts = periods.groupby(RECORDING_ID).size()
    first = pd.Series(np.cumsum(counts) - counts, counts.index)
    recordings = data.frame[RECORDING_ID]
    n_each = recordings.map(counts).fillna(0).to_numpy(np.int64)
    begin = recordings.map(first).fillna(0).to_numpy(np.int64)
    rows = np.repeat(np.arange(data.n_rows), n_each)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
    return Parts(rows, periods.iloc[begin[rows] + within].reset_index(drop=True))


def extract_stim(params: ExtractStimParams, *, data: Transmission) -> Transmission:
    """Return a row for each trace and each stimulus period of its recording.

    Parameters
    ----------
    params : ExtractStimParams
        Settings.
    data : Transmission
        Rows of recordings without such a stimulus vanish, and the history counts them.

    Notes
    -----
    Of the row that a part is of, its single values stay; its arrays are found by ``parent_id``.
    ``_ST_CURVE`` has the time of the stimulus: 0 where ``zero_position`` says. ``_ST_START_IX`` and
    ``_ST_END_IX`` are samples of the trace, the end is the first one after the part.
    """
    source = data.array(params.data_column)
    parts = pair_with_stimuli(data, params.stimulus_type)
    zero_s, begin_s, end_s = _edges(params, parts.periods)
    first, stop = parts.samples(source, begin_s, end_s)
    if params.duration_s is not None:  # as many samples in each, whatever the begin is rounded to
        n_samples = np.floor(params.duration_s * source.rate[parts.rows] + 0.5).astype(np.int64)
        stop = first + n_samples
    curves = source.cut(parts.rows, first, stop, fill=params.fill)
    if params.baseline_s is not None:
        curves = _above_baseline(curves, source, parts, params.baseline_s)
    curves = ArrayColumn.flat(
        curves.values, curves.lengths, curves.info, rate=curves.rate, start=curves.start - zero_s
    )
    samples = _clipped(source, parts, first, stop, params)
    table = _described(_scalars_of(data, parts.rows), parts, params.stimulus_type, samples)
    return table.with_array("_ST_CURVE", curves)


def _edges(
    params: ExtractStimParams, periods: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return time 0, begin and end of each part, in seconds of the recording."""
    start_s = periods["start_s"].to_numpy(np.float64)
    end_s = periods["end_s"].to_numpy(np.float64)
    zero_s = {
        "start_offset": start_s,
        "stim_end": end_s,
        "stim_center": (start_s + end_s) / 2,
    }[params.zero_position]
    offset_s = 0.0 if params.zero_position == "stim_end" else params.start_offset_s
    return zero_s, zero_s + offset_s, end_s + params.end_offset_s


def _clipped(
    source: ArrayColumn,
    parts: Parts,
    first: NDArray[np.int64],
    stop: NDArray[np.int64],
    params: ExtractStimParams,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the samples of the trace that the parts hold."""
    if params.fill:
        return first, np.maximum(stop, first)
    lengths = source.lengths[parts.rows]
    first = np.clip(first, 0, lengths)
    return first, np.maximum(np.clip(stop, 0, lengths), first)


def _above_baseline(
    curves: ArrayColumn, source: ArrayColumn, parts: Parts, baseline_s: float
) -> ArrayColumn:
    """Return parts less the mean before their stimulus; NaN where nothing lies before it."""
    level = baselines(source, parts, baseline_s)
    values = curves.values - np.repeat(level, curves.lengths).astype(curves.values.dtype)
    return ArrayColumn.flat(
        values, curves.lengths, curves.info, rate=curves.rate, start=curves.start
    )


def baselines(source: ArrayColumn, parts: Parts, baseline_s: float) -> NDArray[np.float64]:
    """Return the mean before each stimulus; NaN where nothing lies before it.

    Parameters
    ----------
    source : ArrayColumn
        The traces.
    parts : Parts
        Rows and stimuli.
    baseline_s : float
        Seconds before the stimulus.
    """
    start_s = parts.periods["start_s"].to_numpy(np.float64)
    first, stop = parts.samples(source, start_s - baseline_s, start_s)
    return reduce_arrays(source.cut(parts.rows, first, stop), np.mean)


def reduce_arrays(column: ArrayColumn, function: Callable[..., Any]) -> NDArray[np.float64]:
    """Return one number of each array; NaN of those that are missing.

    Parameters
    ----------
    column : ArrayColumn
        Arrays of several lengths.
    function : callable
        Takes an array and an axis, as ``np.mean``.
    """
    made = np.full(column.n_rows, np.nan)
    for length in np.unique(column.lengths[column.lengths > 0]):
        rows = np.flatnonzero(column.lengths == length)
        made[rows] = function(np.asarray(column.take(rows).stacked(), np.float64), axis=1)
    return made


def scalars_only(_: object, there: Mapping[str, ColumnInfo]) -> Mapping[str, ColumnInfo]:
    """Return the columns with one value a row: arrays are not repeated for each part of a row.

    Parameters
    ----------
    _ : object
        Settings; have no effect.
    there : mapping
        All columns.
    """
    return {name: info for name, info in there.items() if not info.axis}


def _scalars_of(data: Transmission, rows: NDArray[np.int64]) -> Transmission:
    """Return rows, each as often as asked for, with their single values alone."""
    bare = data.without(*data.arrays).take(rows)
    return bare.with_scalar(PARENT_ID, bare.row_ids, ColumnInfo("identifier"))


def repeat_rows(
    data: Transmission, rows: NDArray[np.int64], ending: NDArray[np.object_]
) -> Transmission:
    """Return rows, each as often as asked for, with names of their own and no arrays.

    Parameters
    ----------
    data : Transmission
        The table.
    rows : array, (n_new,)
        Which row each new one is of.
    ending : array of str, (n_new,)
        What the name of a new row has more than that of the old.
    """
    bare = _scalars_of(data, rows)
    names = bare.row_ids + ending
    return bare.with_scalar(ROW_ID, names, ColumnInfo("identifier"))


def _described(
    table: Transmission,
    parts: Parts,
    stimulus_type: str,
    samples: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Transmission:
    """Return the rows of parts with all that is known of their stimuli."""
    periods = parts.periods
    number = periods["number"].astype(str).to_numpy(object)
    period_id = periods[RECORDING_ID].to_numpy(object) + f"/{stimulus_type}/" + number
    names = table.row_ids + f"/{stimulus_type}/" + number
    text, identity = ColumnInfo("categorical"), ColumnInfo("identifier")
    for name, values, info in (
        (ROW_ID, names, identity),
        ("ST_uuid", period_id, identity),
        ("ST_NAME", periods["name"].to_numpy(object), text),
        ("ST_TYPE", np.full(len(parts.rows), stimulus_type, object), text),
        ("_ST_START_IX", samples[0], ColumnInfo("numeric", "samples")),
        ("_ST_END_IX", samples[1], ColumnInfo("numeric", "samples")),
        ("_ST_START_S", periods["start_s"].to_numpy(np.float64), ColumnInfo("numeric", "s")),
        ("_ST_END_S", periods["end_s"].to_numpy(np.float64), ColumnInfo("numeric", "s")),
        ("_ST_TRIAL", periods["trial"].to_numpy(np.int64), ColumnInfo()),
    ):
        table = table.with_scalar(name, values, info)
    return table


register(
    Node(
        name="extract_stim",
        title="ExtractStim",
        group="Biology",
        params=ExtractStimParams,
        compute=extract_stim,
        ports=(Port(needs=(RECORDING_ID,)),),
        results=(
            Result(
                columns=(
                    Output("_ST_CURVE", "{unit}", "time"),
                    Output(PARENT_ID, kind="identifier"),
                    Output("ST_uuid", kind="identifier"),
                    Output("ST_NAME", kind="categorical"),
                    Output("ST_TYPE", kind="categorical"),
                    Output("_ST_START_IX", "samples"),
                    Output("_ST_END_IX", "samples"),
                    Output("_ST_START_S", "s"),
                    Output("_ST_END_S", "s"),
                    Output("_ST_TRIAL"),
                ),
                rows="more",
            ),
        ),
        by_row=True,
        nan="pass",
        leaves=scalars_only,
    ),
)
