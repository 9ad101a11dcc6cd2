"""Math: derivatives and integrals of traces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, linalg

from pipeline.nodes.declaration import (
    Node,
    Output,
    Result,
    check_fields,
    choice,
    column,
    number,
    whole,
)
from pipeline.nodes.registry import register


@dataclass(frozen=True, kw_only=True)
class DerivativeParams:
    """Settings of the derivative."""

    data_column: str = column("time")
    """Traces to derive."""

    def __post_init__(self) -> None:
        check_fields(self)


def derivative(
    traces: NDArray[np.float64], *, rate_hz: float, params: DerivativeParams
) -> NDArray[np.float64]:
    """Return the change of each trace per second, by central differences.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        At least 2 samples; NaN reaches its neighbours.
    rate_hz : float
        Samples per second.
    params : DerivativeParams
        Settings.
    """
    del params
    return np.asarray(np.gradient(traces, axis=1) * rate_hz)


@dataclass(frozen=True, kw_only=True)
class IntegrateParams:
    """Settings of the integral."""

    data_column: str = column("time")
    """Traces to integrate."""

    method: str = choice("trapezoid", ("trapezoid", "simpson"))
    """Straight lines between samples, or parabolas through three of them."""

    def __post_init__(self) -> None:
        check_fields(self)


def integral(
    traces: NDArray[np.float64], *, rate_hz: float, params: IntegrateParams
) -> NDArray[np.float64]:
    """Return the area under each trace from its first sample to each of the others.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second.
    params : IntegrateParams
        Settings; two samples are joined by a straight line in any case.
    """
    by_simpson = params.method == "simpson" and traces.shape[1] > 2  # noqa: PLR2004
    rule = integrate.cumulative_simpson if by_simpson else integrate.cumulative_trapezoid
    return np.asarray(rule(traces, dx=1 / rate_hz, axis=1, initial=0))


@dataclass(frozen=True, kw_only=True)
class TvDiffParams:
    """Settings of the derivative with regularised total variation."""

    data_column: str = column("time")
    """Traces to derive."""

    alpha: float = number(0.1, 1e-12, 1e12)
    """Weight of smoothness: larger makes fewer and rounder steps."""

    epsilon: float = number(0.01, 1e-12, 1e6)
    """Rounds the corner of the absolute value; smaller makes sharper steps."""

    iterations: int = whole(100, 1, 10_000)
    """Steps of the solver at most; it stops when nothing changes."""

    def __post_init__(self) -> None:
        check_fields(self)


TOLERANCE = 1e-10
"""Relative change at which more steps change nothing."""


def tv_derivative(
    traces: NDArray[np.float64], *, rate_hz: float, params: TvDiffParams
) -> NDArray[np.float64]:
    """Return the derivative per second that varies least for what it explains.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite; at least 3 samples.
    rate_hz : float
        Samples per second.
    params : TvDiffParams
        Settings.

    Notes
    -----
    Minimises ``alpha * sum |D u| + 1/2 * sum (A u - (f - f0))²``, where A sums up and D is the
    difference of neighbours per second, by lagged diffusivity. In ``U = A u`` each step is a system
    with five diagonals, so that its time grows with the length and not with its cube.

    References
    ----------
    Chartrand 2011, Numerical differentiation of noisy, nonsmooth data,
    https://doi.org/10.5402/2011/164564
    """
    return np.array([_tv_derivative(trace, rate_hz, params) for trace in traces])


def _tv_derivative(
    trace: NDArray[np.float64], rate_hz: float, params: TvDiffParams
) -> NDArray[np.float64]:
    """Return the derivative of one trace."""
    data = trace - trace[0]
    change = np.diff(data, prepend=0.0)
    for _ in range(params.iterations):
        weight = 1 / np.sqrt((np.diff(change) * rate_hz) ** 2 + params.epsilon)
        bands = _penalty(params.alpha * rate_hz**2 * weight)
        bands[2] += 1
        smooth = linalg.solveh_banded(bands, data)
        new = np.diff(smooth, prepend=0.0)
        moved = np.abs(new - change).max()
        change = new
        if moved <= TOLERANCE * np.abs(new).max():
            break
    return np.asarray(change * rate_hz)


def _penalty(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(D B)ᵀ diag(weight) (D B)`` as upper diagonals; B and D take differences.

    Row k of ``D B`` is 1, -2, 1 at k - 1, k and k + 1; the first has no k - 1.
    """
    n_samples = len(weight) + 1
    bands = np.zeros((3, n_samples))
    bands[2, :-1] += 4 * weight
    bands[2, 1:] += weight
    bands[2, :-2] += weight[1:]
    bands[1, 1:] -= 2 * weight
    bands[1, 1:-1] -= 2 * weight[1:]
    bands[0, 2:] += weight[1:]
    return bands


def _one(name: str, unit: str) -> tuple[Result, ...]:
    """Return the declaration of one column of traces."""
    return (Result(columns=(Output(name, unit, "same"),)),)


register(
    Node(
        name="derivative",
        title="Derivative",
        group="Math",
        params=DerivativeParams,
        compute=derivative,
        on_traces=True,
        results=_one("_DERIVATIVE", "{unit}/s"),
        nan="pass",
        min_samples=2,
    ),
    Node(
        name="tvdiff",
        title="TVDiff",
        group="Math",
        params=TvDiffParams,
        compute=tv_derivative,
        on_traces=True,
        results=_one("_TVDIFF", "{unit}/s"),
        min_samples=3,
    ),
    Node(
        name="integrate",
        title="Integrate",
        group="Math",
        params=IntegrateParams,
        compute=integral,
        on_traces=True,
        results=_one("_INTEGRATE", "{unit}·s"),
    ),
)
