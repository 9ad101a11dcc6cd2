"""Stimuli from the auxiliary channels of a Femtonics MES file, which step between voltages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.readers.mes import MS_PER_S, choose_images, number, read_images, read_mes
from pipeline.readers.registry import split_item

CHANNELS = (
    *(f"{kind}{n}" for kind in ("AUXi", "AUXo", "Sh", "Stim") for n in range(9)),
    *("PMT_EN", "Trig", "PMTenUG", "PMTenUR", "PMTenUB"),
)
"""Names that auxiliary channels have."""

CHANGES_NDIM = 2


class Steps(NamedTuple):
    """The voltage of an auxiliary channel, which changes in steps."""

    times_s: NDArray[np.float64]
    """When it changes, in seconds from the begin of the first frame."""

    volts: NDArray[np.float64]
    """The voltage from then on, to one decimal."""


class Auxiliary(NamedTuple):
    """The auxiliary channels of a recording."""

    channels: dict[str, Steps]
    """By name; channels that tell nothing are left out."""

    duration_s: float
    """Length of the movie."""


def read_auxiliary(location: Path) -> Auxiliary:
    """Return the auxiliary channels of a recording.

    Parameters
    ----------
    location : Path
        A MES file; ``file.mes::IF0001`` chooses one of several recordings.

    Raises
    ------
    ValueError
        If the file is damaged, the choice is not clear, or no times of frames are told.
    """
    path, item = split_item(location)
    image = choose_images(read_images(path), item, path.name)[0]
    stack = read_mes(path, item)[0]
    if stack.rate_hz is None:
        raise ValueError(
            f"{path.name} does not tell how long a frame takes, so that nothing can be placed in "
            "time; enter the stimuli from a table."
        )
    start_ms = number(image.folded.get("firstFrameStartTime")) or 0.0
    found = {name: _steps(image.settings[name], start_ms) for name in _told(image.settings)}
    n_frames = stack.array.shape[stack.axes.index("T")]
    return Auxiliary(
        {name: steps for name, steps in found.items() if steps is not None},
        n_frames / stack.rate_hz,
    )


def _told(settings: Mapping[str, Any]) -> list[str]:
    return [name for name in CHANNELS if isinstance(settings.get(name), dict)]


def _steps(channel: Mapping[str, Any], start_ms: float) -> Steps | None:
    """Return the steps of a channel; None for one without, or that is damaged."""
    changes, axis = channel.get("y"), channel.get("x")
    if not isinstance(changes, np.ndarray) or changes.ndim != CHANGES_NDIM:
        return None
    if changes.shape[0] != CHANGES_NDIM or not changes.size:
        return None
    if not isinstance(axis, np.ndarray) or axis.size < CHANGES_NDIM:
        return None
    samples, volts = np.asarray(changes, np.float64)
    step_ms = float(axis.ravel()[1])
    times_s = (samples * step_ms - start_ms) / MS_PER_S
    is_forward = np.all(np.diff(times_s) > 0) and step_ms > 0
    if not is_forward or not np.all(np.isfinite(times_s) & np.isfinite(volts)):
        return None
    return Steps(times_s, np.round(volts, 1) + 0.0)


def auxiliary_periods(
    auxiliary: Auxiliary, channel: str, names: Mapping[float, str] | None = None
) -> pd.DataFrame:
    """Return the voltages of a channel as stimulus periods.

    Parameters
    ----------
    auxiliary : Auxiliary
        From `read_auxiliary`.
    channel : str
        Such as ``AUXo3``.
    names : mapping of float to str, optional
        What each voltage stands for; others are left out. Without it every voltage is a stimulus,
        such as ``5.0 V``.

    Returns
    -------
    pandas.DataFrame
        A row for each period, with ``name``, ``start`` and ``end`` in seconds from the begin of
        the movie. A period that reaches over an end of the movie ends there; the last voltage
        lasts to the end.

    Raises
    ------
    ValueError
        If there is no such channel, or a voltage that is named never occurs in it.
    """
    if channel not in auxiliary.channels:
        there = ", ".join(auxiliary.channels) or "none"
        raise ValueError(f"there is no auxiliary channel {channel!r}; there are: {there}.")
    steps = auxiliary.channels[channel]
    levels = sorted(set(steps.volts.tolist()))
    wanted = {round(v, 1) + 0.0: n for v, n in (names or {v: f"{v:.1f} V" for v in levels}).items()}
    strange = [volts for volts in wanted if volts not in levels]
    if strange:
        listed = ", ".join(f"{volts:g}" for volts in levels)
        raise ValueError(
            f"{channel} never has {strange[0]:g} V in this recording; its voltages are {listed}."
        )
    ends_s = np.append(steps.times_s[1:], auxiliary.duration_s)
    starts_s, ends_s = (np.clip(t, 0, auxiliary.duration_s) for t in (steps.times_s, ends_s))
    rows = [
        (wanted[volts], start, end)
        for volts, start, end in zip(steps.volts, starts_s, ends_s, strict=True)
        if volts in wanted and start < end
    ]
    return pd.DataFrame(rows, columns=["name", "start", "end"])
