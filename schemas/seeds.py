"""Footprints that a segmentation begins with: of an earlier one, or of a file of masks."""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pipeline.extraction.methods import METHODS
from pipeline.rois import Masks, read_masks
from schemas.insertion import insert_new
from schemas.params import find_params
from schemas.seed_frame import SeedFrame, check_frame, frame_of
from schemas.settings import ProjectError

MOST_BYTES = 12_000_000
"""A row takes no more; servers bound the size of what is inserted."""


class PackedSeeds(NamedTuple):
    """Footprints as they are fetched: as text, which DataJoint compares at once, unlike arrays."""

    indptr: str
    """int64 in base 64, as a sparse array in compressed columns has it."""

    pixels: str
    """int64 in base 64, indices in a recorded frame in C order."""

    weights: str
    """float32 in base 64, of these pixels."""

    n_pixels: int
    """Of the frame that the footprints are of; 0: that is not known."""

    frame_shape: tuple[int, ...]
    """Its planes, if any, rows and columns; empty: not known."""


def pack(footprints: sparse.csc_array, frame_shape: tuple[int, ...] | None) -> PackedSeeds:
    """Return footprints as they are kept."""
    parts = footprints.indptr, footprints.indices, footprints.data
    return PackedSeeds(*_as_text(*parts), footprints.shape[0], tuple(frame_shape or ()))


def _as_text(indptr: Any, pixels: Any, weights: Any) -> tuple[str, str, str]:
    """Return the parts of a sparse array as text."""
    typed = indptr.astype(np.int64), pixels.astype(np.int64), weights.astype(np.float32)
    one, two, three = (base64.b64encode(part.tobytes()).decode("ascii") for part in typed)
    return one, two, three


def unpack(
    seeds: PackedSeeds, frame_shape: tuple[int, ...], cropped_px: int, cropped_planes: int = 0
) -> sparse.csc_array:
    """Return footprints on the frames of a movie.

    Parameters
    ----------
    seeds : PackedSeeds
        In places of a recorded frame.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)`` of the movie.
    cropped_px : int
        Width of the edge of the recorded frame that the movie lacks on each side.
    cropped_planes : int
        Planes that it lacks at each end.

    Returns
    -------
    sparse array, (n_pixels, n_rois)
        Pixels in C order; footprints may be empty where an edge was cut off.

    Raises
    ------
    ProjectError
        If they are of other frames.
    """
    cropped = (cropped_planes, cropped_px, cropped_px)[-len(frame_shape) :]
    recorded = tuple(n + 2 * width for n, width in zip(frame_shape, cropped, strict=True))
    check_frame(SeedFrame(seeds.n_pixels, seeds.frame_shape), recorded)
    coded = zip(seeds[:3], (np.int64, np.int64, np.float32), strict=True)
    indptr, pixels, weights = (np.frombuffer(base64.b64decode(t), kind) for t, kind in coded)
    whole = sparse.csc_array(
        (weights, pixels, indptr), shape=(math.prod(recorded), indptr.size - 1)
    )
    inner = tuple(slice(width, -width or None) for width in cropped)
    kept = np.arange(math.prod(recorded)).reshape(recorded)[inner].ravel()
    return sparse.csc_array(sparse.csr_array(whole)[kept])


def seeds_of(task: dict[str, Any], rois: Any, masks: Any) -> PackedSeeds | None:
    """Fetch the footprints that a task begins with; None: cells are sought.

    Parameters
    ----------
    task : dict
        A row of ``SegmentationTask``.
    rois : datajoint.Table
        ``Segmentation.Roi``.
    masks : datajoint.Table
        ``SeedMasks``.

    Returns
    -------
    PackedSeeds or None
        Those of the accepted ROIs of an earlier segmentation, or of a file.

    Raises
    ------
    ProjectError
        If the masks are not in the project any more.
    """
    if task["seeded_by"]:
        names = ("animal_id", "session", "trial")
        earlier = {name: task[name] for name in names} | {"segmentation_id": task["seeded_by"]}
        return pack_rows((rois & earlier & {"accepted": True}).to_dicts(order_by="roi_id"))
    if not task["seeds_id"]:
        return None
    found = (masks & {"seeds_id": task["seeds_id"]}).to_dicts()
    if not found:
        raise ProjectError(
            f"the masks {task['seeds_id']} that this segmentation begins with are not in the "
            "project any more; submit it again with their file."
        )
    row = found[0]
    parts = _as_text(row["indptr"], row["pixels"], row["weights"])
    return PackedSeeds(*parts, *frame_of(row))


