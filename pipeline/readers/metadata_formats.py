"""The metadata formats that come with the package."""

import re
from pathlib import Path
from typing import Any

from tifffile import TiffFile

from pipeline.readers.datasets import is_positive
from pipeline.readers.metadata import (
    METADATA_FORMATS,
    UNKNOWN,
    read_json,
    register_metadata_format,
)
from pipeline.readers.ome import read_ome, warn_if_uneven
from pipeline.readers.tiff_damage import refuse_damage

TIFF_SUFFIXES = (".tif", ".tiff", ".btf")
XML_SUFFIXES = (".xml", ".ome")


@register_metadata_format("json_minimal", keys=("fps", "date"))
def json_minimal(path: Path) -> dict[str, Any]:
    """Read a JSON file with ``fps``, ``date`` and, where known, ``origin`` and ``pixel_size_um``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        These, and the whole file as ``orig_meta``.
    """
    content = read_json(path, ("fps", "date"))
    size = {name: content[name] for name in ("pixel_size_um",) if name in content}
    return {
        **size,
        "origin": content.get("origin", UNKNOWN),
        "fps": content["fps"],
        "date": content["date"],
        "orig_meta": content,
    }


@register_metadata_format(
    "AwesomeImager",
    keys=("version", "framerate", "date", "time", "level_min", "level_max"),
)
def awesome_imager(path: Path) -> dict[str, Any]:
    """Read the JSON file that AwesomeImager writes beside a movie.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        With ``version``, and the levels of the display as ``vmin`` and ``vmax``.
    """
    content = read_json(path, METADATA_FORMATS["AwesomeImager"].keys)
    return {
        "origin": "AwesomeImager",
        "version": content["version"],
        "fps": content["framerate"],
        "date": f"{content['date']}_{content['time']}",
        "vmin": content["level_min"],
        "vmax": content["level_max"],
        "orig_meta": content,
    }


@register_metadata_format("inscopix", keys=("Exposure Time (ms)", "Microscope Type"))
def inscopix(path: Path) -> dict[str, Any]:
    """Read the JSON file of an Inscopix recording; its rate is one over the exposure time.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        The microscope as ``origin``; the file does not tell the date.
    """
    content = read_json(path, METADATA_FORMATS["inscopix"].keys)
    exposure_ms = content["Exposure Time (ms)"]
    return {
        "origin": content["Microscope Type"],
        "fps": 1000 / exposure_ms if is_positive(exposure_ms) else exposure_ms,
        "date": UNKNOWN,
        "orig_meta": content,
    }


@register_metadata_format("ome_tiff", suffixes=TIFF_SUFFIXES + XML_SUFFIXES)
def ome_tiff(path: Path) -> dict[str, Any]:
    """Read the OME header of a TIFF file, or one that stands alone as XML.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        ``fps`` is the mean of the rates measured from plane to plane (the rate that was set, where
        none was measured), ``fps_std`` their standard deviation (divided by their number) and
        ``fps_max_dev`` the largest distance of one of them from the mean.

    Warns
    -----
    UserWarning
        If ``fps_std`` is above 0.01 Hz or ``fps_max_dev`` above 0.1 Hz.
    """
    xml = _read_ome_xml(path)
    ome = read_ome(xml, path.name)
    found = {
        "origin": "OME",
        "fps": ome.measured_rate_hz or ome.nominal_rate_hz,
        "date": ome.date or UNKNOWN,
        "orig_meta": {"ome_xml": xml},
    }
    if not ome.is_timed:
        return found
    warn_if_uneven(ome, path.name)
    return found | {"fps_std": ome.std_hz, "fps_max_dev": ome.max_deviation_hz}


def _read_ome_xml(path: Path) -> str:
    if path.suffix.lower() in XML_SUFFIXES:
        return path.read_text(encoding="utf-8", errors="replace")
    with refuse_damage(path.name), TiffFile(path) as tif:
        xml = tif.ome_metadata
    if xml is None:
        raise ValueError(f"{path.name} has no OME header; choose another metadata format.")
    return xml


@register_metadata_format("miniscope", keys=("deviceName", "frameRate"), files=("metaData.json",))
def miniscope(path: Path) -> dict[str, Any]:
    """Read the ``metaData.json`` of a device that the Miniscope software writes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        With the device as ``origin``; the date stands in the file of the recording above.
    """
    content = read_json(path, METADATA_FORMATS["miniscope"].keys)
    rate = content["frameRate"]
    told = re.fullmatch(r"\s*([0-9.]+)\s*(FPS|Hz)?\s*", str(rate), re.IGNORECASE)
    return {
        "origin": f"Miniscope {content['deviceName']}",
        "fps": float(told[1]) if told and told[1].count(".") < len("..") else rate,
        "date": UNKNOWN,
        "orig_meta": content,
    }
