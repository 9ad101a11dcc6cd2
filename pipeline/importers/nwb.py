"""ROIs in NWB, read as the HDF5 that it is: no class of an extension is made."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.importers.hdf5_safe import DAMAGE, doubted, read_array
from pipeline.roi_file import RoiFile, column_name, footprints_of
from pipeline.rois.given import GivenRois

TRACES = {
    "Fluorescence/RoiResponseSeries": "raw",
    "Fluorescence/Denoised": "denoised",
    "Fluorescence/Deconvolved": "spikes",
    "Fluorescence/Background": "background",
    "Fluorescence/Neuropil": "neuropil",
    "DfOverF/RoiResponseSeries": "dff",
    "DfOverF/Dff": "dff",
}
"""Where programs put traces, and our names."""

ACCEPTED = ("accepted", "Accepted", "iscell", "is_cell")
NAMES = ("roi_name", "names", "label")
NOT_NUMBERS = (*ACCEPTED, "roi_key", "rejected", "Rejected")
TAG = "tag_"
OF_TYPE = re.compile(r"tag of the type (['\"])(?P<label>.{1,64})\1")
"""How we describe a column of tags."""

MASKS = {"pixel_mask": ("y", "x"), "voxel_mask": ("z", "y", "x")}
BLOCK_BYTES = 64_000_000
DEEPEST = 12


def is_nwb(path: Path) -> bool:
    """Tell whether a file is NWB by its name.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.is_file() and path.suffix.lower() == ".nwb"


def read_nwb(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read the ROIs of a plane segmentation, with their traces.

    Parameters
    ----------
    path : Path
        A file in HDF5, with one plane segmentation.
    frame_shape : tuple of int
        Of the recorded frames, which sparse masks do not tell.

    Returns
    -------
    RoiFile
        With what its columns tell: numbers, names, tags.

    Raises
    ------
    ValueError
        If the file is damaged, or has no plane segmentation or several.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path.name, frame_shape)
    except DAMAGE as error:
        raise ValueError(
            f"{path.name} cannot be read as ROIs of NWB ({str(error)[:120]}); copy or save it "
            "again."
        ) from error


