"""Deciding about ROIs: every action is appended, with who did it and when, and can be undone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.roi_states import SEGMENTATION, STATES, Key
from schemas.settings import ProjectError

ATTEMPTS = 10
LONGEST_TEXT = 255
AS_FOUND = ""
"""The state of a ROI of which nobody decided."""

KINDS = {"accepted": "accept", "rejected": "reject", "excluded": "exclude"}
"""What an action is called that brings ROIs into a state."""


class Verdict(NamedTuple):
    """What a ROI is."""

    state: str = AS_FOUND
    """One of `STATES`, or `AS_FOUND`."""

    reason: str = ""
    """In words."""


class Now(NamedTuple):
    """What was decided of the ROIs of a segmentation until now."""

    roi_ids: frozenset[int]
    """Of all its ROIs: found, added, or still to be measured."""

    verdicts: Mapping[int, tuple[int, Verdict]]
    """The action and the verdict, by ROI."""

    tags: Mapping[tuple[int, int], tuple[int, str]]
    """The action and the tag, by ROI and tag type."""

    action: int
    """The newest one; 0: there is none."""

    waiting: frozenset[int] = frozenset()
    """ROIs that are still to be measured."""

    @property
    def next_roi_id(self) -> int:
        """The number of the next ROI that is added."""
        return max(self.roi_ids, default=-1) + 1


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an action does."""

    verdicts: Mapping[int, Verdict] = field(default_factory=dict)
    """By ROI."""

    tags: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """By ROI and number of the tag type; empty: no tag any more."""

    added: Sequence[Key] = ()
    """Columns of ``Edit.Roi`` of the ROIs that are added."""

    note: str = ""
    """In words."""

    undoes: int | None = None
    """The action that is undone."""


def judge_rois(
    database: Database,
    segmentation: Key,
    roi_ids: Iterable[int],
    state: str,
    *,
    reason: str = "",
    seen: int | None = None,
) -> int:
    """Accept ROIs, reject them, or leave them out of analysis.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    roi_ids : iterable of int
        The ROIs.
    state : str
        ``accepted``, ``rejected`` or ``excluded``.
    reason : str
        Why, in words.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The number of the action.

    Raises
    ------
    ProjectError
        If there is no such ROI, or somebody else has changed one of them since.
    """
    if state not in STATES:
        raise ProjectError(f"a ROI can be {', '.join(STATES)}; got {state!r}.")
    chosen = list(dict.fromkeys(int(roi_id) for roi_id in roi_ids))
    change = Change(verdicts={roi_id: Verdict(state, reason) for roi_id in chosen})
    return append(database, segmentation, KINDS[state], lambda _: change, seen=seen)


def append(
    database: Database,
    segmentation: Key,
    kind: str,
    decide: Callable[[Now], Change],
    *,
    seen: int | None = None,
) -> int:
    """Append an action; when somebody else appends one at the same moment, both are kept.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    kind : str
        What is done, in a word.
    decide : callable
        Given what holds now, returns what is done; called again after another's action.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The number of the action.

    Raises
    ------
    ProjectError
        If there is no such ROI or no such segmentation, or somebody else has changed one of the
        ROIs since.
    """
    key = {name: segmentation[name] for name in SEGMENTATION}
    connection = database.connection
    for _ in range(ATTEMPTS):
        try:
            with nullcontext() if connection.in_transaction else connection.transaction:
                now = read_now(database, key)
                change = decide(now)
                _check(now, change, seen)
                _insert(database, {**key, "action": now.action + 1}, kind, now, change)
        except DuplicateError:
            if connection.in_transaction:  # of the caller, who has to begin anew
                raise
        else:
            return now.action + 1
    raise ProjectError("others decide about these ROIs at the same moment; try again.")


def read_now(database: Database, segmentation: Key) -> Now:
    """Return what was decided of the ROIs of a segmentation until now.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.

    Raises
    ------
    ProjectError
        If the segmentation is not there, or still to be computed.
    """
    key = {name: segmentation[name] for name in SEGMENTATION}
    if not database.roi.Segmentation() & key:
        raise ProjectError(
            f"trial {key['trial']!r} of animal {key['animal_id']!r} has no such segmentation, or "
            "it is still to be computed by: mesmerize work"
        )
    curation = database.curation
    # of one segmentation, the later rows simply take the place of the earlier ones
    verdicts = (curation.Action.Verdict() & key).to_dicts(order_by="action")
    tags = (curation.RoiTag() & key).to_dicts(order_by="action")
    measured, added = (
        frozenset(int(roi_id) for roi_id in (table & key).to_arrays("roi_id"))
        for table in (database.roi.Segmentation.Roi(), curation.Edit.Roi())
    )
    actions = (curation.Action() & key).to_arrays("action")
    return Now(
        measured | added,
        {r["roi_id"]: (r["action"], Verdict(r["state"], r["reason"])) for r in verdicts},
        {(r["roi_id"], r["roi_tag_type_id"]): (r["action"], r["tag"]) for r in tags},
        int(max(actions, default=0)),
        added - measured,
    )


def _check(now: Now, change: Change, seen: int | None) -> None:
    """Refuse to change ROIs that are not there, or that somebody else has changed since."""
    added = {row["roi_id"] for row in change.added}
    touched = [*change.verdicts, *(roi_id for roi_id, _ in change.tags)]
    if not touched and not added:
        raise ProjectError("choose at least one ROI.")
    missing = sorted(set(touched) - now.roi_ids - added)
    if missing:
        raise ProjectError(
            f"there is no ROI {missing[0]} in this segmentation; its ROIs are 0 to "
            f"{max(now.roi_ids, default=0)}."
        )
    waiting = sorted(now.waiting & {roi_id for roi_id, _ in change.tags})
    if waiting:
        raise ProjectError(
            f"ROI {waiting[0]} is still to be measured by: mesmerize work; tag it then."
        )
    if seen is None:
        return
    newer = [r for r in change.verdicts if now.verdicts.get(r, (0,))[0] > seen]
    newer += [r for r, kind in change.tags if now.tags.get((r, kind), (0,))[0] > seen]
    if newer:
        raise ProjectError(
            f"somebody else has changed ROI {newer[0]} meanwhile; look at it, then try again."
        )


def _insert(database: Database, key: Key, kind: str, now: Now, change: Change) -> None:
    """Insert an action with all that it does."""
    curation = database.curation
    facts = {
        "kind": kind,
        "undoes": change.undoes,
        "note": change.note[:LONGEST_TEXT],
        "account": database.account,
    }
    curation.Action().insert1({**key, **facts})
    curation.Action.Verdict().insert(
        {
            **key,
            "roi_id": roi_id,
            "state": verdict.state,
            "reason": verdict.reason[:LONGEST_TEXT],
            "replaces": now.verdicts.get(roi_id, (0,))[0],
        }
        for roi_id, verdict in change.verdicts.items()
    )
    curation.RoiTag().insert(
        {
            **key,
            "roi_id": roi_id,
            "roi_tag_type_id": number,
            "tag": tag,
            "replaces": now.tags.get((roi_id, number), (0,))[0],
        }
        for (roi_id, number), tag in change.tags.items()
    )
    if change.added:
        curation.Edit().insert1({**key, "n_rois": len(change.added)})
        curation.Edit.Roi().insert([{**key, **row} for row in change.added])
