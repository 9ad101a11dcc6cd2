"""Signal: filters, resampling."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

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
from pipeline.nodes.rowwise import Traces

BANDS = ("lowpass", "highpass", "bandpass", "bandstop")
LARGEST_FACTOR = 1000


@dataclass(frozen=True, kw_only=True)
class ButterworthParams:
    """Settings of the Butterworth filter."""

    data_column: str = column("time")
    """Traces to filter."""

    band: str = choice("lowpass", BANDS)
    """Which frequencies stay: below, above, between, or outside of the cutoffs."""

    cutoff_hz: float = number(0.25, 1e-6, 1e6)
    """Frequency at which half of the amplitude is left, in Hz; of a band, the lower end."""

    upper_hz: float | None = number(None, 1e-6, 1e6)
    """Upper end of a band, in Hz."""

    order: int = whole(2, 1, 20)
    """Steepness of one pass; the filter runs forwards and backwards."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.is_band != (self.upper_hz is not None):
            need = "needs upper_hz" if self.is_band else "takes no upper_hz"
            raise ValueError(f"a {self.band} filter {need}; got {self.upper_hz!r}.")
        if self.upper_hz is not None and self.upper_hz <= self.cutoff_hz:
            raise ValueError(
                f"upper_hz must be above cutoff_hz ({self.cutoff_hz:g}); got {self.upper_hz:g}."
            )

    @property
    def is_band(self) -> bool:
        """Whether there are two cutoffs."""
        return self.band in BANDS[2:]

    def sections(self, rate_hz: float) -> NDArray[np.float64]:
        """Return the filter for a sampling rate, as second-order sections."""
        cutoffs = [self.cutoff_hz] if self.upper_hz is None else [self.cutoff_hz, self.upper_hz]
        if max(cutoffs) >= rate_hz / 2:
            raise ValueError(
                f"a cutoff must be below half of the sampling rate of {rate_hz:g} Hz; "
                f"got {max(cutoffs):g} Hz."
            )
        return _sections(self, cutoffs, rate_hz)


def _sections(
    params: ButterworthParams, cutoffs_hz: list[float], rate_hz: float
) -> NDArray[np.float64]:
    """Return a filter as second-order sections."""
    wanted = cutoffs_hz if params.is_band else cutoffs_hz[0]
    return np.asarray(
        signal.butter(params.order, wanted, params.band, output="sos", fs=rate_hz)  # type: ignore[call-overload]
    )


def butterworth(
    traces: NDArray[np.float64], *, rate_hz: float, params: ButterworthParams
) -> NDArray[np.float64]:
    """Return filtered traces without delay.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second.
    params : ButterworthParams
        Settings.
    """
    return np.asarray(signal.sosfiltfilt(params.sections(rate_hz), traces, axis=1))


def _padded(params: ButterworthParams) -> int:
    """Return how many samples a trace must have: more than are added at its ends."""
    # the same for all cutoffs
    sos = _sections(params, [0.1, 0.2], 1.0)
    delays = min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    return int(3 * (2 * len(sos) + 1 - delays)) + 1


@dataclass(frozen=True, kw_only=True)
class SavitzkyGolayParams:
    """Settings of the Savitzky-Golay filter."""

    data_column: str = column("time", "frequency", "lag")
    """Traces to smooth."""

    window_frames: int = whole(3, 3, 99_999)
    """Samples that one polynomial is fitted to; odd."""

    polyorder: int = whole(1, 0, 20)
    """Degree of the polynomial; below the window."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.window_frames % 2 == 0:
            raise ValueError(f"window_frames must be odd; got {self.window_frames}.")
        if self.polyorder >= self.window_frames:
            raise ValueError(
                f"polyorder must be below window_frames ({self.window_frames}); "
                f"got {self.polyorder}."
            )


def savitzky_golay(
    traces: NDArray[np.float64], *, rate_hz: float, params: SavitzkyGolayParams
) -> NDArray[np.float64]:
    """Return traces smoothed by a running polynomial.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite, at least as long as the window.
    rate_hz : float
        Samples per second; has no effect.
    params : SavitzkyGolayParams
        Settings.
    """
    del rate_hz
    return np.asarray(signal.savgol_filter(traces, params.window_frames, params.polyorder, axis=1))


@dataclass(frozen=True, kw_only=True)
class ResampleParams:
    """Settings of resampling."""

    data_column: str = column("time")
    """Traces to resample."""

    rate_hz: float = number(10.0, 1e-6, 1e6)
    """Wanted samples per second."""

    method: str = choice("fourier", ("fourier", "polyphase"))
    """``fourier`` takes a trace as periodic and may ring at its ends; ``polyphase`` filters."""

    def __post_init__(self) -> None:
        check_fields(self)


def resample(traces: NDArray[np.float64], *, rate_hz: float, params: ResampleParams) -> Traces:
    """Return traces with another sampling rate.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second.
    params : ResampleParams
        Settings.

    Notes
    -----
    Whole samples fit into the duration; by ``fourier`` they are spread over it evenly, so that the
    rate of the result may lie a little below the wanted one. It is kept as it is.
    """
    n_samples = traces.shape[1]
    # a product that should be whole may lie a hair below it
    n_new = max(1, int(n_samples * params.rate_hz / rate_hz + 1e-9))
    if params.method == "fourier":
        return Traces(signal.resample(traces, n_new, axis=1), rate=rate_hz * n_new / n_samples)
    factor = Fraction(params.rate_hz / rate_hz).limit_denominator(LARGEST_FACTOR)
    if not factor:
        raise ValueError(
            f"rate_hz must be at least a thousandth of the sampling rate of {rate_hz:g} Hz; "
            f"got {params.rate_hz:g}."
        )
    # the ends are taken as going on, not as falling to zero
    new = signal.resample_poly(traces, factor.numerator, factor.denominator, axis=1, padtype="line")
    return Traces(new, rate=rate_hz * float(factor))


def _one(name: str, axis: str = "same", unit: str = "{unit}") -> tuple[Result, ...]:
    """Return the declaration of one column of arrays."""
    return (Result(columns=(Output(name, unit, axis),)),)


def _window(params: Any) -> int:
    """Return the length of the window."""
    return int(params.window_frames)


register(
    Node(
        name="butterworth",
        title="Butterworth",
        group="Signal",
        params=ButterworthParams,
        compute=butterworth,
        on_traces=True,
        results=_one("_BUTTERWORTH"),
        min_samples=_padded,
    ),
    Node(
        name="savitzky_golay",
        title="SavitzkyGolay",
        group="Signal",
        params=SavitzkyGolayParams,
        compute=savitzky_golay,
        on_traces=True,
        results=_one("_SAVITZKY_GOLAY"),
        min_samples=_window,
    ),
    Node(
        name="resample",
        title="Resample",
        group="Signal",
        params=ResampleParams,
        compute=resample,
        on_traces=True,
        results=_one("_RESAMPLE"),
    ),
)
