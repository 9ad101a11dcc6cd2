"""Biology: how strongly each trace answers to each stimulus of a type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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
from pipeline.nodes.stimulus_extraction import LONGEST_S
from pipeline.nodes.stimulus_pairs import (
    Parts,
    baselines,
    pair_with_stimuli,
    reduce_arrays,
)
from pipeline.transmission import RECORDING_ID, ArrayColumn, ColumnInfo, Transmission

METHODS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "max": np.max,
    "min": np.min,
}
UNLABELLED = "unlabelled"
FEWEST_TO_TEST = 2


@dataclass(frozen=True, kw_only=True)
class TuningParams:
    """Settings of the tuning curves."""

    data_column: str = column("time")
    """Traces that answer."""

    stimulus_type: str = ""
    """Type of the stimuli, as ``orientation``."""

    method: str = choice("mean", tuple(METHODS))
    """What one trial is summed up by."""

    start_offset_s: float = number(0.0, -LONGEST_S, LONGEST_S)
    """Added to the begin of each stimulus, in seconds."""

    end_offset_s: float = number(0.0, -LONGEST_S, LONGEST_S)
    """Added to its end, in seconds."""

    baseline_s: float | None = number(None, 1e-6, LONGEST_S)
    """Seconds before each stimulus whose mean is subtracted from the trial."""

    include_unlabelled: bool = False
    """Whether the samples in no stimulus are one more of them, as one trial."""

    def __post_init__(self) -> None:
        check_fields(self)


class _Curve(NamedTuple):
    """The answers of one trace."""

    names: list[str]
    trials: list[NDArray[np.float64]]


def stim_tuning(params: TuningParams, *, data: Transmission) -> Transmission:
    """Return of each trace its mean answer to each stimulus, and how sure it is.

    Parameters
    ----------
    params : TuningParams
        Settings.
    data : Transmission
        A trace of a recording without such stimuli has none; trials without samples and those with
        NaN are left out.

    Notes
    -----
    A trial counts as one, however long it is. Stimuli are in the order of their names, then of
    their numbers. The error is that of the mean over trials. Selectivity compares the largest
    answer with the mean of the others, negative ones taken as 0: 0 is none, 1 is an answer to one
    stimulus alone. The probability that all answers come from one distribution is that of Kruskal
    and Wallis; it needs 2 trials of 2 stimuli.
    """
    source = data.array(params.data_column)
    parts = pair_with_stimuli(data, params.stimulus_type)
    answers, begin, end = _answers(params, source, parts)
    names = parts.periods["name"].to_numpy(object)
    edges = np.searchsorted(parts.rows, np.arange(data.n_rows + 1))
    curves = []
    for row in range(data.n_rows):
        part = slice(edges[row], edges[row + 1])
        curve = _curve(names[part], answers[part])
        if params.include_unlabelled:
            rest = _unlabelled(source.row(row), begin[part], end[part], params.method)
            curve = _Curve([*curve.names, UNLABELLED], [*curve.trials, rest])
        curves.append(curve)
    return _with_curves(data, params.stimulus_type, curves, source.info.unit)


def _answers(
    params: TuningParams, source: ArrayColumn, parts: Parts
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the answer of each trial, and the samples that it lies between."""
    begin_s = parts.periods["start_s"].to_numpy(np.float64) + params.start_offset_s
    end_s = parts.periods["end_s"].to_numpy(np.float64) + params.end_offset_s
    first, stop = parts.samples(source, begin_s, end_s)
    answers = reduce_arrays(source.cut(parts.rows, first, stop), METHODS[params.method])
    if params.baseline_s is not None:
        answers = answers - baselines(source, parts, params.baseline_s)
    return answers, first, stop


def _curve(names: NDArray[np.object_], answers: NDArray[np.float64]) -> _Curve:
    """Return the trials of each stimulus."""
    found: dict[str, list[float]] = {}
    for name, answer in zip(names, answers, strict=True):
        kept = found.setdefault(str(name), [])
        kept += [answer] if np.isfinite(answer) else []
    order = sorted(found, key=_place)
    return _Curve(order, [np.array(found[name]) for name in order])


def _place(name: str) -> tuple[bool, float, str]:
    """Return where a stimulus stands: names before numbers."""
    try:
        return True, float(name), name
    except ValueError:
        return False, 0.0, name


def _unlabelled(
    trace: NDArray[Any], first: NDArray[np.int64], stop: NDArray[np.int64], method: str
) -> NDArray[np.float64]:
    """Return the answer of the samples in no stimulus, as one trial."""
    free = np.isfinite(trace)
    for one, other in zip(first, stop, strict=True):
        free[max(0, one) : max(0, other)] = False
    return np.array([METHODS[method](trace[free])] if free.any() else [], np.float64)


