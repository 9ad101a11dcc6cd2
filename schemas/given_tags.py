"""Tags that came with ROIs of another program, on their way to the segmentations made of them."""

from collections.abc import Mapping, Sequence

from schemas.access import at_least
from schemas.connection import Database
from schemas.labels import ROI_TAG_TYPE, Key, add_label, find_label, labels
from schemas.roi_tags import checked_tag
from schemas.settings import ProjectError

MOST_NAMED = 8


def keep_tags(database: Database, rois_id: str, tags: Mapping[str, Sequence[str]]) -> None:
    """Keep tags beside the set of ROIs that they came with.

    Parameters
    ----------
    database : Database
        The connected tables; what is done is part of the transaction that is open.
    rois_id : str
        Of the set, whose ROIs are there.
    tags : mapping
        Those of each ROI by the label of their type; types that the project lacks are made.

    Raises
    ------
    ProjectError
        If a tag or a type cannot be, or types are lacking and this account may not make them.
    """
    wanted = {label: words for label, words in tags.items() if any(map(str.strip, words))}
    known = labels(database, ROI_TAG_TYPE)
    _make_types(database, [label for label in wanted if label not in known])
    database.given.GivenTag().insert(
        {"rois_id": rois_id, "roi_id": roi_id, **kind, "tag": tag}
        for label, words in wanted.items()
        for kind in [find_label(database, ROI_TAG_TYPE, label)]
        for roi_id, tag in enumerate(map(checked_tag, words))
        if tag
    )


def _make_types(database: Database, missing: Sequence[str]) -> None:
    """Make tag types, or say which are missing to those who may not make them."""
    if missing and not at_least(database.connection.role, "admin"):
        named = ", ".join(map(repr, missing[:MOST_NAMED]))
        more = f" and {len(missing) - MOST_NAMED} others" if len(missing) > MOST_NAMED else ""
        raise ProjectError(
            f"the file has tags of the types {named}{more}, which the project lacks and only an "
            "admin may make; nothing was taken in. Ask one for: "
            f"mesmerize config {ROI_TAG_TYPE.command} add {missing[0]!r}, or import again without "
            "tags: --no-tags"
        )
    for label in missing:
        add_label(database, ROI_TAG_TYPE, label)


def enter_tags(segmentation: Key, rois_id: str) -> None:
    """Give the ROIs of a new segmentation the tags that came with them, as the first action.

    Parameters
    ----------
    segmentation : dict
        Key of the segmentation, whose ROIs were just inserted in the open transaction.
    rois_id : str
        Of the set that it is made of.
    """
    # these tables are of segmentations, which therefore cannot know them before
    from schemas.curation import Action, RoiTag
    from schemas.given import GivenTag, RoiSet
    from schemas.project import RoiTagType

    given = {"rois_id": rois_id}
    tags = (GivenTag & given).to_dicts()
    if not tags:
        return
    kinds = {row["roi_tag_type_id"] for row in tags}
    rows = (RoiTagType & [{"roi_tag_type_id": kind} for kind in kinds]).to_dicts()
    account, file = (RoiSet & given).fetch1("account", "file")
    note = f"with {file}: {', '.join(sorted(row['label'] for row in rows))}"
    key = {**segmentation, "action": 1}
    Action.insert1({**key, "kind": "import", "note": note[:255], "account": account})
    RoiTag.insert(
        {
            **key,
            "roi_id": row["roi_id"],
            "roi_tag_type_id": row["roi_tag_type_id"],
            "tag": row["tag"],
            "replaces": 0,
        }
        for row in tags
    )
