"""Flowcharts of a project: entered, checked, submitted, and what came of them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from pipeline.flow import (
    Flowchart,
    Plan,
    Planned,
    Problem,
    Sibling,
    Source,
    from_json,
    plan,
    require,
    siblings,
    to_json,
)
from pipeline.flow.building import LOAD
from pipeline.flow.loading import COLUMNS, DEFAULT_KINDS
from pipeline.nodes import NODES, Schema
from pipeline.transmission import ColumnInfo
from schemas import snapshots
from schemas.connection import Database
from schemas.insertion import insert_new
from schemas.node_files import check_paths, load_own_nodes
from schemas.peak_edits import with_edits
from schemas.settings import ProjectError
from schemas.snapshots import Taken
from schemas.turns import in_turn

Key = dict[str, Any]


class Entered(NamedTuple):
    """A flowchart of the project."""

    key: Key
    """Of its row."""

    version: int
    """Of those with its name."""

    flowchart: Flowchart
    """As it was entered."""


class Submitted(NamedTuple):
    """What was asked for with a flowchart."""

    flowchart: Entered
    """The flowchart."""

    n_results: int
    """Results that it stands for, siblings together."""

    n_new: int
    """Of these, those that nobody had asked for."""


def enter_flowchart(database: Database, flowchart: Flowchart) -> Entered:
    """Keep a flowchart as the next version of its name; the same one is there once.

    Parameters
    ----------
    database : Database
        The connected tables.
    flowchart : Flowchart
        With a name.
    """
    text = to_json(flowchart)
    key = {"flowchart_id": hashlib.sha256(text.encode()).hexdigest()[:32]}
    table = database.analysis.Flowchart()

    def enter() -> int:
        found = (table & key).to_arrays("version")
        if len(found):
            return int(found[0])
        others = (table & {"name": flowchart.name}).to_arrays("version")
        about = {"name": flowchart.name, "version": int(max(others, default=0)) + 1}
        facts = {"chart": json.loads(text), "account": database.account}
        table.insert1({**key, **about, **facts})
        return about["version"]

    return Entered(key, in_turn(database.connection, enter), flowchart)


def find_flowchart(database: Database, name: str) -> Entered:
    """Return a flowchart: the newest of a name, or ``name@version``.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.

    Raises
    ------
    ProjectError
        If there is none.
    """
    label, _, version = name.partition("@")
    found = database.analysis.Flowchart() & {"name": label}
    if version:
        found &= f"version = {int(version) if version.isdecimal() else 0:d}"
    rows = found.to_dicts(order_by="version DESC", limit=1)
    if not rows:
        names = sorted(set(map(str, database.analysis.Flowchart().to_arrays("name"))))
        there = ", ".join(names) or "none yet"
        raise ProjectError(f"there is no flowchart {name!r}; there are: {there}.")
    key = {"flowchart_id": rows[0]["flowchart_id"]}
    return Entered(key, rows[0]["version"], from_json(json.dumps(rows[0]["chart"])))


def plan_siblings(
    database: Database, flowchart: Flowchart
) -> tuple[list[tuple[Sibling, Plan]], dict[str, Taken]]:
    """Check a flowchart and its siblings on the data as they are now, and name their results.

    Parameters
    ----------
    database : Database
        The connected tables; nothing is stored.
    flowchart : Flowchart
        Perhaps with lists in place of values.

    Returns
    -------
    list of (Sibling, Plan)
        What would be computed for each, and what is wrong; it alone, where it has no list.
    dict
        What the nodes that load begin with, by their ids; it is the same for all siblings.
    """
    load_own_nodes(database.settings)
    wrong, taken = dict[str, str](), dict[str, Taken]()
    for name, step in flowchart.steps.items():
        if step.node == LOAD:
            try:
                taken[name] = _take(database, step.params)
            except (ValueError, ProjectError) as error:
                wrong[name] = str(error)
    sources = {name: Source(found.key, _loaded_schema(found)) for name, found in taken.items()}
    plans = []
    for sibling in siblings(flowchart, {name: node.params for name, node in NODES.items()}):
        found = plan(sibling.flowchart, sources, partial(_amended, database))
        problems = [Problem(p.step, wrong.get(p.step, p.sentence)) for p in found.problems]
        plans.append((sibling, found._replace(problems=problems)))
    return plans, taken


def submit_flow(database: Database, entered: Entered) -> Submitted:
    """Ask for all results of a flowchart; those that are there already stay.

    Parameters
    ----------
    database : Database
        The connected tables.
    entered : Entered
        From `enter_flowchart` or `find_flowchart`; with its siblings, where it has lists in place
        of values.

    Raises
    ------
    FlowchartError
        If a node is wrong; then nothing is stored.
    """
    plans, taken = plan_siblings(database, entered.flowchart)
    required = [require(found) for _, found in plans]
    keys = {key for _, found in plans for key in found.keys.values()}

    def keep() -> int:
        tasks = [_load_task(database, one) for one in taken.values()]
        n_new = insert_new(database.analysis.NodeTask(), tasks)
        for (sibling, found), planned in zip(plans, required, strict=True):
            n_new += insert_new(database.analysis.NodeTask(), [_task(one) for one in planned])
            insert_new(database.analysis.NodeInput(), list(_inputs(planned)))
            _keep_nodes(database, entered, sibling, found.keys)
        return n_new

    return Submitted(entered, len(keys), in_turn(database.connection, keep))


def _take(database: Database, params: Mapping[str, Any]) -> Taken:
    """Return what a node that loads begins with, or refuse what it asks for."""
    unknown = sorted(set(params) - {"dataset", "traces"})
    if unknown or not isinstance(params.get("dataset"), str):
        raise ValueError(
            f'{LOAD} takes the name of a "dataset", and perhaps "traces"; got {dict(params)}.'
        )
    traces = params.get("traces", DEFAULT_KINDS)
    strange = sorted(set(traces) - set(COLUMNS))
    if strange or not traces:
        raise ValueError(f"traces are some of {', '.join(COLUMNS)}; got {list(traces)}.")
    return snapshots.take(database, params["dataset"], traces)


def _amended(
    database: Database, node: str, params: Mapping[str, Any], key: str
) -> Mapping[str, Any]:
    """Return the parameters of a node with the edits of people; paths out of reach are refused."""
    try:
        check_paths(database.settings, node, params)
    except ProjectError as error:
        raise ValueError(str(error)) from error
    return with_edits(database, node, params, key)


def _loaded_schema(taken: Taken) -> Schema:
    """Return what a table will be when its traces are there."""
    traces = taken.table.history.block(taken.key).parameters["traces"]
    loaded = {COLUMNS[kind][0]: ColumnInfo("numeric", COLUMNS[kind][1], "time") for kind in traces}
    return Schema({**taken.table.columns(), **loaded}, COLUMNS[traces[0]][0])


def _load_task(database: Database, taken: Taken) -> Key:
    """Return the row of a node that loads, and keep what it begins with."""
    block = taken.table.history.block(taken.key)
    return {
        "result_key": taken.key,
        "snapshot_id": snapshots.keep(database, taken),
        "node": block.operation,
        "node_version": block.version,
        "params": block.parameters,
        "inputs": {},
        "bases": [["out", None]],
    }


def _task(planned: Planned) -> Key:
    """Return the row of a node."""
    return {
        "result_key": planned.key,
        "snapshot_id": None,
        "node": planned.node,
        "node_version": planned.version,
        "params": planned.params,
        "inputs": planned.inputs,
        "bases": list(planned.bases.items()),
    }


def _inputs(planned: Iterable[Planned]) -> Iterator[Key]:
    """Yield which results are made of which."""
    for one in planned:
        for key in dict.fromkeys(wire.key for wire in one.wires()):
            yield {"result_key": one.key, "input_key": key}


def _keep_nodes(
    database: Database, entered: Entered, sibling: Sibling, keys: Mapping[str, str]
) -> None:
    """Write down which results are those of the nodes of a flowchart; again, that it was asked."""
    words = json.dumps([entered.key, sibling.choice, sorted(keys.items())], sort_keys=True)
    task = {**entered.key, "flow_task_id": hashlib.sha256(words.encode()).hexdigest()[:32]}
    is_new = insert_new(database.analysis.FlowTask(), [{**task, "choice": sibling.choice}])
    if is_new:
        nodes = [
            {**task, "step": step, "position": i, "result_key": keys[step]}
            for i, step in enumerate(sibling.flowchart.order())
        ]
        database.analysis.FlowNode().insert(nodes)


def flowcharts(database: Database) -> pd.DataFrame:
    """List the flowcharts: name, version, nodes, who entered them and when; the newest last."""
    rows = database.analysis.Flowchart().to_dicts(order_by="entered")
    return pd.DataFrame(
        [
            (
                row["name"],
                row["version"],
                len(row["chart"]["nodes"]),
                row["account"],
                row["entered"],
            )
            for row in rows
        ],
        columns=["name", "version", "nodes", "account", "entered"],
    )