def pack_rows(rows: Sequence[Mapping[str, Any]], frame_shape: tuple[int, ...] = ()) -> PackedSeeds:
    """Pack the footprints of ROIs.

    Parameters
    ----------
    rows : sequence of mapping
        With ``pixels`` and ``weights``.
    frame_shape : tuple of int
        Of a recorded frame; empty: not known.
    """
    sizes = [0, *(len(row["pixels"]) for row in rows)]
    pixels = np.concatenate([np.zeros(0, np.int64), *(row["pixels"] for row in rows)])
    weights = np.concatenate([np.zeros(0, np.float32), *(row["weights"] for row in rows)])
    return PackedSeeds(*_as_text(np.cumsum(sizes), pixels, weights), 0, frame_shape)


def keep_masks(table: Any, path: Path, *, of_volumes: bool = False) -> str:
    """Keep the masks of a file in the project, and return their key.

    Parameters
    ----------
    table : datajoint.Table
        ``SeedMasks``.
    path : Path
        See `pipeline.rois.read_masks`.
    of_volumes : bool
        Whether they are for recordings with planes.

    Returns
    -------
    str
        Of their content: the same masks are kept once.

    Raises
    ------
    ProjectError
        If they are too large for a row.
    """
    masks = read_masks(path, of_volumes=of_volumes)
    columns = _columns(masks)
    arrays = [columns[name] for name in ("indptr", "pixels", "weights")]
    size = sum(array.nbytes for array in arrays)
    if size > MOST_BYTES:
        raise ProjectError(
            f"the masks of {path.name} take {size / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB "
            "are kept: give fewer or smaller regions."
        )
    digest = hashlib.sha256(repr([columns["n_pixels"], masks.frame_shape]).encode())
    for array in arrays:
        digest.update(array.tobytes())
    seeds_id = digest.hexdigest()[:32]
    insert_new(table, [{"seeds_id": seeds_id, "name": path.name[:255], **columns}])
    return seeds_id


def _columns(masks: Masks) -> dict[str, Any]:
    """Return the columns of ``SeedMasks``, all but its key and its name."""
    footprints, frame_shape = masks
    planes, rows, cols = (None, None, None, *(frame_shape or ()))[-3:]
    return {
        "n_rois": footprints.shape[1],
        "n_pixels": footprints.shape[0],
        "n_planes": planes,
        "n_rows": rows,
        "n_cols": cols,
        "indptr": footprints.indptr.astype(np.int64),
        "pixels": footprints.indices.astype(np.int64),
        "weights": footprints.data.astype(np.float32),
    }


def check_seeds(method: str, *, given: bool) -> None:
    """Refuse seeds for a method that takes none, and the lack of them for one that needs them.

    Parameters
    ----------
    method : str
        Its name.
    given : bool
        Whether there are seeds.

    Raises
    ------
    ProjectError
        If it cannot be.
    """
    able = [name for name, found in METHODS.items() if found.takes_seeds]
    if given and method not in able:
        raise ProjectError(
            f"the method {method!r} cannot begin with seeds; these can: {', '.join(able)}."
        )
    if not given and METHODS[method].needs_seeds:
        raise ProjectError(
            f"the method {method!r} measures ROIs that are given: name a file of masks with "
            "--seeds, or enter shapes with: mesmerize rois draw"
        )


def seeding_task(tasks: Any, params: Any, recording: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the task of an earlier segmentation whose ROIs are to be seeds.

    Parameters
    ----------
    tasks : query
        ``SegmentationTask``, of the movie that is used.
    params : datajoint.Table
        ``SegmentationParams``.
    recording : dict
        Key of the recording.
    name : str
        Name of its parameter set.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    ProjectError
        If there is none, or there are several.
    """
    found = (tasks & recording & find_params(params, name)).to_dicts()
    of = f"trial {recording['trial']!r} of animal {recording['animal_id']!r}"
    if not found:
        raise ProjectError(
            f"no segmentation {name!r} of the same movie was submitted for {of}; its ROIs cannot "
            "be seeds."
        )
    if len(found) > 1:
        raise ProjectError(
            f"{of} has {len(found)} segmentations {name!r} of the same movie, with seeds of their "
            "own; give seeds as a file of masks."
        )
    return dict(found[0])
