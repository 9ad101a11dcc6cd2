"""What is wished of jobs that have to wait for earlier steps, and what is passed on to those.

DataJoint's queue has a job only when it can be computed. What somebody decides of it before that
is kept as a wish until then.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from populate_workers.attempt import key_hash, where_key
from populate_workers.liveness import account
from schemas.connection import Database
from schemas.roi_states import RECORDING

Key = frozenset[tuple[str, Any]]
"""A primary key, to be found in sets."""

Pairs = Iterable[tuple[Key, Key]]


class Wish(NamedTuple):
    """What a job is to have as soon as it can be computed."""

    priority: int | None = None
    """The lower, the more urgent; None: as usual."""

    not_before: datetime | None = None
    """When it may begin, of the server's clock; None: at once."""


class Link(NamedTuple):
    """That jobs of a step wait for results that their key does not name."""

    step: str
    """Whose jobs wait."""

    before: str
    """The step that they wait for."""

    pairs: Callable[[Database], Pairs]
    """Keys that wait, each with one that it waits for."""


def tasks(database: Database, step: str) -> Any:
    """Return the table of what a step is to compute, whether it can do so yet or not."""
    before = _parent_step(database, step)
    if before is not None:
        return tasks(database, before)
    (parent,) = database.step(step)().parents(primary=True, as_objects=True)
    return parent


def _parent_step(database: Database, step: str) -> str | None:
    """Return the step whose results a step takes one by one; None: it has tasks of its own."""
    (parent,) = database.step(step)().parents(primary=True)
    names = {table().full_table_name: name for name, table in database.steps()}
    return names.get(parent)


def open_keys(database: Database, step: str, key: dict[str, Any] | None = None) -> set[Key]:
    """Return what a step is to compute and has not yet.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str
        Name of the step.
    key : dict or None
        Key of one job, or of several; None: all.
    """
    asked = as_keys((tasks(database, step) & (key or {})).proj().to_dicts())
    return asked - as_keys(database.step(step)().proj().to_dicts())


def as_keys(rows: Iterable[dict[str, Any]]) -> set[Key]:
    """Return primary keys so that they can be found."""
    return {frozenset(row.items()) for row in rows}


def earlier(database: Database, chosen: dict[str, set[Key]]) -> dict[str, set[Key]]:
    """Return what jobs wait for, and what that waits for, as far as it is not computed.

    Parameters
    ----------
    database : Database
        The connected tables.
    chosen : dict
        Keys of the jobs by the name of their step.
    """
    found: dict[str, set[Key]] = {}
    known: dict[Link, dict[Key, set[Key]]] = {}
    todo = list(chosen.items())
    while todo:
        step, keys = todo.pop()
        for before, theirs in _one_step_back(database, step, keys, known):
            new = (theirs & open_keys(database, before)) - found.setdefault(before, set())
            found[before] |= new
            if new:
                todo.append((before, new))
    return {step: keys - chosen.get(step, set()) for step, keys in found.items()}


def _one_step_back(
    database: Database, step: str, keys: set[Key], known: dict[Link, dict[Key, set[Key]]]
) -> Iterator[tuple[str, set[Key]]]:
    """Yield the steps that jobs wait for, with the keys there."""
    before = _parent_step(database, step)
    if before is not None:
        yield before, keys
    for link in (link for link in LINKS if link.step == step):
        if link not in known:
            known[link] = {}
            for later, earlier_key in link.pairs(database):
                known[link].setdefault(later, set()).add(earlier_key)
        yield link.before, set().union(*(known[link].get(key, set()) for key in keys))


def _of_movies(database: Database) -> Pairs:
    """Yield the segmentations of corrected movies, each with its motion correction."""
    query = database.roi.SegmentationTask() & "motion_hash IS NOT NULL"
    for row in query.proj("motion_hash").to_dicts():
        motion_hash = row.pop("motion_hash")
        recording = {name: row[name] for name in RECORDING}
        yield _key(row), _key(recording | {"motion_hash": motion_hash})


