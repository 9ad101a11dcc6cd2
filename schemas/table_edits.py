"""What somebody has changed in a table of the app: stored all at once or not at all, and undone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import datajoint as dj
import pandas as pd
from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.roi_columns import CUSTOM, TAG
from schemas.roi_states import SEGMENTATION
from schemas.roi_table import COMMENTS
from schemas.roi_tags import tag_rois
from schemas.samples import SampleChange, find_sample, modify_samples, undo_sample
from schemas.settings import ProjectError
from schemas.undoing import undo_action

Edits = Mapping[int, Mapping[str, Any]]
"""New values by column, by the position of the row."""


class SavedSample(NamedTuple):
    """A sample that was changed."""

    sample_id: str
    """Which."""

    version: int
    """What the change made of it."""


def save_samples(database: Database, shown: pd.DataFrame, edits: Edits) -> list[SavedSample]:
    """Store changed comments and custom values of samples.

    Parameters
    ----------
    database : Database
        The connected tables.
    shown : DataFrame
        What the person saw, from `schemas.roi_table.fetch_samples`.
    edits : mapping
        What the person has changed.

    Returns
    -------
    list of SavedSample
        What `undo_samples` takes back.

    Raises
    ------
    ProjectError
        If a value cannot be, or somebody else has changed one of the samples since; then nothing
        is stored.
    """
    changes = [_change(shown.iloc[row], values) for row, values in edits.items() if values]
    modify_samples(database, changes)
    return [_saved(database, change.sample_id) for change in changes]


def undo_samples(database: Database, saved: list[SavedSample]) -> None:
    """Take back what `save_samples` stored.

    Parameters
    ----------
    database : Database
        The connected tables.
    saved : list of SavedSample
        What it returned.

    Raises
    ------
    ProjectError
        If somebody has changed one of the samples since; then all stay as they are.
    """
    with database.connection.transaction:
        for sample in saved:
            undo_sample(database, sample.sample_id, after=sample.version)


def _change(row: pd.Series, values: Mapping[str, Any]) -> SampleChange:
    """Return what is to be changed of a sample."""
    custom = {
        name.removeprefix(CUSTOM): value
        for name, value in values.items()
        if name.startswith(CUSTOM)
    }
    comments = (values[COMMENTS] or "") if COMMENTS in values else None
    return SampleChange(
        sample_id=row["sample_id"], after=int(row["version"]), comments=comments, values=custom
    )


def _saved(database: Database, sample_id: str) -> SavedSample:
    """Return a sample as it is now."""
    return SavedSample(sample_id, int(find_sample(database, sample_id)["version"]))


class SavedTags(NamedTuple):
    """An action that tagged ROIs."""

    segmentation: Mapping[str, Any]
    """Key of their segmentation."""

    action: int
    """Its number."""


def newest_actions(database: Database) -> dict[tuple[str, ...], int]:
    """Return what was done last to the ROIs of each segmentation.

    Parameters
    ----------
    database : Database
        The connected tables.

    Returns
    -------
    dict
        The number of the action by the key of the segmentation; one without is not in it.
    """
    newest = dj.U(*SEGMENTATION).aggr(database.curation.Action(), newest="MAX(action)")
    return {tuple(row[name] for name in SEGMENTATION): row["newest"] for row in newest.to_dicts()}


def save_tags(
    database: Database, shown: pd.DataFrame, edits: Edits, seen: Mapping[tuple[str, ...], int]
) -> list[SavedTags]:
    """Store changed tags of ROIs; those of a segmentation that get the same are one action.

    Parameters
    ----------
    database : Database
        The connected tables.
    shown : DataFrame
        What the person saw, from `schemas.roi_table.fetch_rois`.
    edits : mapping
        What the person has changed.
    seen : mapping
        From `newest_actions`, when the person saw it.

    Returns
    -------
    list of SavedTags
        What `undo_tags` takes back.

    Raises
    ------
    ProjectError
        If a tag cannot be, or somebody else has tagged one of the ROIs since; then nothing is
        stored.
    """
    groups: dict[Any, list[int]] = {}
    for row, values in edits.items():
        tags = tuple((name.removeprefix(TAG), value or "") for name, value in values.items())
        key = tuple(shown.iloc[row][list(SEGMENTATION)])
        groups.setdefault((key, tags), []).append(int(shown.iloc[row]["roi_id"]))
    saved = []
    with _one_transaction(database):
        for (key, tags), roi_ids in groups.items():
            named = dict(zip(SEGMENTATION, key, strict=True))
            action = tag_rois(database, named, roi_ids, dict(tags), seen=seen.get(key, 0))
            saved.append(SavedTags(named, action))
    return saved


def undo_tags(database: Database, saved: list[SavedTags]) -> None:
    """Take back what `save_tags` stored.

    Parameters
    ----------
    database : Database
        The connected tables.
    saved : list of SavedTags
        What it returned.

    Raises
    ------
    ProjectError
        If somebody has tagged one of the ROIs since; then all stay as they are.
    """
    with _one_transaction(database):
        for done in reversed(saved):
            undo_action(database, dict(done.segmentation), done.action)


@contextmanager
def _one_transaction(database: Database) -> Iterator[None]:
    """Store all or nothing; of two people at the same moment, the later one is told."""
    try:
        with database.connection.transaction:
            yield
    except DuplicateError:
        raise ProjectError(
            "somebody else has decided about these ROIs at the same moment; nothing of yours was "
            "stored: look at them, then try again."
        ) from None
