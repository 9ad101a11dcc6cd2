"""Rate, pixel size and origin of a recording, as the header of its TIFF file tells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tifffile import TiffFile

from pipeline.readers.datasets import is_positive
from pipeline.readers.json_values import json_values
from pipeline.readers.ome import read_ome
from pipeline.readers.units import LENGTHS_UM, TIMES_S

UNKNOWN = "unknown"


def read_header(tif: TiffFile) -> dict[str, Any]:
    """Return what a header tells about its movie, as fields of a stack.

    Parameters
    ----------
    tif : TiffFile
        The open file.

    Returns
    -------
    dict
        ``rate_hz``, ``pixel_size_um`` and ``metadata``.
    """
    if tif.is_ome and tif.ome_metadata:
        return _ome_header(tif.ome_metadata)
    if tif.is_imagej and tif.imagej_metadata:
        return _imagej_header(tif, tif.imagej_metadata)
    return _fields(origin=UNKNOWN, date=tiff_date(tif), orig_meta=_tags(tif))


def _fields(
    *,
    origin: str,
    date: str,
    orig_meta: Any,
    rate_hz: float | None = None,
    pixel_size_um: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    return {
        "rate_hz": rate_hz,
        "pixel_size_um": dict(pixel_size_um or {}),
        "metadata": {"origin": origin, "date": date, "orig_meta": json_values(orig_meta)},
    }


def _ome_header(xml: str) -> dict[str, Any]:
    ome = read_ome(xml, "the OME header")
    return _fields(
        origin="OME",
        date=ome.date or UNKNOWN,
        orig_meta={"ome_xml": xml},
        rate_hz=ome.rate_hz,
        pixel_size_um=ome.pixel_size_um,
    )


def _imagej_header(tif: TiffFile, described: Mapping[str, Any]) -> dict[str, Any]:
    return _fields(
        origin="ImageJ",
        date=tiff_date(tif),
        orig_meta=described,
        rate_hz=_imagej_rate_hz(described),
        pixel_size_um=_imagej_pixel_size_um(tif, described),
    )


def _imagej_rate_hz(described: Mapping[str, Any]) -> float | None:
    """Take the frame interval; ``fps`` may be the speed of playing only, so it comes second."""
    interval, unit_s = described.get("finterval"), TIMES_S.get(described.get("tunit", "sec"))
    if is_positive(interval) and unit_s:
        return 1 / (float(interval) * unit_s)
    speed = described.get("fps")
    return float(speed) if is_positive(speed) else None


def _imagej_pixel_size_um(tif: TiffFile, described: Mapping[str, Any]) -> dict[str, float]:
    unit_um = LENGTHS_UM.get(str(described.get("unit", "")).replace("\\u00B5", "µ"))
    if unit_um is None:
        return {}
    sizes = {"Z": described.get("spacing")}
    for axis, tag in (("Y", "YResolution"), ("X", "XResolution")):
        pixels, units = tif.pages.first.tags.valueof(tag, default=(0, 0))
        sizes[axis] = units / pixels if pixels else None
    return {axis: float(s) * unit_um for axis, s in sizes.items() if is_positive(s)}


def tiff_date(tif: TiffFile) -> str:
    """Return the date tag as ``YYYYMMDD_HHMMSS``, or `UNKNOWN`.

    Parameters
    ----------
    tif : TiffFile
        The open file.
    """
    written = str(tif.pages.first.tags.valueof("DateTime", default=""))
    try:
        return datetime.strptime(written, "%Y:%m:%d %H:%M:%S").strftime("%Y%m%d_%H%M%S")
    except ValueError:
        return UNKNOWN


def _tags(tif: TiffFile) -> dict[str, Any]:
    """Return the tags that are words."""
    tags = tif.pages.first.tags
    return {tag.name: tag.value for tag in tags if isinstance(tag.value, str)}
