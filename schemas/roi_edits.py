"""Adding ROIs to a segmentation, merging, splitting and redrawing them; workers measure them.

Footprints follow at once from those of the ROIs, or from what is drawn; traces are measured in the
movie, less the background and the other components of the segmentation where it has such.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.rois import Shape, rasterize, rois_of_shapes, shape_to_dict
from schemas.actions import Change, Now, Verdict, append
from schemas.connection import Database
from schemas.roi_sets import LONGEST_TEXT, frame_shape
from schemas.roi_states import SEGMENTATION, Key
from schemas.settings import ProjectError


class Footprint(NamedTuple):
    """Where a ROI lies."""

    pixels: Any
    """Index in a recorded frame in C order."""

    weights: Any
    """Of these pixels."""


def add_rois(
    database: Database,
    segmentation: Key,
    shapes: Sequence[Shape],
    *,
    names: Sequence[str] = (),
    seen: int | None = None,
) -> list[int]:
    """Add ROIs that somebody has drawn to a segmentation.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    shapes : sequence of Polygon or Ellipse
        What was drawn.
    names : sequence of str
        What each is called; empty: they have no names.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    list of int
        Their numbers.

    Raises
    ------
    ProjectError
        If a shape cannot be.
    """
    try:
        rois = rois_of_shapes(shapes, frame_shape(database, segmentation), names=names)
    except ValueError as error:
        raise ProjectError(str(error)) from error
    matrix = rois.footprints
    rows = [
        _row(
            Footprint(matrix.indices[start:stop], matrix.data[start:stop]),
            name=names[number] if names else "",
            shape=shapes[number],
        )
        for number, (start, stop) in enumerate(
            zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
        )
    ]
    return _edit(database, segmentation, "add", lambda _: rows, seen=seen)


def merge_rois(
    database: Database, segmentation: Key, roi_ids: Sequence[int], *, seen: int | None = None
) -> int:
    """Make one ROI of several, which are rejected then.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    roi_ids : sequence of int
        At least two ROIs.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The number of the new ROI. Each of its pixels has the largest of the weights that it had.

    Raises
    ------
    ProjectError
        If there are fewer than two ROIs, or one is not there, or somebody else has changed one.
    """
    chosen = sorted({int(roi_id) for roi_id in roi_ids})
    if len(chosen) < len(("one", "another")):
        raise ProjectError("choose at least two ROIs to be merged.")

    def rows(_: Now) -> list[Key]:
        found = [_footprint(database, segmentation, roi_id) for roi_id in chosen]
        pixels = np.concatenate([each.pixels for each in found])
        weights = np.concatenate([each.weights for each in found])
        places, index = np.unique(pixels, return_inverse=True)
        largest = np.zeros(places.size, np.float32)
        np.maximum.at(largest, index, weights)
        return [_row(Footprint(places, largest), origins=chosen)]

    return _edit(database, segmentation, "merge", rows, seen=seen)[0]


def split_roi(
    database: Database,
    segmentation: Key,
    roi_id: int,
    shapes: Sequence[Shape],
    *,
    seen: int | None = None,
) -> list[int]:
    """Make several ROIs of one, which is rejected then.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    roi_id : int
        The ROI.
    shapes : sequence of Polygon or Ellipse
        At least two: what of the ROI lies in each becomes a ROI.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    list of int
        The numbers of the new ROIs, in the order of the shapes.

    Raises
    ------
    ProjectError
        If there are fewer than two shapes, one of them has nothing of the ROI, the ROI is not there
        or somebody else has changed it.
    """
    if len(shapes) < len(("one", "another")):
        raise ProjectError("draw at least two shapes, one for each part of the ROI.")
    shape_of_frame = frame_shape(database, segmentation)

    def rows(_: Now) -> list[Key]:
        whole = _footprint(database, segmentation, roi_id)
        parts = [_part(whole, shape, shape_of_frame, number) for number, shape in enumerate(shapes)]
        return [
            _row(part, shape=shape, origins=[roi_id])
            for part, shape in zip(parts, shapes, strict=True)
        ]

    return _edit(database, segmentation, "split", rows, seen=seen)


def redraw_roi(
    database: Database, segmentation: Key, roi_id: int, shape: Shape, *, seen: int | None = None
) -> int:
    """Give a ROI another shape: a new ROI takes its place, and it is rejected.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    roi_id : int
        The ROI.
    shape : Polygon or Ellipse
        Its new shape.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The number of the new ROI.

    Raises
    ------
    ProjectError
        If the shape cannot be, the ROI is not there, or somebody else has changed it.
    """
    try:
        found = rasterize(shape, frame_shape(database, segmentation))
    except ValueError as error:
        raise ProjectError(f"the shape cannot be: {error}") from error
    row = _row(Footprint(*found), shape=shape, origins=[int(roi_id)])
    return _edit(database, segmentation, "redraw", lambda _: [row], seen=seen)[0]


DONE = {"merge": "merged into", "split": "split into", "redraw": "redrawn as"}
"""What is said of ROIs that others take the place of."""


def _edit(
    database: Database,
    segmentation: Key,
    kind: str,
    rows: Callable[[Now], list[Key]],
    *,
    seen: int | None,
) -> list[int]:
    """Append an action that adds ROIs; those that they take the place of hand on their tags."""
    added: list[int] = []

    def decide(now: Now) -> Change:
        new = [{**row, "roi_id": now.next_roi_id + n} for n, row in enumerate(rows(now))]
        added[:] = [row["roi_id"] for row in new]
        origins = sorted({roi_id for row in new for roi_id in row["origins"]})
        new = [{**row, "tags": _shared(now, row["origins"])} for row in new]
        said = ", ".join(map(str, added))
        reason = f"{DONE.get(kind, '')} {said}"
        note = f"{', '.join(map(str, origins))} {reason}".strip()
        return Change(
            verdicts={roi_id: Verdict("rejected", reason) for roi_id in origins},
            added=new,
            note=note,
        )

    append(database, segmentation, kind, decide, seen=seen)
    return added


def _shared(now: Now, roi_ids: Sequence[int]) -> dict[int, str]:
    """Return the tags that ROIs agree on, by tag type; an added ROI gets them when measured."""
    kinds = {kind for _, kind in now.tags}
    held = {kind: {now.tags.get((n, kind), (0, ""))[1] for n in roi_ids} for kind in kinds}
    return {kind: tags.pop() for kind, tags in held.items() if len(tags) == 1 and tags != {""}}


def _row(
    footprint: Footprint,
    *,
    name: str = "",
    shape: Shape | None = None,
    origins: Sequence[int] = (),
) -> Key:
    """Return the columns of ``Edit.Roi``, all but the number."""
    return {
        "name": name[:LONGEST_TEXT],
        "shape": None if shape is None else shape_to_dict(shape),
        "pixels": np.asarray(footprint.pixels, np.int64),
        "weights": np.asarray(footprint.weights, np.float32),
        "origins": list(origins),
    }


def _footprint(database: Database, segmentation: Key, roi_id: int) -> Footprint:
    """Return where a ROI of a segmentation lies, also one that is still to be measured."""
    key = {name: segmentation[name] for name in SEGMENTATION} | {"roi_id": int(roi_id)}
    for table in (database.roi.Segmentation.Roi(), database.curation.Edit.Roi()):
        for row in (table & key).proj("pixels", "weights").to_dicts():
            return Footprint(row["pixels"], row["weights"])
    raise ProjectError(f"there is no ROI {roi_id} in this segmentation.")


def _part(
    whole: Footprint, shape: Shape, shape_of_frame: tuple[int, ...], number: int
) -> Footprint:
    """Return what of a footprint lies in a shape."""
    try:
        found = rasterize(shape, shape_of_frame)
    except ValueError as error:
        raise ProjectError(f"shape {number} cannot be: {error}") from error
    pixels, own, there = np.intersect1d(whole.pixels, found.pixels, return_indices=True)
    weights = np.asarray(whole.weights)[own] * found.weights[there]
    if not (weights > 0).any():
        raise ProjectError(f"nothing of the ROI lies in shape {number}.")
    return Footprint(pixels[weights > 0], weights[weights > 0])
