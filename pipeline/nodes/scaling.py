"""Signal: scaling of each trace by its own values, and its spread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Output, Result, check_fields, column, number
from pipeline.nodes.registry import register

NORMAL_MAD = 1.482602218505602
"""Standard deviation of normal values whose median absolute deviation is 1."""

ANY_ARRAY = ("time", "frequency", "packed", "lag", "item", "component")


@dataclass(frozen=True, kw_only=True)
class NormalizeParams:
    """Settings of the normalisation to 0 to 1."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to normalise."""

    def __post_init__(self) -> None:
        check_fields(self)


def normalize(
    traces: NDArray[np.float64], *, rate_hz: float, params: NormalizeParams
) -> NDArray[np.float64]:
    """Return each trace with its minimum at 0 and its maximum at 1; a constant one becomes NaN.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is.
    rate_hz : float
        Samples per second; has no effect.
    params : NormalizeParams
        Settings.
    """
    del rate_hz, params
    low = np.fmin.reduce(traces, axis=1)[:, np.newaxis]
    span = np.fmax.reduce(traces, axis=1)[:, np.newaxis] - low
    return np.asarray((traces - low) / np.where(span > 0, span, np.nan))


@dataclass(frozen=True, kw_only=True)
class ScalerParams:
    """Settings of the scaling to a mean and a standard deviation."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to scale."""

    mean: float = number(0.0, -1e12, 1e12)
    """Mean of each result."""

    std: float = number(1.0, 0, 1e12)
    """Standard deviation of each result."""

    def __post_init__(self) -> None:
        check_fields(self)


def scale_mean_variance(
    traces: NDArray[np.float64], *, rate_hz: float, params: ScalerParams
) -> NDArray[np.float64]:
    """Return each trace with the wanted mean and (population) standard deviation.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is; a constant trace becomes the mean.
    rate_hz : float
        Samples per second; has no effect.
    params : ScalerParams
        Settings.
    """
    del rate_hz
    mean, std = moments(traces)
    flat = std <= 1e-12 * np.abs(mean)  # what rounding leaves of a constant is no signal
    above = np.where(flat, traces * 0, traces - mean)
    return above / np.where(flat, 1, std) * params.std + params.mean


def moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and population standard deviation along the last axis, NaN left out.

    Parameters
    ----------
    values : array
        An array in which all is NaN has NaN.

    Returns
    -------
    tuple of array
        Mean and standard deviation; the last axis has length 1.
    """
    there = ~np.isnan(values)
    count = there.sum(axis=-1, keepdims=True)
    count = np.where(count > 0, count, np.nan)
    mean = np.where(there, values, 0).sum(axis=-1, keepdims=True) / count
    squares = np.where(there, values - mean, 0) ** 2
    return mean, np.sqrt(squares.sum(axis=-1, keepdims=True) / count)


@dataclass(frozen=True, kw_only=True)
class SigmaMadParams:
    """Settings of the median absolute deviation."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays whose spread is wanted."""

    as_sigma: bool = False
    """Whether it is multiplied by 1.4826: of normal values, that is the standard deviation."""

    def __post_init__(self) -> None:
        check_fields(self)


def sigma_mad(
    traces: NDArray[np.float64], *, rate_hz: float, params: SigmaMadParams
) -> NDArray[np.float64]:
    """Return the median distance of each trace from its median.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN is left out.
    rate_hz : float
        Samples per second; has no effect.
    params : SigmaMadParams
        Settings.
    """
    del rate_hz
    middle = np.nanmedian(traces, axis=1, keepdims=True)
    mad = np.nanmedian(np.abs(traces - middle), axis=1)
    return np.asarray(mad * (NORMAL_MAD if params.as_sigma else 1))


register(
    Node(
        name="normalize",
        title="Normalize",
        group="Signal",
        params=NormalizeParams,
        compute=normalize,
        on_traces=True,
        results=(Result(columns=(Output("_NORMALIZE", "", "same"),)),),
        nan="pass",
    ),
    Node(
        name="scaler_mean_variance",
        title="ScalerMeanVariance",
        group="Signal",
        params=ScalerParams,
        compute=scale_mean_variance,
        on_traces=True,
        results=(Result(columns=(Output("_SCALER_MEAN_VARIANCE", "", "same"),)),),
        nan="pass",
    ),
    Node(
        name="sigmamad",
        title="SigmaMAD",
        group="Signal",
        params=SigmaMadParams,
        compute=sigma_mad,
        on_traces=True,
        keeps_last_output=True,
        results=(Result(columns=(Output("_SIGMAMAD", "{unit}"),)),),
        nan="ignore",
    ),
)
