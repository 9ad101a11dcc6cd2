"""Math: each value by itself, and the line through a trace."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.nodes.declaration import Node, Output, Result, check_fields, choice, column, number
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY

TRANSFORMS = ("log10", "ln", "modlog10", "modln")
SMALLEST = 1e-20


@dataclass(frozen=True, kw_only=True)
class PowerParams:
    """Settings of the power."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to raise to a power."""

    exponent: float = number(2.0, -99, 99)
    """The power; a negative value to a broken power becomes NaN."""

    def __post_init__(self) -> None:
        check_fields(self)


def x_power_y(
    traces: NDArray[np.float64], *, rate_hz: float, params: PowerParams
) -> NDArray[np.float64]:
    """Return each value to a power.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is.
    rate_hz : float
        Samples per second; has no effect.
    params : PowerParams
        Settings.
    """
    del rate_hz
    return np.power(traces, params.exponent)


@dataclass(frozen=True, kw_only=True)
class AbsoluteParams:
    """Settings of the absolute value."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays whose sign is taken away."""

    def __post_init__(self) -> None:
        check_fields(self)


def absolute_value(
    traces: NDArray[np.float64], *, rate_hz: float, params: AbsoluteParams
) -> NDArray[np.float64]:
    """Return each value without its sign.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is.
    rate_hz : float
        Samples per second; has no effect.
    params : AbsoluteParams
        Settings.
    """
    del rate_hz, params
    return np.abs(traces)


@dataclass(frozen=True, kw_only=True)
class LogParams:
    """Settings of the logarithm."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays to transform."""

    transform: str = choice("log10", TRANSFORMS)
    """``log10`` and ``ln``: NaN where a value is not above 0; ``modlog10`` and ``modln``: of 1 plus
    the absolute value, with the sign of the value."""

    def __post_init__(self) -> None:
        check_fields(self)


def log_transform(
    traces: NDArray[np.float64], *, rate_hz: float, params: LogParams
) -> NDArray[np.float64]:
    """Return the logarithm of each value.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN stays where it is.
    rate_hz : float
        Samples per second; has no effect.
    params : LogParams
        Settings.
    """
    del rate_hz
    base = np.log(10) if params.transform.endswith("10") else 1.0
    if params.transform.startswith("mod"):
        return np.asarray(np.sign(traces) * np.log1p(np.abs(traces)) / base)
    logarithm = np.log10 if params.transform == "log10" else np.log
    return np.asarray(logarithm(np.where(traces > 0, traces, np.nan)))


@dataclass(frozen=True, kw_only=True)
class LineParams:
    """Settings of the line through each trace."""

    data_column: str = column("time")
    """Traces that are fitted."""

    def __post_init__(self) -> None:
        check_fields(self)


def line_through(
    traces: NDArray[np.float64], *, rate_hz: float, params: LineParams
) -> dict[str, Any]:
    """Return the line of least squares through each trace, and how sure it is.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite; at least 2 samples.
    rate_hz : float
        Samples per second.
    params : LineParams
        Settings.

    Returns
    -------
    dict of array
        Slope per second, value at the first sample, correlation with time, the probability of such
        a slope by chance where neighbouring samples do not depend on each other, and the standard
        error of the slope. A constant trace has neither correlation nor probability.
    """
    del params
    n_samples = traces.shape[1]
    time_s = (np.arange(n_samples) - (n_samples - 1) / 2) / rate_hz
    mean = traces.mean(axis=1, keepdims=True)
    # sums row by row, so that the bits of a row do not depend on the others
    slope = (traces * time_s).sum(axis=1) / (time_s**2).sum()
    squares = ((traces - mean) ** 2).sum(axis=1)
    flat = squares <= n_samples * (1e-14 * mean[:, 0]) ** 2
    slope = np.where(flat, 0, slope)
    spread = np.sqrt((time_s**2).sum() / np.where(flat, 1, squares))
    r = np.where(flat, np.nan, np.clip(slope * spread, -1, 1))
    freedom = n_samples - 2
    if not freedom:
        p, error = np.where(flat, np.nan, 0.0), np.zeros(len(traces))
    else:
        t = r * np.sqrt(freedom / ((1 - r + SMALLEST) * (1 + r + SMALLEST)))
        p = 2 * special.stdtr(freedom, -np.abs(t))
        error = np.sqrt((1 - r**2) * squares / (time_s**2).sum() / freedom)
    intercept = mean[:, 0] + slope * time_s[0]
    return {
        "_SLOPE": slope,
        "_INTERCEPT": intercept,
        "_R-VALUE": r,
        "_P-VALUE": p,
        "_STDERR": np.where(flat, 0, error),
    }


register(
    Node(
        name="x_power_y",
        title="XpowerY",
        group="Math",
        params=PowerParams,
        compute=x_power_y,
        on_traces=True,
        results=(Result(columns=(Output("_X_POWER_Y", "({unit})^{exponent:g}", "same"),)),),
        nan="pass",
    ),
    Node(
        name="absolute_value",
        title="AbsoluteValue",
        group="Math",
        params=AbsoluteParams,
        compute=absolute_value,
        on_traces=True,
        results=(Result(columns=(Output("_ABSOLUTE_VALUE", "{unit}", "same"),)),),
        nan="pass",
    ),
    Node(
        name="log_transform",
        title="LogTransform",
        group="Math",
        params=LogParams,
        compute=log_transform,
        on_traces=True,
        results=(Result(columns=(Output("_LOG_TRANSFORM", "{transform}({unit})", "same"),)),),
        nan="pass",
    ),
    Node(
        name="linreg",
        title="LinRegress",
        group="Math",
        params=LineParams,
        compute=line_through,
        on_traces=True,
        keeps_last_output=True,
        results=(
            Result(
                columns=(
                    Output("_SLOPE", "{unit}/s"),
                    Output("_INTERCEPT", "{unit}"),
                    Output("_R-VALUE"),
                    Output("_P-VALUE"),
                    Output("_STDERR", "{unit}/s"),
                )
            ),
        ),
        min_samples=2,
    ),
)
