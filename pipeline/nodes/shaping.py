"""Data: arrays cut, padded, and brought back to grey levels; tables from and to files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction.raw_range import BRIGHTEST
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
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ArrayColumn, Transmission

FAR = 1_000_000_000
STATISTICS = ("minimum", "maximum", "mean", "median")
PAD_MODES = (*STATISTICS, "constant", "edge", "reflect", "symmetric", "wrap", "nan")


@dataclass(frozen=True, kw_only=True)
class SpliceParams:
    """Settings of the cut."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays that are cut."""

    start: float = number(0.0, -FAR, FAR)
    """Where the part begins; negative samples count from the end."""

    stop: float | None = number(None, -FAR, FAR)
    """Where it ends, itself left out; None: at the end of the array."""

    unit: str = choice("s", ("s", "samples"))
    """Of both: seconds on the time of the array (or Hz, for a spectrum), or samples from 0."""

    def __post_init__(self) -> None:
        check_fields(self)


def splice_arrays(params: SpliceParams, *, data: Transmission) -> Transmission:
    """Return a part of each array, which keeps its place in time.

    Parameters
    ----------
    params : SpliceParams
        Settings.
    data : Transmission
        An array that has no sample in the range becomes missing.
    """
    source = data.array(params.data_column)
    first = _sample(params.start, params, source)
    stop = source.lengths if params.stop is None else _sample(params.stop, params, source)
    if source.info.axis == "packed" and first.any():
        raise ValueError("a packed spectrum can be cut at its end alone; start must be 0.")
    return data.with_array("_SPLICE_ARRAYS", source.cut(np.arange(data.n_rows), first, stop))


def _sample(place: float, params: SpliceParams, source: ArrayColumn) -> NDArray[np.int64]:
    """Return the first sample of each array that does not lie before a place."""
    if params.unit == "samples":
        whole_place = int(place)
        return whole_place + (source.lengths if whole_place < 0 else 0 * source.lengths)
    if source.info.axis in ("packed", "item", "component"):
        raise ValueError(f"arrays along {source.info.axis} are cut by samples, not by seconds.")
    rate = np.where(np.isnan(source.rate), 1.0, source.rate)
    # a product that should be whole may lie a hair above it
    samples = np.ceil((place - source.start) * rate - 1e-6)
    return np.clip(samples, 0, source.lengths).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class PadParams:
    """Settings of the padding."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays that get the length of the longest."""

    method: str = choice("end", ("end", "random"))
    """Whether samples are added at the end, or a random part of them at the begin."""

    mode: str = choice("minimum", PAD_MODES)
    """What is added: a statistic of the array, a constant, NaN, its last value, its mirror image
    with or without the last value, or the array again."""

    constant: float = number(1.0, -1e12, 1e12)
    """The value of the mode ``constant``."""

    seed: int = whole(0, 0, 2**32 - 1)
    """Of the random parts; the same gives the same."""

    def __post_init__(self) -> None:
        check_fields(self)


def pad_arrays(params: PadParams, *, data: Transmission) -> Transmission:
    """Return arrays of one length.

    Parameters
    ----------
    params : PadParams
        Settings.
    data : Transmission
        A missing array is filled with NaN.
    """
    source = data.array(params.data_column)
    longest = int(source.lengths.max(initial=0))
    rng = np.random.default_rng(params.seed)
    room = longest - source.lengths
    before = rng.integers(0, room + 1) if params.method == "random" else np.zeros_like(room)
    kind = np.float32 if source.values.dtype == np.float32 else np.float64
    padded = np.full((data.n_rows, longest), np.nan, kind)
    for row, array in enumerate(source.rows()):
        if array.size:
            padded[row] = _padded(array, (int(before[row]), int(room[row] - before[row])), params)
    rate = np.where(np.isnan(source.rate), 1.0, source.rate)
    start = source.start - before / rate
    made = ArrayColumn.of(padded, source.info, rate=source.rate, start=start)
    return data.with_array("_PADDED", made)


def _padded(
    array: NDArray[np.floating], width: tuple[int, int], params: PadParams
) -> NDArray[np.floating]:
    """Return one array with samples added before and after it."""
    values = np.asarray(array, np.float64)
    if params.mode in ("constant", "nan"):
        fill = np.nan if params.mode == "nan" else params.constant
        return np.pad(values, width, constant_values=fill)
    # a single sample has no mirror image
    mode = "edge" if params.mode == "reflect" and array.size == 1 else params.mode
    return np.asarray(np.pad(values, width, mode=mode))  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class NormRawParams:
    """Settings of the way back to grey levels."""

    data_column: str = column("time")
    """Traces of a source extraction."""

    option: str = choice("top_5", BRIGHTEST)
    """Of how many of the brightest pixels of a footprint the grey level is the mean."""

    low_column: str = column("item", default="_RAW_LOW")
    """Grey levels in the frame in which the trace is lowest, one for each option."""

    high_column: str = column("item", default="_RAW_HIGH")
    """Grey levels in the frame in which it is highest."""

    def __post_init__(self) -> None:
        check_fields(self)


def norm_raw(params: NormRawParams, *, data: Transmission) -> Transmission:
    """Return traces that go from the lowest to the highest grey level of their ROI.

    Parameters
    ----------
    params : NormRawParams
        Settings.
    data : Transmission
        Where the levels are missing or not in order, and where a trace is constant, the result is
        NaN.
    """
    source = data.array(params.data_column)
    place = BRIGHTEST.index(params.option)
    low, high = (
        _level(data.array(name), place) for name in (params.low_column, params.high_column)
    )
    kind = np.float32 if source.values.dtype == np.float32 else np.float64
    made = np.full(source.values.size, np.nan, kind)
    for row, trace in enumerate(source.rows()):
        finite = trace[np.isfinite(trace)]
        if finite.size and low[row] < high[row] and np.ptp(finite) > 0:
            share = (np.asarray(trace, np.float64) - finite.min()) / float(np.ptp(finite))
            part = slice(source.offsets[row], source.offsets[row + 1])
            made[part] = low[row] + share * (high[row] - low[row])
    info = source.info._replace(unit="grey level")
    new = ArrayColumn.flat(made, source.lengths, info, rate=source.rate, start=source.start)
    return data.with_array("_NORMRAW", new)


def _level(levels: ArrayColumn, place: int) -> NDArray[np.float64]:
    """Return one grey level of each ROI; NaN where it is not known."""
    rows = levels.rows()
    return np.array([row[place] if row.size > place else np.nan for row in rows], np.float64)


register(
    Node(
        name="splice_arrays",
        title="SpliceArrays",
        group="Data",
        params=SpliceParams,
        compute=splice_arrays,
        results=(Result(columns=(Output("_SPLICE_ARRAYS", "{unit}", "same"),)),),
        by_row=True,
        nan="pass",
    ),
    Node(
        name="pad_arrays",
        title="PadArrays",
        group="Data",
        params=PadParams,
        compute=pad_arrays,
        results=(Result(columns=(Output("_PADDED", "{unit}", "same"),)),),
        nan="pass",
    ),
    Node(
        name="normrawminmax",
        title="NormRaw",
        group="Data",
        params=NormRawParams,
        compute=norm_raw,
        results=(Result(columns=(Output("_NORMRAW", "grey level", "same"),)),),
        by_row=True,
        nan="pass",
    ),
)
