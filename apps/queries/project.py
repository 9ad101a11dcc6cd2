"""The whole project: what it holds, and how far its recordings are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from apps.queries.keys import RECORDING, Key
from schemas.connection import Database
from schemas.roi_states import SEGMENTATION, counts_now

FACTS = ("n_frames", "rate_hz", "duration_s", "n_planes", "n_rows", "n_cols")
"""What is told of a movie in a line."""


class Overview(NamedTuple):
    """What the project holds, counted."""

    animals: int
    sessions: int
    recordings: int
    samples: int
    accepted_rois: int
    rois: int


def project_name(database: Database) -> str:
    """Return what the project is called."""
    names = database.project.Project().to_arrays("project")
    return str(names[0]) if len(names) else database.settings.folder.name


def overview(database: Database) -> Overview:
    """Count what the project holds."""
    rows = database.roi.Segmentation().proj("n_rois", "n_accepted").to_dicts()
    counted = with_counts(database, rows)
    return Overview(
        animals=len(database.animal.Animal()),
        sessions=len(database.session.Session()),
        recordings=len(database.session.Recording()),
        samples=len(database.sample.Sample()),
        accepted_rois=sum(row["n_accepted"] for row in counted),
        rois=sum(row["n_rois"] for row in counted),
    )


def recordings(database: Database) -> pd.DataFrame:
    """List the recordings, the newest session first.

    Returns
    -------
    DataFrame
        The key, ``session_date``, facts of the movie where it has been looked at, the numbers of
        ROIs of the chosen segmentation, and a column with the state of each step.
    """
    columns = [*RECORDING, "session_date", *FACTS, "n_accepted", "n_rois", *dict(database.steps())]
    query = database.session.Recording.proj() * database.session.Session.proj("session_date")
    found = query.to_dicts()
    facts = _by_recording(database.session.RecordingInfo().proj(*FACTS).to_dicts())
    rois = _by_recording(_chosen_segmentations(database))
    states = {step: _states(table()) for step, table in database.steps()}
    for row in found:
        key = _name(row)
        row.update(facts.get(key, {}) | rois.get(key, {}))
        row.update({step: by_key.get(key, "") for step, by_key in states.items()})
    table = pd.DataFrame(found, columns=columns)
    return table.sort_values(["session_date", *RECORDING], ascending=[False, True, True, True])


def filter_recordings(
    table: pd.DataFrame,
    *,
    text: str = "",
    period: Sequence[date] = (),
    states: Sequence[str] = (),
) -> pd.DataFrame:
    """Choose recordings.

    Parameters
    ----------
    table : DataFrame
        From `recordings`.
    text : str
        Part of the animal, session or trial, in any case.
    period : sequence of date
        First and last day of the session, both included; with one day, from that day on.
    states : sequence of str
        States of which at least one step must be in one.

    Returns
    -------
    DataFrame
        The rows that fulfil all.
    """
    names = table[list(RECORDING)].agg("\n".join, axis=1).str.lower()
    found = names.str.contains(text.strip().lower(), regex=False)
    if period:
        found &= table["session_date"] >= period[0]
        found &= table["session_date"] <= period[-1] if len(period) > 1 else True
    if states:
        steps = table.columns.drop([*RECORDING, "session_date", *FACTS, "n_accepted", "n_rois"])
        found &= table[steps].isin(states).any(axis=1)
    return table[found]


def with_counts(database: Database, rows: Iterable[Key]) -> list[Key]:
    """Return rows of segmentations with their ``n_rois`` and ``n_accepted`` of now.

    Parameters
    ----------
    database : Database
        The connected tables.
    rows : iterable of dict
        With the key, and the numbers when the ROIs were found.
    """
    now = counts_now(database)
    found = []
    for row in rows:
        key = tuple(str(row[name]) for name in SEGMENTATION)
        accepted, total = now.get(key, (row["n_accepted"], row["n_rois"]))
        found.append({**row, "n_accepted": accepted, "n_rois": total})
    return found


def _chosen_segmentations(database: Database) -> list[Key]:
    """Return a segmentation for each recording that has one, last the one that counts.

    That is the sample's, and where there is no sample, the one that was asked for last.
    """
    counted = database.roi.Segmentation.proj("n_rois", "n_accepted")
    rows = (counted * database.roi.SegmentationTask.proj("submitted")).to_dicts(
        order_by="submitted"
    )
    rows = with_counts(database, rows)
    chosen = set(database.sample.Sample().to_arrays("segmentation_id"))
    return sorted(rows, key=lambda row: row["segmentation_id"] in chosen)


def _states(table: Any) -> dict[tuple[str, ...], str]:
    """Return the state of a step for each recording that it was asked for.

    Of several tasks, one in error counts most, then one that runs, then one that waits.
    """
    (parent,) = table.parents(primary=True, as_objects=True)
    asked, done, failed, running = (
        Counter(_name(row) for row in query.proj().to_dicts())
        for query in (parent, table, table.jobs.errors, table.jobs.reserved)
    )
    return {
        key: "error"
        if failed[key]
        else "running"
        if running[key]
        else "done"
        if done[key] == count
        else "pending"
        for key, count in asked.items()
    }


def _name(row: Key) -> tuple[str, ...]:
    return tuple(str(row[part]) for part in RECORDING)


def _by_recording(rows: Iterable[Key]) -> dict[tuple[str, ...], Key]:
    return {_name(row): row for row in rows}