def _with_curves(data: Transmission, kind: str, curves: list[_Curve], unit: str) -> Transmission:
    """Return the table with the tuning curves and what follows from them."""
    means = [np.array([_mean(trial) for trial in curve.trials]) for curve in curves]
    errors = [np.array([_error(trial) for trial in curve.trials]) for curve in curves]
    counts = [np.array([trial.size for trial in curve.trials], np.float64) for curve in curves]
    labels = [np.array(curve.names, object) for curve in curves]
    text, item = ColumnInfo("categorical"), ColumnInfo("numeric", unit, "item")
    for name, values in (("sem", errors), ("n", counts)):
        info = item if name == "sem" else item._replace(unit="")
        data = data.with_array(f"_TUNE_CURVE_{kind}_{name}", _numbers(values, info))
    data = data.with_array(
        f"TUNE_CURVE_{kind}_xlabels",
        ArrayColumn.of(labels, item._replace(kind="categorical", unit="")),
    )
    pairs = list(zip(curves, means, strict=True))
    best = np.array([_extreme(curve, mean, np.nanargmax) for curve, mean in pairs], object)
    least = np.array([_extreme(curve, mean, np.nanargmin) for curve, mean in pairs], object)
    data = data.with_scalar(f"TUNE_MAX_{kind}", best, text)
    data = data.with_scalar(f"TUNE_MIN_{kind}", least, text)
    selectivity = np.array([_selectivity(mean) for mean in means], np.float64)
    chance = np.array([_chance(curve.trials) for curve in curves], np.float64)
    data = data.with_scalar(f"_TUNE_SELECTIVITY_{kind}", selectivity, ColumnInfo())
    data = data.with_scalar(f"_TUNE_P_{kind}", chance, ColumnInfo())
    return data.with_array(f"_TUNE_CURVE_{kind}_yvals", _numbers(means, item))


def _numbers(rows: list[NDArray[np.float64]], info: ColumnInfo) -> ArrayColumn:
    """Return numbers of each stimulus as a column."""
    return ArrayColumn.of([row.astype(np.float64) for row in rows], info)


def _mean(trial: NDArray[np.float64]) -> float:
    """Return the mean over trials; NaN of none."""
    return float(trial.mean()) if trial.size else np.nan


def _error(trial: NDArray[np.float64]) -> float:
    """Return the standard error of the mean over trials; NaN of fewer than two."""
    return float(trial.std(ddof=1) / np.sqrt(trial.size)) if trial.size > 1 else np.nan


def _extreme(curve: _Curve, mean: NDArray[np.float64], which: Any) -> str | None:
    """Return the name of the stimulus with the largest or smallest answer."""
    return curve.names[int(which(mean))] if np.isfinite(mean).any() else None


def _selectivity(mean: NDArray[np.float64]) -> float:
    """Return how much the largest answer stands out, 0 to 1."""
    answers = np.maximum(mean[np.isfinite(mean)], 0)
    if answers.size < FEWEST_TO_TEST or answers.max() == 0:
        return np.nan
    best = answers.max()
    others = (answers.sum() - best) / (answers.size - 1)
    return float((best - others) / (best + others))


def _chance(trials: list[NDArray[np.float64]]) -> float:
    """Return the probability of such differences where there are none."""
    known = [trial for trial in trials if trial.size >= FEWEST_TO_TEST]
    if len(known) < FEWEST_TO_TEST or np.ptp(np.concatenate(known)) == 0:
        return np.nan
    return float(stats.kruskal(*known).pvalue)


register(
    Node(
        name="tuning_curves",
        title="StimTuning",
        group="Biology",
        params=TuningParams,
        compute=stim_tuning,
        ports=(Port(needs=(RECORDING_ID,)),),
        keeps_last_output=True,
        results=(
            Result(
                columns=(
                    Output("_TUNE_CURVE_{stimulus_type}_yvals", "{unit}", "item"),
                    Output("_TUNE_CURVE_{stimulus_type}_sem", "{unit}", "item"),
                    Output("_TUNE_CURVE_{stimulus_type}_n", "", "item"),
                    Output("TUNE_CURVE_{stimulus_type}_xlabels", "", "item", "categorical"),
                    Output("TUNE_MAX_{stimulus_type}", kind="categorical"),
                    Output("TUNE_MIN_{stimulus_type}", kind="categorical"),
                    Output("_TUNE_SELECTIVITY_{stimulus_type}"),
                    Output("_TUNE_P_{stimulus_type}"),
                )
            ),
        ),
        by_row=True,
        nan="ignore",
    ),
)
