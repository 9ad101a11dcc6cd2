"""ROIs that people add to a segmentation, on their way from the tables to their measures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from pipeline.extraction.archive import OPTIONAL, TRACES
from pipeline.extraction.edits import Added, FoundModel, measure_added
from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.methods import find_method
from pipeline.params import params_from_dict
from schemas.resources import RESOURCES
from schemas.roi_rows import roi_rows
from schemas.seeds import PackedSeeds, pack_rows, unpack
from schemas.store import stored_path


class PackedEdit(NamedTuple):
    """Added ROIs as they are fetched: as text, which DataJoint compares at once."""

    added: PackedSeeds
    """Where they lie."""

    facts: str
    """JSON: ``roi_id``, ``name``, ``origins`` and ``tags`` of each, in their order."""

    found: PackedSeeds | None
    """The ROIs that were found; None: they were given, and explain nothing."""

    folder: str
    """Where their traces and their background are."""

    params: str
    """JSON of the `ManualParams` by which they are measured."""


class EditedRows(NamedTuple):
    """What is inserted of added ROIs."""

    rois: list[dict[str, Any]]
    """Columns of ``Segmentation.Roi``."""

    traces: list[dict[str, Any]]
    """Columns of ``Trace.Roi``."""

    tags: dict[int, dict[str, str]]
    """Tags by the number of their type, by ROI."""


def first_origins(origins: Sequence[int], of_added: Mapping[int, Sequence[int]]) -> list[int]:
    """Return the ROIs that were found and that a ROI takes the place of, also by way of others.

    Parameters
    ----------
    origins : sequence of int
        Those that it takes the place of, found or added.
    of_added : mapping
        The same of every ROI that was added, by its number.

    Examples
    --------
    >>> first_origins([7, 2], {5: [0], 6: [], 7: [5, 6]})
    [0, 2]
    """
    found, ahead = set(), list(origins)
    while ahead:
        roi_id = ahead.pop()
        if roi_id in of_added:
            ahead.extend(of_added[roi_id])
        else:
            found.add(roi_id)
    return sorted(found)


def fetch_edit(task: dict[str, Any], added: Sequence[dict[str, Any]], segmentation: Any) -> Any:
    """Return an edit of a segmentation.

    Parameters
    ----------
    task : dict
        Of the segmentation, with its parameters.
    added : sequence of dict
        Rows of ``Edit.Roi``, whose ``origins`` are the first ones.
    segmentation : query
        The row of ``Segmentation``.

    Returns
    -------
    PackedEdit
        All that its measuring needs.
    """
    names = [field.name for field in fields(ManualParams)]
    is_given = find_method(task["method"]).needs_seeds
    shared = names if is_given else ("decay_time_s", "dff_window_s", "dff_percentile")
    params = {name: task["params"][name] for name in shared if name in task["params"]}
    facts = [{name: row[name] for name in ("roi_id", "name", "origins", "tags")} for row in added]
    found, folder = None, ""
    if not is_given:
        n_rois, sources = segmentation.fetch1("n_rois", "sources")
        # those that were added meanwhile are not of the model
        rows = (segmentation.Roi & segmentation.proj() & f"roi_id < {n_rois}").to_dicts(
            order_by="roi_id"
        )
        found, folder = pack_rows(rows), str(stored_path(RESOURCES.get().settings, sources))
    return PackedEdit(pack_rows(added), json.dumps(facts), found, folder, json.dumps(params))


def edited_rows(movie: Any, edge: Any, edit: PackedEdit) -> EditedRows:
    """Measure added ROIs.

    Parameters
    ----------
    movie : Movie
        That the segmentation is of.
    edge : Edge
        What motion correction cut off.
    edit : PackedEdit
        The ROIs.

    Returns
    -------
    EditedRows
        What is inserted, without the key of the segmentation.
    """
    cropped = edge.cropped_px, edge.cropped_planes
    facts = json.loads(edit.facts)
    model = None
    if edit.found is not None:
        model = FoundModel(
            footprints=unpack(edit.found, movie.frame_shape, *cropped), folder=edit.folder
        )
    added = Added(
        footprints=unpack(edit.added, movie.frame_shape, *cropped),
        params=params_from_dict(ManualParams, json.loads(edit.params)),
        model=model,
        origins=() if model is None else tuple(tuple(each["origins"]) for each in facts),
    )
    sources = measure_added(movie, added, **RESOURCES.get().as_arguments())
    own = [{"roi_id": each["roi_id"], "name": each["name"]} for each in facts]
    rois = [{**row, **who} for row, who in zip(roi_rows(sources, edge), own, strict=True)]
    names = dict.fromkeys(TRACES) | OPTIONAL
    traces = {name: getattr(sources, field or name) for name, field in names.items()}
    return EditedRows(
        rois,
        [
            {
                "roi_id": who["roi_id"],
                **{name: values[row] for name, values in traces.items() if values is not None},
            }
            for row, who in enumerate(own)
        ],
        {each["roi_id"]: each["tags"] for each in facts},
    )
