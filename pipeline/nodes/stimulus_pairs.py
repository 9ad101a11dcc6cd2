"""Traces and the stimuli that were given meanwhile, pair by pair."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.transmission import RECORDING_ID, ArrayColumn, Transmission


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
