"""Biology: traces cut by the stimuli that were given meanwhile."""

from dataclasses import dataclass

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
from pipeline.nodes.offspring import PARENT_ID, rows_without_arrays, scalars_only
from pipeline.nodes.registry import register
from pipeline.nodes.stimulus_pairs import Parts, baselines, pair_with_stimuli
from pipeline.transmission import RECORDING_ID, ROW_ID, ArrayColumn, ColumnInfo, Transmission

ZERO_POSITIONS = ("start_offset", "stim_end", "stim_center")
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
    table = _described(rows_without_arrays(data, parts.rows), parts, params.stimulus_type, samples)
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
