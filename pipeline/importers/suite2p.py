"""What suite2p found: its folder, or that of one plane."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.numpy_files import read_npy
from pipeline.readers.json_values import json_values
from pipeline.roi_file import RoiFile, footprints_of
from pipeline.rois.given import GivenRois

STAT = "stat.npy"
OPS = "ops.npy"
PLANE = "plane"
COMBINED = "combined"
TRACES = {"raw": "F.npy", "neuropil": "Fneu.npy", "spikes": "spks.npy"}
"""Our names and suite2p's; its F is the mean over the ROI, without any subtraction."""

NOT_NUMBERS = ("iplane",)
RENAMED = {"snr": "suite2p_snr"}
"""Numbers that other programs have under the same name, and mean something else by."""

KEPT = ("tau", "nplanes", "nchannels")
CELL_COLUMNS = 2


def is_suite2p(path: Path) -> bool:
    """Tell whether a folder is one of suite2p, or holds one.

    Parameters
    ----------
    path : Path
        The folder ``suite2p``, one above it, or one of a plane.
    """
    return path.is_dir() and bool(_plane_folders(path))


def read_suite2p(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read ROIs, traces, classification and statistics.

    Parameters
    ----------
    path : Path
        The folder ``suite2p``, one above it, or that of a plane.
    frame_shape : tuple of int
        Of the recorded frames; of a recording with planes, the folders are its planes in order.

    Returns
    -------
    RoiFile
        ``raw`` is F and ``neuropil`` Fneu, neither subtracted from the other.

    Raises
    ------
    ValueError
        If a file is missing, damaged, or of another run than the others.
    """
    folders = _plane_folders(path)
    if len(folders) == 1 and folders[0].name == COMBINED:
        raise ValueError(
            f"{path} is suite2p's picture of all planes beside each other; give the folder above "
            "it, which holds the planes."
        )
    planes = [_read_plane(folder) for folder in folders]
    n_planes = frame_shape[0] if len(frame_shape) == 3 else 1  # noqa: PLR2004 planes, rows, columns
    if len(planes) != n_planes:
        raise ValueError(
            f"{path.name} holds {len(planes)} planes, and the recording has {n_planes}; give the "
            "folder of one plane, or the recording with these planes."
        )
    return planes[0] if len(frame_shape) != 3 else _stacked(planes)  # noqa: PLR2004


def _plane_folders(path: Path) -> list[Path]:
    """Return the folders with ROIs, by the number of the plane."""
    if (path / STAT).is_file():
        return [path]
    for above in (path, path / "suite2p"):
        found = {
            int(folder.name.removeprefix(PLANE)): folder
            for folder in above.glob(f"{PLANE}*")
            if folder.name.removeprefix(PLANE).isdecimal() and (folder / STAT).is_file()
        }
        if found:
            return [folder for _, folder in sorted(found.items())]
    return []


def _read_plane(folder: Path) -> RoiFile:
    """Read the ROIs of one plane."""
    ops = read_npy(folder / OPS)
    if not (isinstance(ops, dict) and ops):
        raise ValueError(f"{OPS} in {folder.name} must hold settings by name; copy it again.")
    rows, cols = (_whole(ops, name) for name in ("Ly", "Lx"))
    stat = read_npy(folder / STAT)
    if not isinstance(stat, np.ndarray) or not all(isinstance(one, dict) for one in stat):
        raise ValueError(f"{STAT} in {folder.name} must hold a list of ROIs; copy it again.")
    accepted, probability = _classified(folder, len(stat))
    extraction = ops.get("extraction") if isinstance(ops.get("extraction"), dict) else {}
    coefficient = ops.get("neucoeff", (extraction or {}).get("neuropil_coefficient"))
    return RoiFile(
        rois=GivenRois(
            footprints=_footprints(list(stat), rows, cols),
            frame_shape=(rows, cols),
            accepted=accepted,
            numbers={**probability, **_statistics(list(stat))},
            traces=_traces(folder),
            source=f"suite2p {ops.get('suite2p_version', ops.get('version', ''))}".strip()[:64],
            file=folder.name,
        ),
        rate_hz=_number_or_none(ops.get("fs")),
        neuropil_coefficient=_number_or_none(coefficient),
        about={name: json_values(ops[name]) for name in KEPT if name in ops},
    )


def _whole(ops: dict[str, Any], name: str) -> int:
    """Return the length of an axis."""
    value = ops.get(name)
    if isinstance(value, int | np.integer) and 0 < int(value) < 1 << 20:
        return int(value)
    raise ValueError(f"{OPS} must hold {name}, a number of pixels; got {str(value)[:40]}.")


def _number_or_none(value: object) -> float | None:
    """Return a number, None for anything else."""
    return float(value) if isinstance(value, int | float | np.number) else None


def _footprints(stat: list[dict[str, Any]], rows: int, cols: int) -> sparse.csc_array:
    """Return the pixels of each ROI with suite2p's weights as they are."""
    columns = []
    for roi, one in enumerate(stat):
        try:
            y, x, weights = (np.asarray(one[name]) for name in ("ypix", "xpix", "lam"))
        except KeyError as error:
            raise ValueError(f"ROI {roi} in {STAT} lacks {error}; copy it again.") from None
        whole = all(part.dtype.kind in "iu" and part.ndim == 1 for part in (y, x))
        if not (whole and y.shape == x.shape == weights.shape and weights.dtype.kind == "f"):
            raise ValueError(f"the pixels of ROI {roi} in {STAT} are no pixels; copy it again.")
        inside = (y >= 0) & (y < rows) & (x >= 0) & (x < cols)
        if not (y.size and inside.all()):
            raise ValueError(
                f"ROI {roi} in {STAT} has pixels outside the frame of {rows} x {cols} pixels."
            )
        columns.append((y.astype(np.int64) * cols + x.astype(np.int64), weights))
    return footprints_of(columns, rows * cols)


def _traces(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read the traces that are there; F must be."""
    found = {}
    for name, file in TRACES.items():
        if name != "raw" and not (folder / file).exists():
            continue
        array = read_npy(folder / file)
        if not (isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype.kind == "f"):  # noqa: PLR2004
            raise ValueError(f"{file} in {folder.name} must hold traces (ROIs, frames).")
        found[name] = np.asarray(array, np.float32)
    return found


def _classified(
    folder: Path, n_rois: int
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
    """Return which ROIs are cells, and how likely; where nobody told, all are."""
    if not (folder / "iscell.npy").exists():
        return np.ones(n_rois, np.bool_), {}
    cells = read_npy(folder / "iscell.npy")
    if not (isinstance(cells, np.ndarray) and cells.shape == (n_rois, CELL_COLUMNS)):
        raise ValueError(
            f"iscell.npy in {folder.name} must have a row with two numbers for each of the "
            f"{n_rois} ROIs; the files are not of one run, or damaged."
        )
    return cells[:, 0] == 1, {"iscell_probability": cells[:, 1].astype(np.float64)}


def _statistics(stat: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Return what suite2p measured of each ROI, one number each; NaN where it has none."""
    names = {
        name
        for one in stat
        for name, value in one.items()
        if isinstance(value, bool | int | float | np.number | np.bool_)
    }
    return {
        RENAMED.get(name, name): np.array([_number(one.get(name)) for one in stat], np.float64)
        for name in sorted(names - set(NOT_NUMBERS))
    }


def _number(value: object) -> float:
    """Return a number, NaN for anything else."""
    return float(value) if isinstance(value, int | float | np.number | np.bool_) else np.nan


def _stacked(planes: list[RoiFile]) -> RoiFile:
    """Return the ROIs of planes as those of a volume."""
    first = planes[0]
    parts = [plane.rois for plane in planes]
    if any(part.frame_shape != first.rois.frame_shape for part in parts):
        raise ValueError("the planes of the folder differ in size; they are not of one volume.")
    lengths = [plane.n_frames or 0 for plane in planes]
    n_frames = min(lengths)
    if max(lengths) - n_frames > 1:  # the last volume of a scan may lack planes
        raise ValueError(f"the planes have {lengths} frames; they are not of one run.")
    shared = [name for name in first.rois.traces if all(name in part.traces for part in parts)]
    numbers = sorted({name for part in parts for name in part.numbers})
    rois = GivenRois(
        footprints=sparse.csc_array(sparse.block_diag([p.footprints for p in parts], "csc")),
        frame_shape=(len(planes), *first.rois.frame_shape),
        accepted=np.concatenate([plane.accepted for plane in planes]),
        numbers={
            name: np.concatenate([_column(plane, name) for plane in planes]) for name in numbers
        },
        traces={
            name: np.concatenate([part.traces[name][:, :n_frames] for part in parts])
            for name in shared
        },
        source=first.rois.source,
    )
    return replace(first, rois=rois)


def _column(plane: RoiFile, name: str) -> NDArray[np.floating]:
    """Return a number of each ROI of a plane; NaN where suite2p has not measured it there."""
    return plane.rois.numbers.get(name, np.full(plane.n_rois, np.nan))
