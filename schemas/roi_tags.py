"""Tags of ROIs: a word of each tag type, as cell type or region."""

from collections.abc import Iterable

from schemas.actions import Change, append
from schemas.connection import Database
from schemas.labels import ROI_TAG_TYPE, find_label, labelled_rows
from schemas.roi_states import Key, current_tags
from schemas.settings import ProjectError

LONGEST_TAG = 255


def tag_rois(
    database: Database,
    segmentation: Key,
    roi_ids: Iterable[int],
    tags: dict[str, str],
    *,
    seen: int | None = None,
) -> int:
    """Tag ROIs, one or many at once.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    roi_ids : iterable of int
        The ROIs.
    tags : dict
        The tag by the label of its type; an empty one takes it away.
    seen : int or None
        The newest action that the person had seen; None: whatever was done meanwhile.

    Returns
    -------
    int
        The number of the action.

    Raises
    ------
    ProjectError
        If there is no such ROI or tag type, a tag cannot be, or somebody else has tagged one of the
        ROIs since.
    """
    chosen = list(dict.fromkeys(int(roi_id) for roi_id in roi_ids))
    numbers = {
        find_label(database, ROI_TAG_TYPE, label)[ROI_TAG_TYPE.number]: checked_tag(tag)
        for label, tag in tags.items()
    }
    wanted = {(roi_id, number): tag for roi_id in chosen for number, tag in numbers.items()}
    note = ", ".join(f"{label}: {checked_tag(tag) or 'none'}" for label, tag in tags.items())
    return append(
        database, segmentation, "tag", lambda _: Change(tags=wanted, note=note), seen=seen
    )


def checked_tag(tag: str) -> str:
    """Return a tag that can be one, without blanks around it.

    Parameters
    ----------
    tag : str
        What somebody wrote.

    Raises
    ------
    ProjectError
        If it is too long, or has several lines.
    """
    tag = tag.strip()
    if len(tag) > LONGEST_TAG or not tag.isprintable():
        raise ProjectError(f"a tag has at most {LONGEST_TAG} letters, on one line; got {tag!r}.")
    return tag


def known_tags(database: Database, label: str) -> list[str]:
    """Return the tags of a type that are in use, for completion, the most frequent first.

    Parameters
    ----------
    database : Database
        The connected tables.
    label : str
        The tag type.

    Raises
    ------
    ProjectError
        If there is no such tag type.
    """
    query = current_tags(database) & find_label(database, ROI_TAG_TYPE, label)
    statement = (
        f"SELECT tag, COUNT(*) AS n FROM ({query.make_sql(['tag'])}) AS used "
        "GROUP BY tag ORDER BY n DESC, tag"
    )
    return [str(row[0]) for row in database.connection.query(statement).fetchall()]


def tags_of(database: Database, segmentation: Key) -> dict[str, dict[int, str]]:
    """Return the tags of the ROIs of a segmentation by the label of their type, and by ROI.

    Parameters
    ----------
    database : Database
        The connected tables.
    segmentation : dict
        Its key.
    """
    rows = labelled_rows(database, ROI_TAG_TYPE)
    found: dict[int, dict[int, str]] = {row[ROI_TAG_TYPE.number]: {} for row in rows}
    for row in (current_tags(database) & segmentation).to_dicts():
        found[row["roi_tag_type_id"]][row["roi_id"]] = row["tag"]
    return {str(row["label"]): found[row[ROI_TAG_TYPE.number]] for row in rows}
