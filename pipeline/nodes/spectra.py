"""Signal: from time to frequency and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fftpack, signal

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


@dataclass(frozen=True, kw_only=True)
class PowerParams:
    """Settings of the power spectral density."""

    data_column: str = column("time")
    """Traces whose power is wanted."""

    method: str = choice("periodogram", ("periodogram", "welch"))
    """One spectrum of the whole trace, or the mean over segments that overlap by half."""

    segment_s: float = number(30.0, 1e-3, 1e6)
    """Length of a segment, in seconds; a trace that is shorter is one segment."""

    window: str = choice("boxcar", ("boxcar", "hann", "hamming", "blackman"))
    """Weights over the trace or the segment."""

    detrend: str = choice("constant", ("constant", "linear", "none"))
    """What is subtracted before: the mean, a line, or nothing."""

    def __post_init__(self) -> None:
        check_fields(self)


def power_spectral_density(
    traces: NDArray[np.float64], *, rate_hz: float, params: PowerParams
) -> Traces:
    """Return the one-sided power of each trace per Hz, from 0 Hz on.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second.
    params : PowerParams
        Settings.
    """
    n_samples = traces.shape[1]
    if params.method == "welch":
        n_samples = min(n_samples, max(2, round(params.segment_s * rate_hz)))
    _, power = signal.welch(  # type: ignore[call-overload]
        traces,
        rate_hz,
        window=params.window,
        nperseg=n_samples,
        noverlap=n_samples // 2 if params.method == "welch" else 0,
        detrend=False if params.detrend == "none" else params.detrend,
        axis=1,
    )
    return Traces(power, rate=n_samples / rate_hz, start=0.0)


@dataclass(frozen=True, kw_only=True)
class RfftParams:
    """Settings of the Fourier transform."""

    data_column: str = column("time")
    """Traces to transform."""

    def __post_init__(self) -> None:
        check_fields(self)


def rfft(traces: NDArray[np.float64], *, rate_hz: float, params: RfftParams) -> dict[str, Traces]:
    """Return the spectrum of each trace, as real numbers and as magnitudes.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite.
    rate_hz : float
        Samples per second.
    params : RfftParams
        Settings.

    Returns
    -------
    dict of Traces
        ``_RFFT``: the constant, then real and imaginary part of each frequency in turn, as many
        numbers as samples, so that it can be cut and inverted; ``_RFFT_MAGNITUDE``: of each
        frequency.
    """
    del params
    per_hz = traces.shape[1] / rate_hz
    magnitude = np.abs(np.fft.rfft(traces, axis=1))
    return {
        "_RFFT": Traces(fftpack.rfft(traces, axis=1), rate=per_hz, start=0.0),
        "_RFFT_MAGNITUDE": Traces(magnitude, rate=per_hz, start=0.0),
    }


@dataclass(frozen=True, kw_only=True)
class IrfftParams:
    """Settings of the inverse Fourier transform."""

    data_column: str = column("packed")
    """Spectra as `rfft` makes them, perhaps cut to their first numbers."""

    n_samples: int | None = whole(None, 1, 100_000_000)
    """Length of the traces that come out: what is missing of a cut spectrum counts as zero, what is
    too much is left out. None: as long as the spectrum."""

    def __post_init__(self) -> None:
        check_fields(self)


def irfft(traces: NDArray[np.float64], *, rate_hz: float, params: IrfftParams) -> Traces:
    """Return the traces that spectra belong to; their time begins at 0.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Spectra; finite.
    rate_hz : float
        Numbers of the spectrum per Hz, which is the duration of the trace in seconds.
    params : IrfftParams
        Settings.
    """
    n_samples = params.n_samples or traces.shape[1]
    whole_spectrum = np.zeros((len(traces), n_samples))
    kept = min(n_samples, traces.shape[1])
    whole_spectrum[:, :kept] = traces[:, :kept]
    return Traces(fftpack.irfft(whole_spectrum, axis=1), rate=n_samples / rate_hz, start=0.0)


register(
    Node(
        name="power_spectral_density",
        title="PowerSpectralDensity",
        group="Signal",
        params=PowerParams,
        compute=power_spectral_density,
        on_traces=True,
        results=(Result(columns=(Output("_POWER_SPECTRAL_DENSITY", "{unit}²/Hz", "frequency"),)),),
        min_samples=2,
    ),
    Node(
        name="rfft",
        title="RFFT",
        group="Signal",
        params=RfftParams,
        compute=rfft,
        on_traces=True,
        results=(
            Result(
                columns=(
                    Output("_RFFT", "{unit}", "packed"),
                    Output("_RFFT_MAGNITUDE", "{unit}", "frequency"),
                )
            ),
        ),
    ),
    Node(
        name="irfft",
        title="iRFFT",
        group="Signal",
        params=IrfftParams,
        compute=irfft,
        on_traces=True,
        results=(Result(columns=(Output("_IRFFT", "{unit}", "time"),)),),
    ),
)