def _read(file: h5py.File, name: str, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read an open file."""
    tables = list(_of_type(file, "PlaneSegmentation"))
    if len(tables) != 1:
        raise ValueError(
            f"{name} must hold one plane segmentation; it holds {len(tables)}"
            f"{': ' + ', '.join(str(t.name) for t in tables[:5]) if tables else ''}."
        )
    (table,) = tables
    footprints, note = _footprints(table, frame_shape)
    n_rois = footprints.shape[1]
    columns = _columns(table, n_rois)
    accepted = next((columns[c] for c in ACCEPTED if c in columns), np.ones(n_rois, np.bool_))
    words = {c: values for c, values in columns.items() if values.dtype.kind == "O"}
    traces, rate_hz = _traces(table, n_rois)
    rois = GivenRois(
        footprints=footprints,
        frame_shape=frame_shape,
        accepted=np.asarray(accepted, np.bool_),
        names=next((tuple(words[c]) for c in NAMES if c in words), ()),
        reasons=tuple(words.get("reason", ())),
        numbers={
            c: values.astype(np.float64)
            for c, values in columns.items()
            if values.dtype.kind in "fiub" and c not in NOT_NUMBERS
        },
        traces=traces,
        source=_source(table),
        file=name,
    )
    tags = {_label(table, c): tuple(v) for c, v in words.items() if c.startswith(TAG)}
    return RoiFile(rois=rois, tags=tags, rate_hz=rate_hz, left_out=(note,) if note else ())


def _of_type(group: h5py.Group, kind: str, depth: int = 0) -> Any:
    """Yield the groups of a type of NWB; links to other places are not followed."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        node = group[name]
        if not isinstance(node, h5py.Group) or depth > DEEPEST:
            continue
        if _text(node.attrs.get("neurodata_type", "")) == kind:
            yield node
        else:
            yield from _of_type(node, kind, depth + 1)


def _text(value: object) -> str:
    """Return text that may be bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _source(table: h5py.Group) -> str:
    """Return the program that found the ROIs, where the file is one of ours."""
    about = _text(table.attrs.get("description", ""))
    found = re.fullmatch(r"ROIs, accepted or not, of (.{1,64})", about)
    return found[1] if found else "NWB"


def _label(table: h5py.Group, column: str) -> str:
    """Return the type of the tags of a column: as we described it, else what the column is called.

    Names of columns have no blanks, and what people call their tags may.
    """
    name = column.removeprefix(TAG)
    about = OF_TYPE.fullmatch(_text(table[column].attrs.get("description", "")))
    return about["label"] if about and column_name(about["label"]) == name else name


def _footprints(
    table: h5py.Group, frame_shape: tuple[int, ...]
) -> tuple[sparse.csc_array, str | None]:
    """Return the masks of a table, of whichever kind, and what is uncertain about them."""
    if "image_mask" in table:
        return _of_images(doubted(table["image_mask"], "image_mask"), frame_shape)
    for name, axes in MASKS.items():
        if name in table:
            return _of_pixels(table, name, axes, frame_shape), None
    raise KeyError("the plane segmentation has no masks")


def _of_images(
    masks: h5py.Dataset, frame_shape: tuple[int, ...]
) -> tuple[sparse.csc_array, str | None]:
    """Return masks that are images, x first; some programs have rows first, against the standard.

    In a frame that is no square this shows.
    """
    if masks.dtype.kind not in "fiub":
        raise ValueError("its masks are no numbers; the file is damaged.")
    size, note = tuple(masks.shape[1:]), None
    x_first = size == frame_shape[::-1]
    if not x_first and size != frame_shape:
        raise ValueError(
            f"its masks have {' x '.join(map(str, size))} pixels, x first, and the frames of the "
            f"recording {' x '.join(map(str, frame_shape))}, rows first; choose the recording that "
            "they were made from."
        )
    if x_first and size == frame_shape:
        note = (
            "The frames are squares: masks are taken with x first, as NWB has them; a program that "
            "wrote rows first made them mirrored, so look at one."
        )
    n_pixels = int(np.prod(frame_shape))
    at_once = max(1, BLOCK_BYTES // (8 * n_pixels))
    parts = []
    for start in range(0, masks.shape[0], at_once):
        block = np.asarray(masks[start : start + at_once], np.float32)
        if x_first:
            block = block.transpose(0, *range(block.ndim - 1, 0, -1))
        parts.append(sparse.csc_array(block.reshape(len(block), n_pixels).T))
    if not parts:
        return sparse.csc_array((n_pixels, 0), dtype=np.float32), note
    joined = sparse.csc_array(sparse.hstack(parts, format="csc"), dtype=np.float32)
    return joined, note


def _of_pixels(
    table: h5py.Group, name: str, axes: tuple[str, ...], frame_shape: tuple[int, ...]
) -> sparse.csc_array:
    """Return masks that are lists of pixels with weights."""
    if len(axes) != len(frame_shape):
        raise ValueError(f"its masks ({name}) do not fit frames with {len(frame_shape)} axes.")
    pixels = read_array(table[name], name)
    ends = read_array(table[f"{name}_index"], f"{name}_index").astype(np.int64)
    if not ((np.diff(ends, prepend=0) >= 0).all() and ends[-1:].sum() == len(pixels)):
        raise ValueError(f"its masks ({name}) are cut off; the file is damaged.")
    places = [pixels[axis].astype(np.int64) for axis in axes]
    for place, length in zip(places, frame_shape, strict=True):
        if place.size and not 0 <= int(place.min()) <= int(place.max()) < length:
            raise ValueError("its masks reach out of the frames of the recording.")
    flat = np.ravel_multi_index(places, frame_shape)
    parts = zip(
        np.split(flat, ends[:-1]),
        np.split(pixels["weight"].astype(np.float32), ends[:-1]),
        strict=True,
    )
    return footprints_of(list(parts), int(np.prod(frame_shape)))


def _columns(table: h5py.Group, n_rois: int) -> dict[str, NDArray[Any]]:
    """Return the columns that have one number or one text for each ROI."""
    found: dict[str, NDArray[Any]] = {}
    for name in _strings(table.attrs.get("colnames", ())):
        node = table.get(name)
        if not isinstance(node, h5py.Dataset) or node.shape != (n_rois,):
            continue
        if h5py.check_string_dtype(node.dtype):
            found[name] = np.array([_text(v) for v in read_array(node, name)], object)
        elif node.dtype.kind in "fiub" or h5py.check_enum_dtype(node.dtype):
            found[name] = read_array(node, name)
    return found


def _strings(values: Any) -> list[str]:
    """Return the texts of an attribute."""
    return [_text(value) for value in np.atleast_1d(np.asarray(values, object)).tolist()]


def _traces(table: h5py.Group, n_rois: int) -> tuple[dict[str, NDArray[np.float32]], float | None]:
    """Return the traces of the ROIs under our names, and their rate."""
    ophys = table.parent.parent
    found: dict[str, NDArray[np.float32]] = {}
    rate_hz = None
    for place, name in TRACES.items():
        series = ophys.get(place)
        if not isinstance(series, h5py.Group) or not _is_of_all(series, n_rois):
            continue
        data = read_array(series["data"], place).astype(np.float32)
        if data.ndim != 2 or data.shape[1] != n_rois:  # noqa: PLR2004 time, ROIs
            raise ValueError(f"{place} must be (frames, {n_rois} ROIs); got {data.shape}.")
        found[name] = np.ascontiguousarray(data.T)
        if "starting_time" in series:
            rate_hz = float(series["starting_time"].attrs["rate"])
    if "raw" not in found and found:
        raise ValueError("its traces have no Fluorescence/RoiResponseSeries.")
    return found, rate_hz


def _is_of_all(series: h5py.Group, n_rois: int) -> bool:
    """Tell whether a series is of all ROIs of the table, in their order."""
    rois = read_array(series["rois"], "rois")
    return rois.shape == (n_rois,) and bool((rois == np.arange(n_rois)).all())
