"""OME headers: when each plane was recorded, and how large its pixels are."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.units import LENGTHS_UM, TIMES_S

EVEN_STD_HZ = 0.01
EVEN_DEVIATION_HZ = 0.1
DATE_FORMAT = "%Y%m%d_%H%M%S"


@dataclass(frozen=True, kw_only=True)
class OmeHeader:
    """What an OME header tells about a movie."""

    date: str | None
    """Start of the recording, ``YYYYMMDD_HHMMSS``."""

    nominal_rate_hz: float | None
    """One over the time increment that was set."""

    steps_s: NDArray[np.float64]
    """Time from each time point to the next, for every plane and channel."""

    pixel_size_um: Mapping[str, float] = field(default_factory=dict)
    """Size of a pixel along the axes that the header tells."""

    @property
    def is_timed(self) -> bool:
        """Whether the header tells when each frame was recorded, and time runs forwards."""
        return len(self.steps_s) > 0 and bool(np.all(self.steps_s > 0))

    @property
    def rate_hz(self) -> float | None:
        """The rate that was set, else the mean of those measured; None if neither is there."""
        return self.nominal_rate_hz or self.measured_rate_hz

    @property
    def measured_rate_hz(self) -> float | None:
        """Mean of the rates measured; None for a single time point."""
        return float((1 / self.steps_s).mean()) if self.is_timed else None

    @property
    def std_hz(self) -> float:
        """Standard deviation of the rates measured."""
        return float((1 / self.steps_s).std())

    @property
    def max_deviation_hz(self) -> float:
        """Largest distance of a measured rate from their mean."""
        rates_hz = 1 / self.steps_s
        return float(np.abs(rates_hz - rates_hz.mean()).max())


def read_ome(xml: str, name: str) -> OmeHeader:
    """Read the first image of an OME header, with or without name-space prefixes.

    Parameters
    ----------
    xml : str
        The header.
    name : str
        Where it comes from, for messages.

    Returns
    -------
    OmeHeader
        Times, date and pixel sizes.

    Raises
    ------
    ValueError
        If it is not XML, or describes no image.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError(f"{name} is not valid XML ({error}); export the file again.") from error
    image = next(_children(root, "Image"), None)
    pixels = next(_children(image, "Pixels"), None) if image is not None else None
    if image is None or pixels is None:
        raise ValueError(f"{name} describes no image (no Image with Pixels); export it again.")
    increment_s = _time_s(pixels.attrib, "TimeIncrement")
    return OmeHeader(
        date=_date(image),
        nominal_rate_hz=1 / increment_s if increment_s and increment_s > 0 else None,
        steps_s=_steps_s(pixels),
        pixel_size_um=_pixel_size_um(pixels.attrib),
    )


def warn_if_uneven(ome: OmeHeader, name: str) -> None:
    """Warn if the frames of a recording are not evenly spaced in time.

    Parameters
    ----------
    ome : OmeHeader
        With at least one measured rate.
    name : str
        The file, for the message.
    """
    if ome.std_hz > EVEN_STD_HZ or ome.max_deviation_hz > EVEN_DEVIATION_HZ:
        warnings.warn(
            f"the frames of {name} are not evenly spaced: the rate varies by {ome.std_hz:.3g} Hz "
            f"(standard deviation) and at most {ome.max_deviation_hz:.3g} Hz around "
            f"{ome.measured_rate_hz:.6g} Hz; times computed from the rate are approximate.",
            UserWarning,
            stacklevel=3,
        )


def _children(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """Yield the children of a tag, whatever their name space."""
    return (child for child in element if child.tag.rpartition("}")[2] == tag)


def _number(text: str | None) -> float | None:
    """Return a finite number, or None."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _time_s(attributes: Mapping[str, str], key: str) -> float | None:
    """Return a time in seconds, None in an unknown unit; OME means seconds where none is given."""
    value, unit_s = _number(attributes.get(key)), TIMES_S.get(attributes.get(f"{key}Unit", "s"))
    return None if value is None or unit_s is None else value * unit_s


def _steps_s(pixels: ElementTree.Element) -> NDArray[np.float64]:
    """Return the times between neighbouring time points of each plane and channel."""
    times_s: dict[tuple[str, str], dict[int, float]] = {}
    for plane in _children(pixels, "Plane"):
        time_s, frame = _time_s(plane.attrib, "DeltaT"), _number(plane.attrib.get("TheT"))
        if time_s is not None and frame is not None:
            place = (plane.attrib.get("TheZ", "0"), plane.attrib.get("TheC", "0"))
            times_s.setdefault(place, {})[int(frame)] = time_s
    steps_s = [
        times[frame + 1] - time_s
        for times in times_s.values()
        for frame, time_s in sorted(times.items())
        if frame + 1 in times
    ]
    return np.array(steps_s, np.float64)


def _pixel_size_um(attributes: Mapping[str, str]) -> dict[str, float]:
    """Return the sizes whose unit is a length; OME means micrometres where no unit is given."""
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        size = _number(attributes.get(f"PhysicalSize{axis}"))
        unit_um = LENGTHS_UM.get(attributes.get(f"PhysicalSize{axis}Unit", "µm"))
        if size and size > 0 and unit_um:
            sizes[axis] = size * unit_um
    return sizes


def _date(image: ElementTree.Element) -> str | None:
    """Return the acquisition date, in either spelling of the schema's editions."""
    for tag in ("AcquisitionDate", "AcquiredDate", "CreationDate"):
        for element in _children(image, tag):
            try:
                return datetime.fromisoformat((element.text or "").strip()).strftime(DATE_FORMAT)
            except ValueError:
                continue
    return None
