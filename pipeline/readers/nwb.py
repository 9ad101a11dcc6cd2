"""NWB files: HDF5 with photon series, of which one is the movie.

The standard has time first and then columns before rows, ``data[time, width, height, depth]``
(NWB core 2, ``TwoPhotonSeries``), and so they are read. ``axes="TYX"`` reads a file whose writer
had rows first.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.readers.hdf5 import Hdf5Array, find_datasets, open_hdf5
from pipeline.readers.header_values import check_rate
from pipeline.readers.json_values import json_values
from pipeline.readers.ome import DATE_FORMAT, OmeHeader, warn_if_uneven
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack
from pipeline.readers.units import LENGTHS_UM

PHOTON_SERIES = ("TwoPhotonSeries", "OnePhotonSeries")
ANY_SERIES = (*PHOTON_SERIES, "ImageSeries")
AXES = {3: "TXY", 4: "TXYZ"}
MAX_TEXT = 4096


@register_reader(".nwb")
def read_nwb(path: Path, item: str | None) -> list[Stack]:
    """Read a photon series of an NWB file.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        Path of the series, such as ``acquisition/TwoPhotonSeries``, where there are several.

    Returns
    -------
    list of Stack
        One.

    Raises
    ------
    ValueError
        If the file is damaged, holds no series or refers to other files for its pixels, the
        choice is not clear, or the rate makes no sense.
    """
    with open_hdf5(path, "NWB") as file:
        series = _choose(_series(file, path.name), item, path.name)
        data = series["data"]
        array = Hdf5Array(path, data)
        told: dict[str, Any] = {
            "rate_hz": _rate_hz(series, array.shape[0], path.name),
            "pixel_size_um": _pixel_size_um(series.get("imaging_plane")),
            "metadata": {
                "origin": "NWB",
                "date": _date(file),
                "orig_meta": _orig_meta(series),
            },
        }
    array.try_first()
    return [
        Stack(
            name=path.name,
            array=array,
            axes=AXES[len(array.shape)],
            files=frozenset([path.resolve()]),
            **told,
        )
    ]


def _series(file: h5py.File, name: str) -> dict[str, h5py.Group]:
    """Return every image series of the file by its path."""
    parents = {path.rpartition("/")[0] for path in find_datasets(file, name)}
    found = {path: file[path] for path in sorted(parents) if path and _kind(file[path])}
    _refuse_external(file, name, found)
    return {path: group for path, group in found.items() if _is_movie(group)}


def _kind(group: h5py.Group) -> str:
    """Return the kind of a series, "" for anything else."""
    kind = group.attrs.get("neurodata_type")
    return kind if isinstance(kind, str) and kind in ANY_SERIES else ""


def _is_movie(group: h5py.Group) -> bool:
    data = group.get("data")
    return isinstance(data, h5py.Dataset) and len(data.shape or ()) in AXES and bool(data.size)


def _refuse_external(file: h5py.File, name: str, series: Mapping[str, h5py.Group]) -> None:
    """Refuse a file whose movies all lie in other files."""
    external = [group for group in series.values() if "external_file" in group]
    if external and not any(_is_movie(group) for group in series.values()):
        stored = np.atleast_1d(file[f"{external[0].name}/external_file"][:10])
        files = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in stored]
        raise ValueError(
            f"{name} holds no pixels: its movie lies in {', '.join(files)}; give that instead, and "
            "the rate."
        )


def _choose(series: Mapping[str, h5py.Group], item: str | None, name: str) -> h5py.Group:
    """Return the series asked for, or the only one; photon series come before plain images."""
    asked = (item or "").strip("/").removesuffix("/data")
    if item is not None and asked in series:
        return series[asked]
    photons = {path: group for path, group in series.items() if _kind(group) in PHOTON_SERIES}
    chosen = photons or series
    if item is None and len(chosen) == 1:
        return next(iter(chosen.values()))
    listed = ", ".join(f"{path} {group['data'].shape}" for path, group in chosen.items()) or "none"
    if not series:
        raise ValueError(
            f"{name} holds no movie: it has no TwoPhotonSeries, OnePhotonSeries or ImageSeries "
            "with three or four axes; give the file with the raw recording."
        )
    what = f"no series {item!r}" if item is not None else "several series that may be the movie"
    raise ValueError(f"{name} has {what}; choose one by '{name}::PATH' from {listed}.")


def _rate_hz(series: h5py.Group, n_frames: int, name: str) -> float | None:
    """Return the rate that the series tells, or that of its time stamps."""
    start = series.get("starting_time")
    if start is not None:
        return check_rate(_plain(start.attrs.get("rate")), name)
    stamps = series.get("timestamps")
    return None if stamps is None else _stamped_rate_hz(stamps, n_frames, name)


def _stamped_rate_hz(stamps: h5py.Dataset, n_frames: int, name: str) -> float | None:
    """Return the mean rate of time stamps, and warn where they are not even."""
    if stamps.shape != (n_frames,):
        raise ValueError(
            f"{name} is not whole: it has {n_frames} frames and time stamps of shape "
            f"{stamps.shape}; export it again."
        )
    times_s = np.asarray(stamps[:], np.float64)
    steps_s = np.diff(times_s)
    if not len(steps_s):
        return None
    if not np.all(np.isfinite(times_s)) or np.any(steps_s <= 0):
        raise ValueError(
            f"the time stamps of {name} do not run forwards (some are no numbers, or come twice); "
            "correct them in the file."
        )
    warn_if_uneven(OmeHeader(date=None, nominal_rate_hz=None, steps_s=steps_s), name)
    return float(len(steps_s) / (times_s[-1] - times_s[0]))


def _pixel_size_um(plane: Any) -> dict[str, float]:
    """Return the size of a pixel along x, y and z."""
    spacing = plane.get("grid_spacing") if isinstance(plane, h5py.Group) else None
    if not isinstance(spacing, h5py.Dataset) or not 0 < (spacing.size or 0) <= len("XYZ"):
        return {}
    unit_um = LENGTHS_UM.get(str(spacing.attrs.get("unit", "meters")))
    sizes = np.asarray(spacing[...], np.float64).ravel()
    if unit_um is None or not np.all(np.isfinite(sizes) & (sizes > 0)):
        return {}
    return {axis: float(size) * unit_um for axis, size in zip("XYZ", sizes, strict=False)}


def _date(file: h5py.File) -> str:
    """Return the begin of the session, by the clock where it was recorded."""
    stored = file.get("session_start_time")
    text = stored[()] if isinstance(stored, h5py.Dataset) and stored.shape == () else b""
    try:
        text = text.decode() if isinstance(text, bytes) else str(text)
        return datetime.fromisoformat(text).strftime(DATE_FORMAT)
    except ValueError:
        return "unknown"


def _orig_meta(series: h5py.Group) -> Any:
    """Return the attributes of a series and of its data that are short."""
    attributes = {**series.attrs, **{f"data.{k}": v for k, v in series["data"].attrs.items()}}
    values = {key: value for key, value in attributes.items() if np.size(value) <= MAX_TEXT}
    return json_values(
        {key: value for key, value in values.items() if not isinstance(value, h5py.Reference)}
    )


def _plain(value: Any) -> Any:
    """Return a single number of NumPy as Python's."""
    return value.item() if isinstance(value, np.generic) else value
