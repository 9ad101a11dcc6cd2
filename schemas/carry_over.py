"""What people decided, taken from one segmentation to another of the same recording."""

from collections.abc import Iterable

from schemas.actions import AS_FOUND, Change, Now, append, read_now
from schemas.connection import Database
from schemas.roi_states import Key


def carry_over(
    database: Database, old: Key, new: Key, pairs: Iterable[tuple[int, int]]
) -> int | None:
    """Give the ROIs of a segmentation the tags and verdicts of those of another that they match.

    Parameters
    ----------
    database : Database
        The connected tables; inside a transaction, what is done is part of it.
    old : dict
        Key of the segmentation whose ROIs have them.
    new : dict
        Key of the other one.
    pairs : iterable of pairs of int
        A ROI of the old one, and the ROI of the new one that is the same.

    Returns
    -------
    int or None
        The action of the new segmentation, which can be undone; None: there was nothing to carry.

    Raises
    ------
    ProjectError
        If a ROI is not there.

    Notes
    -----
    What people had decided of the ROIs of the new segmentation themselves stays, and so does the
    verdict of ROIs of which nobody had decided. ROIs that were left because others took their place
    (merged, split, redrawn) are matched by these.
    """
    before = read_now(database, old)
    partners = dict((int(one), int(other)) for one, other in pairs)

    def decide(now: Now) -> Change:
        verdicts = {
            partners[roi_id]: verdict
            for roi_id, (_, verdict) in before.verdicts.items()
            if roi_id in partners
            and verdict.state != AS_FOUND
            and partners[roi_id] not in now.verdicts
        }
        tags = {
            (partners[roi_id], kind): tag
            for (roi_id, kind), (_, tag) in before.tags.items()
            if roi_id in partners and tag and (partners[roi_id], kind) not in now.tags
        }
        return Change(
            verdicts=verdicts, tags=tags, note=f"from segmentation {old['segmentation_id']}"
        )

    change = decide(read_now(database, new))
    if not change.verdicts and not change.tags:
        return None
    return append(database, new, "carry over", decide)
