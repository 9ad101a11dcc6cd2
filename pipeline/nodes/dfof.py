"""Biology: fluorescence relative to a baseline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from pipeline.extraction.dff import mode_percentile, running_percentile
from pipeline.nodes.declaration import Node, Output, Result, check_fields, choice, column, number
from pipeline.nodes.registry import register
from pipeline.nodes.stimulus_extraction import LONGEST_S
from pipeline.nodes.stimulus_pairs import reduce_arrays
from pipeline.transmission import ArrayColumn, Transmission

BASELINES = ("percentile", "gaussian_min_max")


@dataclass(frozen=True, kw_only=True)
class StaticDfofParams:
    """Settings of dF/F with one baseline for a trace."""

    data_column: str = column("time")
    """Fluorescence."""

    percentile: float = number(0.0, 0, 100)
    """Of the trace, which is its baseline; 0 is the minimum."""

    def __post_init__(self) -> None:
        check_fields(self)


def static_dfof(
    traces: NDArray[np.float64], *, rate_hz: float, params: StaticDfofParams
) -> NDArray[np.float64]:
    """Return the change of each trace relative to one of its percentiles.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        NaN is left out. Where the baseline is not above 0, the result is NaN: background was
        subtracted, and there is nothing to be relative to.
    rate_hz : float
        Samples per second; has no effect.
    params : StaticDfofParams
        Settings.
    """
    del rate_hz
    base = np.nanpercentile(traces, params.percentile, axis=1, keepdims=True)
    return np.asarray((traces - base) / np.where(base > 0, base, np.nan))


@dataclass(frozen=True, kw_only=True)
class ManualDfofParams:
    """Settings of dF/F with the baseline of a window."""

    data_column: str = column("time")
    """Fluorescence; of parts by stimuli, time 0 is at the stimulus."""

    start_s: float = number(0.0, -LONGEST_S, LONGEST_S)
    """Begin of the window, in seconds on the time of the trace."""

    stop_s: float = number(1.0, -LONGEST_S, LONGEST_S)
    """End of the window, in seconds."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.stop_s <= self.start_s:
            raise ValueError(f"stop_s must be above start_s ({self.start_s}); got {self.stop_s}.")


def manual_dfof(params: ManualDfofParams, *, data: Transmission) -> Transmission:
    """Return the change of each trace relative to its mean in a window of time.

    Parameters
    ----------
    params : ManualDfofParams
        Settings.
    data : Transmission
        Where the window holds no sample or its mean is not above 0, the result is NaN.
    """
    source = data.array(params.data_column)
    first, stop = (
        np.clip(np.ceil((s - source.start) * source.rate - 1e-6), 0, source.lengths).astype(
            np.int64
        )
        for s in (params.start_s, params.stop_s)
    )
    base = reduce_arrays(source.cut(np.arange(data.n_rows), first, stop), np.mean)
    base = np.where(base > 0, base, np.nan)
    kind = np.float32 if source.values.dtype == np.float32 else np.float64
    level = np.repeat(base, source.lengths)
    values = ((source.values - level) / level).astype(kind)
    made = ArrayColumn.flat(
        values, source.lengths, source.info, rate=source.rate, start=source.start
    )
    return data.with_array("_MANUAL_DF_O_F", made.described(unit=""))


@dataclass(frozen=True, kw_only=True)
class DetrendDfofParams:
    """Settings of dF/F with a running baseline."""

    data_column: str = column("time")
    """Fluorescence of any kind of ROI."""

    baseline: str = choice("percentile", BASELINES)
    """A running percentile; or the trace smoothed, its running minimum, and of that the running
    maximum."""

    window_s: float = number(30.0, 0.1, 36_000)
    """Length of the running window, in seconds."""

    percentile: float | None = number(None, 0, 100)
    """Of the running baseline; None: that at which the mode of each trace lies."""

    smooth_s: float = number(1.0, 0, 3600)
    """Standard deviation of the smoothing for ``gaussian_min_max``, in seconds."""

    detrend_only: bool = False
    """Whether the baseline is subtracted alone, as for traces that have no fluorescence at rest."""

    def __post_init__(self) -> None:
        check_fields(self)


def detrend_dfof(
    traces: NDArray[np.float64], *, rate_hz: float, params: DetrendDfofParams
) -> NDArray[np.float64]:
    """Return the change of each trace relative to its running baseline.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        Finite. Where the baseline is not above 0, the result is NaN.
    rate_hz : float
        Samples per second.
    params : DetrendDfofParams
        Settings.
    """
    window = max(1, round(params.window_s * rate_hz))
    at_rest = np.array([_at_rest(trace, window, rate_hz, params) for trace in traces])
    above = traces - at_rest
    if params.detrend_only:
        return np.asarray(above)
    return np.asarray(above / np.where(at_rest > 0, at_rest, np.nan))


def _at_rest(
    trace: NDArray[np.float64], window: int, rate_hz: float, params: DetrendDfofParams
) -> NDArray[np.float64]:
    """Return the running baseline of one trace."""
    if params.baseline == "percentile":
        level = mode_percentile(trace) if params.percentile is None else params.percentile
        return np.asarray(running_percentile(trace, window, level))
    smooth = trace
    if params.smooth_s > 0:
        smooth = gaussian_filter1d(trace, params.smooth_s * rate_hz)
    return np.asarray(maximum_filter1d(minimum_filter1d(smooth, window), window))


register(
    Node(
        name="static_df_o_f",
        title="StaticDFoFo",
        group="Biology",
        params=StaticDfofParams,
        compute=static_dfof,
        on_traces=True,
        results=(Result(columns=(Output("_STATIC_DF_O_F", "", "same"),)),),
        nan="ignore",
    ),
    Node(
        name="manual_df_o_f",
        title="ManualDFoF",
        group="Biology",
        params=ManualDfofParams,
        compute=manual_dfof,
        results=(Result(columns=(Output("_MANUAL_DF_O_F", "", "same"),)),),
        by_row=True,
        nan="pass",
    ),
    Node(
        name="detrend_df_o_f",
        title="DetrendDFoF",
        group="Biology",
        params=DetrendDfofParams,
        compute=detrend_dfof,
        on_traces=True,
        results=(Result(columns=(Output("_DETREND_DF_O_F", "", "same"),)),),
    ),
)
