"""ScanImage recordings: pages of a TIFF file are channels, planes and time by turns.

Channels run fastest, then the frames that were taken in one plane, then planes, then volumes;
frames of the flyback stand at the end of each volume, for every channel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, matlabstr2py

from pipeline.readers.datasets import is_positive
from pipeline.readers.header_values import MAX_LENGTH
from pipeline.readers.ome import DATE_FORMAT
from pipeline.readers.stack import StoredArray

Settings = Mapping[str, Any]
OLD = "state."
EPOCH_PARTS = 6
CORNER = 2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """In what order the pages of a recording come."""

    channel_names: tuple[str, ...]
    """The saved channels."""

    n_planes: int
    """Planes of a volume; 1 for a movie of one plane."""

    n_flyback: int
    """Frames of the flyback at the end of each volume."""

    @property
    def n_channels(self) -> int:
        """Number of saved channels."""
        return len(self.channel_names)

    @property
    def pages_per_volume(self) -> int:
        """Pages of one volume, with those of the flyback."""
        return (self.n_planes + self.n_flyback) * self.n_channels


class ScanImagePages:
    """Pages as ``(n_volumes, n_planes, n_channels, n_rows, n_cols)``, without the flyback."""

    def __init__(self, pages: StoredArray, layout: Layout) -> None:
        """See an array of pages, the first axis, in another order."""
        n_volumes = pages.shape[0] // layout.pages_per_volume
        self._pages = pages
        self._layout = layout
        self.dtype: np.dtype[Any] = np.dtype(pages.dtype)
        self.shape: tuple[int, ...] = (
            n_volumes,
            layout.n_planes,
            layout.n_channels,
            *pages.shape[-2:],
        )
        self._between = (slice(0, 1),) * (len(pages.shape) - 3)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        volumes, planes, channels = (
            range(*part.indices(n)) for part, n in zip(index[:3], self.shape[:3], strict=True)
        )
        lengths = [len(range(*s.indices(n))) for s, n in zip(index, self.shape, strict=True)]
        block = np.empty(lengths, self.dtype)
        for i, plane in enumerate(planes):
            for j, channel in enumerate(channels):
                block[:, i, j] = self._read(volumes, plane, channel, index[3:])
        return block

    def _read(
        self, volumes: range, plane: int, channel: int, within: tuple[slice, ...]
    ) -> NDArray[Any]:
        """Read one plane and channel of some volumes: pages at even distances."""
        period = self._layout.pages_per_volume
        first = plane * self._layout.n_channels + channel
        pages = slice(volumes.start * period + first, volumes.stop * period, volumes.step * period)
        found: NDArray[Any] = np.asarray(self._pages[(pages, *self._between, *within)])
        return found.reshape(len(volumes), *found.shape[-2:])


def read_settings(tif: TiffFile) -> dict[str, Any]:
    """Return the settings of a recording, whatever the version that wrote them.

    Parameters
    ----------
    tif : TiffFile
        The open file.

    Returns
    -------
    dict
        Such as ``SI.hChannels.channelSave``; of versions before 5 such as ``state.acq.frameRate``
        or ``SI4.channelsSave``. Empty where there are none.
    """
    found = (tif.scanimage_metadata or {}).get("FrameData")
    first = tif.pages.first
    steady = found if isinstance(found, dict) else _parsed(first.software)
    parsed = {**_parsed(first.description), **steady}
    return {str(key).removeprefix("scanimage."): value for key, value in parsed.items()}


def _parsed(text: str) -> dict[str, Any]:
    """Return the settings of a text with one on each line; what is not clear stays text."""
    pairs = (line.split("=", 1) for line in re.split(r"[\r\n]+", text) if "=" in line)
    return {key.strip(): _value(value.strip()) for key, value in pairs}


def _value(text: str) -> Any:
    try:
        return matlabstr2py(text)
    except (ValueError, LookupError, TypeError, RecursionError):
        return text


def read_layout(settings: Settings, n_pages: int, name: str) -> Layout:
    """Return the order of the pages.

    Parameters
    ----------
    settings : dict
        From `read_settings`.
    n_pages : int
        Pages of the file.
    name : str
        The file, for messages.

    Returns
    -------
    Layout
        Channels, planes and flyback.

    Raises
    ------
    ValueError
        If the settings contradict each other or the file, or it does not begin with a volume.
    """
    names = _channel_names(settings)
    n_planes = _n_planes(settings)
    n_flyback = _n_flyback(settings, n_planes) if n_planes > 1 else 0
    layout = Layout(channel_names=names, n_planes=n_planes, n_flyback=n_flyback)
    if n_pages < layout.pages_per_volume:
        raise ValueError(
            f"{name} is not a movie: it has {n_pages} pages, and a volume of its ScanImage "
            f"settings has {layout.pages_per_volume} ({n_planes} planes and {n_flyback} flyback "
            f"frames in {layout.n_channels} channels); was the recording stopped?"
        )
    _check_whole(layout, settings, name)
    return layout


def _check_whole(layout: Layout, settings: Settings, name: str) -> None:
    """Refuse several frames a plane, and a file that does not begin with a volume."""
    repeats = _count(settings, "SI.hStackManager.framesPerSlice") or 1
    averaged = _count(settings, "SI.hScan2D.logAverageFactor") or 1
    if layout.n_planes > 1 and repeats > averaged:
        raise ValueError(
            f"{name} holds {repeats // averaged} frames of each plane before the next plane "
            "(framesPerSlice), which is no movie of volumes; average them and save the volumes."
        )
    first = max(0, _count(settings, "frameNumbers") - 1)
    if first % (layout.n_planes + layout.n_flyback):
        raise ValueError(
            f"{name} begins within a volume (with frame {first + 1} of the recording), because "
            "volumes were cut at the end of a file; join the files with ScanImage, and give that."
        )


def _channel_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the channels that were saved."""
    saved = _first(settings, "SI.hChannels.channelSave", "SI4.channelsSave", "SI5.channelsSave")
    count = settings.get(f"{OLD}acq.numberOfChannelsSave")
    if saved is None:
        saved = list(range(1, int(count) + 1)) if is_positive(count) else [1]
    numbers = [n for n in np.ravel(np.array(saved, dtype=object)) if is_positive(n)] or [1]
    names = settings.get("SI.hChannels.channelName", [])
    names = names if isinstance(names, list) else [names]
    return tuple(
        str(names[int(n) - 1]) if int(n) <= len(names) else f"channel {int(n)}" for n in numbers
    )


