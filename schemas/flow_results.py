"""What came of flowcharts: how far they are, their tables, and where each value comes from."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.flow import Wire, open_stored
from pipeline.transmission import Block, Transmission
from schemas.connection import Database
from schemas.deletion import delete_tasks
from schemas.flows import Entered
from schemas.node_files import layers, segmentation_key
from schemas.settings import ProjectError

Key = dict[str, Any]


class NodeState(NamedTuple):
    """How far a node of a submitted flowchart is."""

    step: str
    """Id of the node."""

    node: str
    """What it is."""

    choice: dict[str, Any]
    """What its flowchart differs in from its siblings."""

    state: str
    """``done``, ``running``, ``pending``, ``waiting`` for others, or ``error``."""

    n_rows: int | None
    """Of its result."""

    reason: str
    """Why it failed."""

    result_key: str
    """Of its result."""


def flow_states(database: Database, entered: Entered) -> list[NodeState]:
    """Return how far the nodes of a flowchart are, as it was submitted last.

    Parameters
    ----------
    database : Database
        The connected tables.
    entered : Entered
        The flowchart.
    """
    analysis = database.analysis
    newest = newest_tasks(database, entered)
    rows = (analysis.FlowNode * analysis.NodeTask.proj("node") & newest).to_dicts(
        order_by="flow_task_id, position"
    )
    keys = [{"result_key": row["result_key"]} for row in rows]
    done = {
        r["result_key"]: r["n_rows"] for r in (analysis.NodeResult & keys).proj("n_rows").to_dicts()
    }
    jobs = {
        row["result_key"]: row
        for row in (database.jobs("node_result") & keys).proj("status", "error_message").to_dicts()
    }
    choices = {task["flow_task_id"]: task["choice"] for task in newest}
    return [_state(row, choices[row["flow_task_id"]], done, jobs) for row in rows]


def result_table(database: Database, result_key: str, table: str = "") -> Transmission:
    """Return a table that a node made, with its columns, values and history.

    Parameters
    ----------
    database : Database
        The connected tables.
    result_key : str
        From `flow_states`.
    table : str
        Which, where the node makes several; "": the first.

    Raises
    ------
    ProjectError
        If it is not computed yet.
    """
    results = database.analysis.NodeTask * database.analysis.NodeResult
    if not results & {"result_key": result_key}:
        raise ProjectError("this result is not computed yet; start a worker with: mesmerize work")
    with open_stored(layers(results, database.settings, Wire(result_key, table))) as stored:
        return stored.read()


class Origin(NamedTuple):
    """Where a row of a table comes from."""

    recording: Key
    """The recording, the segmentation and the ROI."""

    frames: tuple[int, int]
    """Of the recording, half-open, that its traces cover."""

    made_by: list[Key]
    """How the traces were made, the first step first: step, parameters, software versions."""

    operations: list[Block]
    """What the row went through afterwards, the first one first."""


def origin(database: Database, table: Transmission, row: int) -> Origin:
    """Return the path from a row of a result back to its recording.

    Parameters
    ----------
    database : Database
        The connected tables.
    table : Transmission
        From `result_table`.
    row : int
        Which one, from 0.

    Raises
    ------
    ProjectError
        If its segmentation was deleted.
    """
    name = str(table.scalar("segmentation")[row])
    key = segmentation_key(name)
    roi = database.roi
    tasks = (
        roi.SegmentationTask
        * roi.SegmentationParams
        * roi.Segmentation.proj("n_frames", "versions")
    )
    found = (tasks & key).proj("method", "params", "versions", "n_frames", "motion_hash").to_dicts()
    if not found:
        raise ProjectError(f"the segmentation {name} was deleted.")
    made = found[0]
    steps = [{"step": made["method"], "params": made["params"], "versions": made["versions"]}]
    if made["motion_hash"] is not None:
        motion = database.motion
        corrected = (motion.MotionCorrection * motion.MotionParams & key) & {
            "motion_hash": made["motion_hash"]
        }
        params, versions = corrected.fetch1("params", "versions")
        steps.insert(0, {"step": "motion correction", "params": params, "versions": versions})
    roi_id = int(table.scalar("roi_id")[row])
    return Origin({**key, "roi_id": roi_id}, (0, made["n_frames"]), steps, table.provenance(row))


def delete_results(database: Database, keys: Iterable[str]) -> list[str]:
    """Delete results and all that is made of them; they come back when they are asked for again.

    Parameters
    ----------
    database : Database
        The connected tables.
    keys : iterable of str
        From `flow_states`.

    Returns
    -------
    list of str
        The keys of all that went.
    """
    analysis = database.analysis
    made_of: dict[str, list[str]] = {}
    for row in analysis.NodeInput().to_dicts():
        made_of.setdefault(row["input_key"], []).append(row["result_key"])
    going, waiting = dict[str, None](), list(keys)
    while waiting:
        key = waiting.pop()
        if key not in going:
            going[key] = None
            waiting += made_of.get(key, [])
    delete_tasks(database, analysis.NodeResult & [{"result_key": key} for key in going])
    return list(going)


def forget_flow(database: Database, entered: Entered) -> int:
    """Delete what was asked for with a flowchart, and the results that no other one needs.

    Parameters
    ----------
    database : Database
        The connected tables.
    entered : Entered
        The flowchart; it stays itself.

    Returns
    -------
    int
        Bytes that are free again.
    """
    analysis = database.analysis
    mine = set(analysis.FlowNode().to_arrays("result_key"))
    (analysis.FlowTask() & entered.key).delete(prompt=False)
    going = mine - set(analysis.FlowNode().to_arrays("result_key"))
    if not going:
        return 0
    return delete_tasks(database, analysis.NodeTask & [{"result_key": key} for key in going])


def newest_tasks(database: Database, entered: Entered) -> list[Key]:
    """Return the rows of a flowchart as it was submitted last, one for each sibling."""
    tasks = (database.analysis.FlowTask() & entered.key).to_dicts(order_by="submitted")
    newest = {json.dumps(task["choice"], sort_keys=True): task for task in tasks}
    return list(newest.values())


def _state(row: Key, choice: Key, done: Mapping[str, int], jobs: Mapping[str, Key]) -> NodeState:
    """Return how far one node is."""
    key = row["result_key"]
    job = jobs.get(key, {"status": "waiting", "error_message": ""})
    is_error = job["status"] == "error"
    state = "done" if key in done else {"reserved": "running"}.get(job["status"], job["status"])
    reason = job["error_message"] if is_error else ""
    return NodeState(row["step"], row["node"], choice, state, done.get(key), reason, key)
