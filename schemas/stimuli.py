"""Stimulus types of a project and stimulus periods of recordings: entered, and asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from datajoint.errors import DuplicateError

from pipeline.stimuli import Placed, place_periods
from schemas.connection import Database
from schemas.labels import STIMULUS_TYPE, add_label, find_label, labels, rename_label
from schemas.settings import ProjectError

PERIOD = ("name", "start_s", "end_s", "start_frame", "stop_frame", "color")
LONGEST_SOURCE = 255

Key = dict[str, Any]


class Periods(NamedTuple):
    """The stimulus periods of one type in a recording."""

    label: str
    """The type."""

    version: int
    """How often they were entered."""

    table: pd.DataFrame
    """One row each, in the order of time: name, start_s, end_s, start_frame, stop_frame, color."""


def stimulus_types(database: Database) -> list[str]:
    """Return the labels of the stimulus types, in the order in which tables show them."""
    return labels(database, STIMULUS_TYPE)


def add_stimulus_type(database: Database, label: str) -> None:
    """Make a stimulus type; see `schemas.labels.add_label`."""
    add_label(database, STIMULUS_TYPE, label)


def rename_stimulus_type(database: Database, label: str, new_label: str) -> None:
    """Call a stimulus type by another name; see `schemas.labels.rename_label`."""
    rename_label(database, STIMULUS_TYPE, label, new_label)


def place(database: Database, recording: Key, table: pd.DataFrame, *, unit: str) -> Placed:
    """Find where periods lie in a recording, without storing them.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    table : pandas.DataFrame
        With the columns name, start, end, and perhaps color.
    unit : str
        Of start and end: ``s`` or ``frames``.

    Raises
    ------
    ProjectError
        If the movie has not been read yet.
    ValueError
        If a period cannot be.
    """
    facts = (database.session.RecordingInfo() & recording).proj("n_frames", "rate_hz").to_dicts()
    if not facts:
        raise ProjectError(
            f"the length of {' / '.join(map(str, recording.values()))} is not known yet: "
            "there is no such recording, or its movie is still to be read by: mesmerize work"
        )
    rate_hz, n_frames = facts[0]["rate_hz"], facts[0]["n_frames"]
    return place_periods(table, unit=unit, rate_hz=rate_hz, n_frames=n_frames)


def said(placed: Placed) -> str:
    """Say what was found, in words."""
    words = [f"{len(placed.periods)} periods"]
    if placed.n_outside:
        words.append(f"{placed.n_outside} do not lie in the recording and are left out")
    if placed.overlaps:
        first, second = placed.overlaps[0]
        words.append(
            f"{len(placed.overlaps)} overlap with one before, the first at {second.start_s:g} s"
            f" ({second.name!r} with {first.name!r})"
        )
    return "; ".join(words)


def enter_periods(
    database: Database,
    recording: Key,
    placed: Mapping[str, Placed],
    *,
    source: str = "",
    after: int | None = None,
) -> None:
    """Store the periods of one or several types in a recording, all or none.

    Those that were there stay as older versions.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    placed : mapping
        From `place`, by the label of the stimulus type.
    source : str
        Name of the file that they came from.
    after : int or None
        The version that was changed; None: the newest, whatever it is.

    Raises
    ------
    ProjectError
        If there is no such type, or somebody else entered periods since that version.
    """
    keys = {label: {**recording, **find_label(database, STIMULUS_TYPE, label)} for label in placed}
    about = {
        "source": source[-LONGEST_SOURCE:],
        "account": database.account,
    }
    with database.connection.transaction:
        for label, found in placed.items():
            before = _newest_version(database, keys[label]) if after is None else after
            row = {**keys[label], "version": before + 1}
            facts = {"n_periods": len(found.periods), "n_outside": found.n_outside, **about}
            parts = [{**row, "period_id": i, **p._asdict()} for i, p in enumerate(found.periods)]
            try:
                database.stimulus.StimulusMap().insert1({**row, **facts})
            except DuplicateError:
                raise ProjectError(
                    f"somebody else has entered periods of {label!r} meanwhile; look at them, "
                    "then try again."
                ) from None
            database.stimulus.StimulusMap.Period().insert(parts)


def _newest_version(database: Database, key: Key) -> int:
    """Return the newest version of the periods of a type in a recording; 0: there are none."""
    found = database.stimulus.StimulusMap() & key
    return int(max(found.to_arrays("version"), default=0))


def stimulus_periods(database: Database, recording: Key) -> list[Periods]:
    """Return the periods of a recording as they are now, by type.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    """
    labels = {
        row["stimulus_type_id"]: row["label"] for row in database.project.StimulusType().to_dicts()
    }
    maps = (database.stimulus.StimulusMap() & recording).proj().to_dicts(order_by="version")
    newest = {row["stimulus_type_id"]: row for row in maps}
    found = []
    for number, key in sorted(newest.items()):
        found.append(Periods(labels[number], key["version"], _version(database, key)))
    return found


def _version(database: Database, key: Key) -> pd.DataFrame:
    """Return the periods of one version."""
    rows = (database.stimulus.StimulusMap.Period() & key).to_dicts(order_by="period_id")
    return pd.DataFrame(rows, columns=list(PERIOD))


def undo_periods(database: Database, recording: Key, label: str) -> None:
    """Go back to the periods of a type that were there before the last change.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording.
    label : str
        The stimulus type.

    Raises
    ------
    ProjectError
        If no periods were entered.
    """
    key = {**recording, **find_label(database, STIMULUS_TYPE, label)}
    newest = _newest_version(database, key)
    if newest == 0:
        raise ProjectError(f"no periods of {label!r} were entered for this recording.")
    before = _version(database, {**key, "version": newest - 1})
    table = before.rename(columns={"start_s": "start", "end_s": "end"})
    placed = place(database, recording, table, unit="s")
    enter_periods(database, recording, {label: placed}, after=newest)
