"""Results of nodes in the store: where their tables are, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pipeline.flow.computing import SUFFIX, Made, layers_of
from pipeline.flow.loading import Segment
from pipeline.flow.planning import Planned, Wire
from pipeline.nodes import find_node, load_plugins
from pipeline.transmission import open_table
from schemas.resources import RESOURCES
from schemas.roi_states import SEGMENTATION
from schemas.settings import Settings
from schemas.store import stored_path

SEPARATOR = "/"
NODES_FOLDER = "nodes"
"""Of a project: Python files with nodes of its own."""


def load_own_nodes(settings: Settings) -> None:
    """Add the nodes that installed packages and the project's folder ``nodes`` bring.

    Raises
    ------
    ValueError
        If one of them cannot be loaded.
    """
    folder = settings.folder / NODES_FOLDER
    load_plugins(folder if folder.is_dir() else None)


def check_paths(settings: Settings, node: str, params: Mapping[str, Any]) -> None:
    """Refuse that a node reads or writes files elsewhere than under the data roots.

    Raises
    ------
    ValueError
        If a path is not absolute.
    ProjectError
        If it leads out of the data roots.
    """
    for one in fields(find_node(node).params):
        if "path" in one.metadata and one.name in params:
            path = Path(str(params[one.name]))
            if not path.is_absolute():
                raise ValueError(
                    f"{one.name} must be whole, from / on, because workers compute in folders of "
                    f"their own; got {str(path)!r}."
                )
            settings.locate(path)


def layers(results: Any, settings: Settings, wire: Wire) -> list[Path]:
    """Return the files of a table, the newest first.

    Parameters
    ----------
    results : query
        ``NodeTask * NodeResult``.
    settings : Settings
        The project.
    wire : Wire
        The table.
    """

    def find(key: str) -> Made:
        row = (results & {"result_key": key}).proj("bases", "tables").fetch1()
        return Made(stored_path(settings, row["tables"]), dict(row["bases"]))

    return layers_of(wire, find)


def input_layers(results: Any, inputs: Mapping[str, Any]) -> dict[str, list[list[Path]]]:
    """Return the files of what flows into a node, by port.

    Parameters
    ----------
    results : query
        ``NodeTask * NodeResult``.
    inputs : mapping
        Of a row of ``NodeTask``.
    """
    settings = RESOURCES.get().settings
    return {
        port: [layers(results, settings, Wire(*wire)) for wire in wires]
        for port, wires in inputs.items()
    }


def segments_of(segmentations: Any) -> dict[str, Segment]:
    """Return where the traces of segmentations are, by the name that tables have for them.

    Parameters
    ----------
    segmentations : query
        A restriction of ``Segmentation``.
    """
    settings = RESOURCES.get().settings
    return {
        segmentation_name(row): Segment(stored_path(settings, row["sources"]), row["rate_hz"])
        for row in segmentations.proj("sources", "rate_hz").to_dicts()
    }


def segmentation_name(row: Mapping[str, Any]) -> str:
    """Return what names a segmentation in a table: its key in one text."""
    return SEPARATOR.join(str(row[name]) for name in SEGMENTATION)


def segmentation_key(name: str) -> dict[str, str]:
    """Return the key of a segmentation that `segmentation_name` made a name of."""
    return dict(zip(SEGMENTATION, name.split(SEPARATOR), strict=True))


def planned_of(task: Mapping[str, Any]) -> Planned:
    """Return what is to be computed for a row of ``NodeTask``."""
    wires = {port: tuple(Wire(*wire) for wire in given) for port, given in task["inputs"].items()}
    return Planned(
        step=task["node"],
        key=task["result_key"],
        node=task["node"],
        version=task["node_version"],
        params=task["params"],
        inputs=wires,
        bases={name: Wire(*base) if base else None for name, base in task["bases"]},
        schemas={},
    )


def described(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what a row tells of the tables that a node made.

    Parameters
    ----------
    folder : Path
        With a file for each table.
    names : sequence of str
        The tables, the first first.
    """
    columns = {}
    for name in reversed(names):  # the first one comes last: its are the facts
        with open_table(folder / f"{name}{SUFFIX}") as file:
            columns[name] = {column: info._asdict() for column, info in file.infos.items()}
            n_rows, history = file.n_rows, file.history
    blocks = [asdict(block) for block in history.blocks.values()]
    return {"n_rows": n_rows, "history": blocks, "columns": columns}
