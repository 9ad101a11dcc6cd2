"""Taking back what was done to ROIs, by an action like others: nothing is ever erased."""

from schemas.action_history import undone_actions
from schemas.actions import Change, Now, Verdict, append
from schemas.connection import Database
from schemas.roi_states import SEGMENTATION, Key
from schemas.settings import ProjectError


def undo_action(
    database: Database, segmentation: Key, action: int | None = None, *, seen: int | None = None
) -> int:
    """Undo an action: the ROIs are again what they were before it.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    action : int or None
        Its number, also of an undo, which is then done again; None: the newest that is neither
        undone nor an undo.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The action that was undone.

    Raises
    ------
    ProjectError
        If there is nothing to undo, or it was undone already, or a later action builds on it.
    """
    key = {name: segmentation[name] for name in SEGMENTATION}
    undone: list[int] = []

    def decide(now: Now) -> Change:
        rows = (database.curation.Action() & key).to_dicts()
        row = _chosen(rows, action)
        if seen is not None and action is None and row["action"] > seen:
            raise ProjectError(
                f"somebody else has done something meanwhile ({row['kind']}, by "
                f"{row['account']}); look at it, then try again."
            )
        undone.append(row["action"])
        return _inverse(database, {**key, "action": row["action"]}, row["kind"], now)

    append(database, segmentation, "undo", decide)
    return undone[-1]


def _chosen(rows: list[Key], action: int | None) -> Key:
    """Return the action to undo."""
    undone = undone_actions(rows)
    if action is None:
        open_ = [r for r in rows if r["undoes"] is None and r["action"] not in undone]
        if not open_:
            raise ProjectError("there is nothing to undo.")
        return max(open_, key=lambda row: row["action"])
    found = [row for row in rows if row["action"] == action]
    if not found:
        raise ProjectError(f"there is no action {action}; see: mesmerize rois history")
    if action in undone:
        raise ProjectError(f"action {action} is undone already.")
    return found[0]


def _inverse(database: Database, key: Key, kind: str, now: Now) -> Change:
    """Return what brings back what was before an action."""
    curation, action = database.curation, int(key["action"])
    segmentation = {name: key[name] for name in SEGMENTATION}
    actions = (curation.Action() & segmentation & "undoes IS NOT NULL").to_dicts()
    undoes = {row["action"]: row["undoes"] for row in actions}

    chain = _Chain((curation.Action.Verdict() & segmentation).to_dicts(), ("roi_id",), undoes)
    verdicts: dict[int, Verdict] = {}
    for (roi_id,), before in chain.before(action).items():
        verdicts[roi_id] = Verdict(before["state"], before["reason"]) if before else Verdict()
    for roi_id in map(int, (curation.Edit.Roi() & key).to_arrays("roi_id")):
        chain.check_standing((roi_id,), now.verdicts.get(roi_id, (0,))[0], 0)
        verdicts[roi_id] = Verdict("rejected", f"undone: {kind}")

    names = ("roi_id", "roi_tag_type_id")
    chain = _Chain((curation.RoiTag() & segmentation).to_dicts(), names, undoes)
    tags: dict[tuple[int, int], str] = {}
    for (roi_id, number), before in chain.before(action).items():
        tags[roi_id, number] = before["tag"] if before else ""
    return Change(verdicts=verdicts, tags=tags, undoes=action, note=f"action {action}: {kind}")


class _Chain:
    """The rows of one kind that actions wrote, each with the one that it replaces."""

    def __init__(self, rows: list[Key], names: tuple[str, ...], undoes: dict[int, int]) -> None:
        self._rows = {(tuple(row[name] for name in names), row["action"]): row for row in rows}
        self._newest = {of: action for of, action in sorted(self._rows, key=lambda each: each[1])}
        self._undoes = undoes

    def before(self, action: int) -> dict[tuple[int, ...], Key | None]:
        """Return the rows that those of an action replaced, unless later ones replaced these."""
        own = [row_of for row_of, number in self._rows if number == action]
        for row_of in own:
            self.check_standing(row_of, self._newest[row_of], action)
        return {
            row_of: self._rows.get((row_of, self._rows[row_of, action]["replaces"]))
            for row_of in own
        }

    def check_standing(self, row_of: tuple[int, ...], newest: int, action: int) -> None:
        """Refuse to undo an action whose row is not what holds now."""
        holds = newest
        while holds != action and holds in self._undoes:  # an undo brings back what was before
            undone = self._rows.get((row_of, self._undoes[holds]))
            holds = undone["replaces"] if undone else 0
        if holds != action:
            raise ProjectError(
                f"ROI {row_of[0]} was changed again by action {newest}; undo that first."
            )
