"""Samples of a project: made, changed, removed and brought back; every change is a version."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from schemas.connection import Database
from schemas.custom_columns import fill_values, typed_values
from schemas.labels import Key
from schemas.sample_names import sample_id_of
from schemas.sample_versions import STATE, state_before, values_before, write_version
from schemas.settings import ProjectError

LONGEST_COMMENT = 4096


@dataclass(frozen=True, kw_only=True)
class SampleChange:
    """What is to be changed of a sample; what is None stays as it is."""

    sample_id: str
    """The sample."""

    after: int | None = None
    """The version that the person saw who changes it; None: the newest, whatever it is."""

    comments: str | None = None
    """Free text."""

    trial_id: str | None = None
    """The second part of its SampleID."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Values by the label of the custom column, as text or as values; None: nobody knows."""


def find_sample(database: Database, sample_id: str) -> Key:
    """Return the row of a sample.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        Its SampleID.

    Raises
    ------
    ProjectError
        If there is none.
    """
    found = (database.sample.Sample() & {"sample_id": sample_id}).to_dicts()
    found = [row for row in found if row["sample_id"] == sample_id]  # MySQL takes A for a
    if not found:
        raise ProjectError(
            f"there is no sample {sample_id!r}; list them with: mesmerize samples list"
        )
    return dict(found[0])


def add_sample(
    database: Database,
    recording: Mapping[str, Any],
    *,
    segmentation_id: str | None = None,
    trial_id: str | None = None,
    comments: str = "",
    values: Mapping[str, Any] | None = None,
) -> str:
    """Make a recording a sample.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : mapping
        Holds the key of the recording.
    segmentation_id : str or None
        The chosen segmentation; None: there is none yet.
    trial_id : str or None
        The second part of the SampleID; None: the name of the trial.
    comments : str
        Free text.
    values : mapping or None
        Values by the label of the custom column; of others, the default.

    Returns
    -------
    str
        The SampleID.

    Raises
    ------
    ProjectError
        If the recording is a sample already, another one has the SampleID, there is no such
        recording or segmentation, or a value cannot be.
    """
    key = {name: recording[name] for name in database.session.Recording.primary_key}
    row = {
        **key,
        "sample_id": sample_id_of(str(key["animal_id"]), trial_id or str(key["trial"])),
        "segmentation_id": segmentation_id,
        "comments": checked_comments(comments),
    }
    given = typed_values(database, values or {})
    _check_recording(database, key)
    check_segmentation(database, key, segmentation_id)
    check_free(database, row)
    with database.connection.transaction:
        row["version"] = write_version(database, row, "added", given)
        database.sample.Sample().insert1(row)
        enter_values(database, key, given)
    fill_values(database, key)
    return str(row["sample_id"])


def modify_samples(database: Database, changes: Sequence[SampleChange]) -> None:
    """Change comments, names and custom values of samples, all or none.

    Parameters
    ----------
    database : Database
        The connected tables.
    changes : sequence of SampleChange
        One a sample.

    Raises
    ------
    ProjectError
        If there is no such sample or column, a value cannot be, or somebody else has changed
        the sample since the version that is given.
    """
    with database.connection.transaction:
        for change in changes:
            _modify(database, change)


def _modify(database: Database, change: SampleChange) -> None:
    """Make one change, inside a transaction."""
    row = find_sample(database, change.sample_id)
    given = typed_values(database, change.values)
    new = dict(row)
    if change.comments is not None:
        new["comments"] = checked_comments(change.comments)
    if change.trial_id is not None:
        new["sample_id"] = sample_id_of(row["animal_id"], change.trial_id)
        check_free(database, new, own=row)
    change_sample(database, row, new, "modified", given=given, after=change.after)


def change_sample(
    database: Database,
    row: Key,
    new: Key,
    change_made: str,
    *,
    given: Mapping[int, Key] | None = None,
    after: int | None = None,
) -> int:
    """Store a changed sample as a new version, inside a transaction.

    Parameters
    ----------
    database : Database
        The connected tables.
    row, new : dict
        The row of the sample, before and after.
    change_made : str
        What is done to it, in a word.
    given : mapping or None
        New values, from `typed_values`.
    after : int or None
        The version that the person saw who changes it; None: the newest.

    Returns
    -------
    int
        The new version.

    Raises
    ------
    ProjectError
        If somebody else has changed the sample since that version.
    """
    key = {name: row[name] for name in database.sample.Sample.primary_key}
    version = write_version(database, new, change_made, given or {}, before=row, after=after)
    facts = {name: new[name] for name in STATE}
    database.sample.Sample().update1({**key, **facts, "version": version})
    enter_values(database, key, given or {})
    return version


def undo_sample(database: Database, sample_id: str, *, after: int | None = None) -> None:
    """Go back to what a sample was before its last change.

    Parameters
    ----------
    database : Database
        The connected tables.
    sample_id : str
        The sample.
    after : int or None
        The version that the person saw; None: the newest.

    Raises
    ------
    ProjectError
        If nothing was changed, its segmentation was deleted meanwhile, or somebody else has
        changed the sample since that version.
    """
    with nullcontext() if database.connection.in_transaction else database.connection.transaction:
        row = find_sample(database, sample_id)
        before = state_before(database, row)
        check_segmentation(database, row, before["segmentation_id"])
        given = values_before(database, row, row["version"], changed_in=row["version"])
        change_sample(database, row, {**row, **before}, "undone", given=given, after=after)


def checked_comments(comments: str) -> str:
    """Return comments that fit in their column, or refuse them."""
    if len(comments) > LONGEST_COMMENT:
        raise ProjectError(
            f"comments have at most {LONGEST_COMMENT} letters; these have {len(comments)}."
        )
    if "\0" in comments:
        raise ProjectError("comments cannot hold the character NUL; take it out.")
    return comments.strip()


def check_segmentation(database: Database, recording: Key, segmentation_id: str | None) -> None:
    """Refuse a segmentation that is not one of a recording."""
    key = {name: recording[name] for name in database.session.Recording.primary_key}
    found = database.roi.Segmentation() & key & {"segmentation_id": segmentation_id}
    if segmentation_id is not None and not found:
        raise ProjectError(
            f"the recording {' / '.join(map(str, key.values()))} has no computed segmentation "
            f"{segmentation_id!r}; it may have been deleted."
        )


def _check_recording(database: Database, key: Key) -> None:
    """Refuse what is no recording."""
    if not database.session.Recording() & key:
        raise ProjectError(f"there is no recording {' / '.join(map(str, key.values()))}.")


def check_free(database: Database, row: Key, own: Key | None = None) -> None:
    """Refuse a second sample of a recording, and a SampleID that another one has."""
    table = database.sample.Sample()
    key = {name: row[name] for name in table.primary_key}
    if own is None and table & key:
        sample_id = (table & key).fetch1("sample_id")
        raise ProjectError(f"this recording is the sample {sample_id} already; modify that.")
    for other in (table & {"sample_id": row["sample_id"]}).to_dicts():
        if {name: other[name] for name in table.primary_key} != key:
            raise ProjectError(
                f"the sample {other['sample_id']} exists already, of session {other['session']}; "
                "a SampleID is unique in a project: give this one another TrialID."
            )


def enter_values(database: Database, key: Key, given: Mapping[int, Key]) -> None:
    """Let samples have values, whether they had some before or not."""
    table = database.sample.SampleValue()
    there = set((table & key).to_arrays("custom_column_id"))
    for number, columns in given.items():
        row = {**key, "custom_column_id": number, **columns}
        if number in there:
            table.update1(row)
        else:
            table.insert1(row)