def _of_seeds(database: Database) -> Pairs:
    """Yield the segmentations that begin with the ROIs of another, each with that."""
    query = database.roi.SegmentationTask() & "seeded_by IS NOT NULL"
    for row in query.proj("seeded_by").to_dicts():
        seeded_by = row.pop("seeded_by")
        yield _key(row), _key(row | {"segmentation_id": seeded_by})


def _of_edits(database: Database) -> Pairs:
    """Yield the edits of ROIs, each with the traces of their segmentation."""
    names = database.roi.SegmentationTask().primary_key
    for row in database.curation.Edit().proj().to_dicts():
        yield _key(row), _key({name: row[name] for name in names})


def _of_inputs(database: Database) -> Pairs:
    """Yield the results of analysis nodes, each with one that it is made of."""
    for row in database.analysis.NodeInput().proj().to_dicts():
        yield _key({"result_key": row["result_key"]}), _key({"result_key": row["input_key"]})


def _key(row: dict[str, Any]) -> Key:
    return frozenset(row.items())


LINKS = (
    Link("seed_inspection", "motion_correction", _of_movies),
    Link("segmentation", "motion_correction", _of_movies),
    Link("segmentation", "segmentation", _of_seeds),
    Link("edited_rois", "trace", _of_edits),
    Link("node_result", "node_result", _of_inputs),
)
"""What steps wait for besides the rows that their keys name."""


def wish(database: Database, step: str, keys: Collection[Key], wanted: Wish) -> int:
    """Keep what is wished of jobs that cannot be computed yet; return of how many.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str
        Name of their step.
    keys : collection of frozenset
        What is to be computed; keys that have a job already are left alone.
    wanted : Wish
        What it is to have; what it leaves open stays as it was wished before.
    """
    waiting = set(keys) - as_keys(database.jobs(step).proj().to_dicts())
    said = {name: value for name, value in wanted._asdict().items() if value is not None}
    before = {key: was._asdict() for (name, key), was in wished(database).items() if name == step}
    rows = [
        {
            "step": step,
            "key_hash": _hash(step, key),
            "job_key": dict(key),
            "account": account(),
            **(before.get(key, {}) | said),
        }
        for key in waiting
    ]
    table = database.worker.Wish()
    with database.connection.transaction:
        for row in rows:
            (table & {"step": step, "key_hash": row["key_hash"]}).delete_quick()
        table.insert(rows)
    return len(rows)


def wished(database: Database) -> dict[tuple[str, Key], Wish]:
    """Return what is wished of jobs that cannot be computed yet, by step and key."""
    return {
        (row["step"], _key(row["job_key"])): Wish(row["priority"], row["not_before"])
        for row in database.worker.Wish().to_dicts()
    }


def fulfil(database: Database, steps: Collection[str]) -> None:
    """Give new jobs what was wished of them, and forget what cannot come any more.

    Parameters
    ----------
    database : Database
        The connected tables.
    steps : collection of str
        Steps that have new jobs.
    """
    wanted = {pair: wish for pair, wish in wished(database).items() if pair[0] in steps}
    for step in sorted({step for step, _ in wanted}):
        there = as_keys(database.jobs(step).proj().to_dicts())
        still = open_keys(database, step)
        for (name, key), one in wanted.items():
            if name == step and key in there:
                _give(database, step, dict(key), one)
            if name == step and (key in there or key not in still):
                row = {"step": step, "key_hash": _hash(step, key)}
                (database.worker.Wish() & row).delete_quick()


def _give(database: Database, step: str, key: dict[str, Any], wanted: Wish) -> None:
    """Give a job that waits what was wished of it."""
    jobs = database.jobs(step)
    values = {"priority": wanted.priority, "scheduled_time": wanted.not_before}
    given = {name: value for name, value in values.items() if value is not None}
    where, key_values = where_key(jobs, key)
    changes = ", ".join(f"{name}=%s" for name in given)
    query = f"UPDATE {jobs.full_table_name} SET {changes} WHERE {where} AND status='pending'"
    database.connection.query(query, args=(*given.values(), *key_values))


def _hash(step: str, key: Key) -> str:
    return key_hash(step, dict(key))
