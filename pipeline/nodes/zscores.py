"""Math: values in standard deviations from their mean, of an array or of a group."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import (
    Node,
    Output,
    Result,
    check_fields,
    column,
)
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY, moments
from pipeline.transmission import ArrayColumn, Transmission


@dataclass(frozen=True, kw_only=True)
class ZScoreParams:
    """Settings of the z-score of each array."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to scale."""

    def __post_init__(self) -> None:
        check_fields(self)


def zscore(
    traces: NDArray[np.float64], *, rate_hz: float, params: ZScoreParams
) -> NDArray[np.float64]:
    """Return how many standard deviations each value lies from the mean of its array.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is; a constant array becomes NaN.
    rate_hz : float
        Samples per second; has no effect.
    params : ZScoreParams
        Settings.
    """
    del rate_hz, params
    return standardized(np.where(np.isfinite(traces), traces, np.nan))


def standardized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values from their mean along the last axis, in standard deviations.

    Parameters
    ----------
    values : array
        Where all is one value, the result is NaN.
    """
    mean, std = moments(values)
    # what rounding leaves of a constant is no signal
    return np.asarray((values - mean) / np.where(std <= 1e-12 * np.abs(mean), np.nan, std))


@dataclass(frozen=True, kw_only=True)
class GroupZScoreParams:
    """Settings of the z-score within groups of rows."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to scale; their lengths may differ."""

    group_by: str = column(None, kinds=LABEL, optional=True)
    """All values of the rows with one value of it share a mean and a standard deviation; "": those
    of all rows."""

    def __post_init__(self) -> None:
        check_fields(self)


def group_zscore(params: GroupZScoreParams, *, data: Transmission) -> Transmission:
    """Return how many standard deviations each value lies from the mean of its group.

    Parameters
    ----------
    params : GroupZScoreParams
        Settings.
    data : Transmission
        NaN stays where it is. Where all is constant, and in rows without group, all is NaN.
    """
    source = data.array(params.data_column)
    kind = np.float32 if source.values.dtype == np.float32 else np.float64
    members = [rows for _, rows in groups(data, [params.group_by] if params.group_by else [])]
    others = np.setdiff1d(np.arange(data.n_rows), np.concatenate([np.empty(0, int), *members]))
    scaled = []
    for rows in members:
        values = np.asarray(source.take(rows).values, np.float64)
        scaled.append(standardized(np.where(np.isfinite(values), values, np.nan)).astype(kind))
    scaled.append(np.full(source.lengths[others].sum(), np.nan, kind))
    order = np.concatenate([*members, others])
    grouped = ArrayColumn.flat(np.concatenate(scaled), source.lengths[order], source.info)
    values = grouped.take(np.argsort(order)).values
    made = ArrayColumn.flat(
        values, source.lengths, source.info._replace(unit=""), rate=source.rate, start=source.start
    )
    return data.with_array("_ZSCORE", made)


register(
    Node(
        name="zscore",
        title="ZScore",
        group="Math",
        params=ZScoreParams,
        compute=zscore,
        on_traces=True,
        results=(Result(columns=(Output("_ZSCORE", "", "same"),)),),
        nan="pass",
    ),
    Node(
        name="group_zscore",
        title="ZScore by group",
        group="Math",
        params=GroupZScoreParams,
        compute=group_zscore,
        results=(Result(columns=(Output("_ZSCORE", "", "same"),)),),
        nan="pass",
    ),
)