def _n_planes(settings: Settings) -> int:
    """Return the number of planes; counts are left over in the settings when stacks are off."""
    switches = ("SI.hStackManager.enable", "SI.hFastZ.enable", "SI4.fastZEnable", "SI5.fastZEnable")
    told = [settings[key] for key in switches if key in settings]
    if told and not any(value is True or value == 1 for value in told):
        return 1
    counts = ("SI.hStackManager.actualNumSlices", "SI.hStackManager.numSlices")
    old = ("SI4.stackNumSlices", "SI5.stackNumSlices", f"{OLD}acq.numberOfZSlices")
    return next((n for key in (*counts, *old) if (n := _count(settings, key))), 1)


def _n_flyback(settings: Settings, n_planes: int) -> int:
    """Return how many frames at the end of each volume show the flyback."""
    whole = _count(settings, "SI.hStackManager.numFramesPerVolumeWithFlyback")
    seen = _count(settings, "SI.hStackManager.numFramesPerVolume") or n_planes
    if whole:
        return max(0, whole - seen)
    discarded = ("SI.hFastZ.numDiscardFlybackFrames", "SI4.fastZNumDiscardFrames")
    return next((n for key in discarded if (n := _count(settings, key))), 0)


def read_rate_hz(settings: Settings, layout: Layout) -> float | None:
    """Return frames (of volumes: volumes) per second as they were saved.

    Parameters
    ----------
    settings : dict
        From `read_settings`.
    layout : Layout
        From `read_layout`.
    """
    if layout.n_planes > 1:
        volumes = settings.get("SI.hRoiManager.scanVolumeRate")
        return float(volumes) if is_positive(volumes) else None
    keys = ("SI.hRoiManager.scanFrameRate", "SI4.scanFrameRate", "SI5.scanFrameRate")
    rate_hz = _first(settings, *keys, f"{OLD}acq.frameRate")
    averaged = _count(settings, "SI.hScan2D.logAverageFactor") or 1
    return float(rate_hz) / averaged if is_positive(rate_hz) else None


def read_pixel_size_um(settings: Settings, page_shape: tuple[int, ...]) -> dict[str, float]:
    """Return the size of a pixel, where a page is the field of view.

    Parameters
    ----------
    settings : dict
        From `read_settings`.
    page_shape : tuple of int
        Rows and columns of a page.
    """
    corners = settings.get("SI.hRoiManager.imagingFovUm")
    grid = tuple(
        _count(settings, f"SI.hRoiManager.{k}") for k in ("linesPerFrame", "pixelsPerLine")
    )
    try:
        points = np.array(corners, np.float64).reshape(-1, CORNER)
    except (TypeError, ValueError):
        return {}
    if grid != tuple(page_shape[-2:]) or not np.all(np.isfinite(points)) or len(points) < CORNER:
        return {}
    width_um, height_um = np.ptp(points, axis=0).tolist()
    step_um = settings.get("SI.hStackManager.actualStackZStepSize")
    step_um = abs(step_um) if isinstance(step_um, int | float) else None  # down is negative
    sizes = {"Y": height_um / page_shape[-2], "X": width_um / page_shape[-1], "Z": step_um}
    return {axis: float(size) for axis, size in sizes.items() if is_positive(size)}


def read_date(settings: Settings) -> str | None:
    """Return when the recording began.

    Parameters
    ----------
    settings : dict
        From `read_settings`.
    """
    epoch = settings.get("epoch")
    if not isinstance(epoch, list) or len(epoch) != EPOCH_PARTS:
        return None
    try:
        year, month, day, hour, minute = map(int, epoch[:-1])
        start = datetime(year, month, day, hour, minute)  # noqa: DTZ001 - no zone is told
        return (start + timedelta(seconds=float(epoch[-1]))).strftime(DATE_FORMAT)
    except (TypeError, ValueError, OverflowError):
        return None


def _first(settings: Settings, *keys: str) -> Any:
    return next((settings[key] for key in keys if key in settings), None)


def _count(settings: Settings, key: str) -> int:
    """Return a count above 0; 0 where there is none that makes sense, as ``Inf``."""
    value = settings.get(key)
    return int(value) if is_positive(value) and value < MAX_LENGTH and value == int(value) else 0
