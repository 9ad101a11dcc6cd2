"""What a project calls its stimulus types, its ROI tag types and its custom columns.

Each has a number that never changes, and a label that may: whatever was entered stays with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.settings import ProjectError

LONGEST_LABEL = 64
NAMED_BY_US = (
    ("animal", "Animal"),
    ("session", "Session"),
    ("session", "Recording"),
    ("session", "RecordingInfo"),
    ("sample", "Sample"),
    ("roi", "Segmentation"),
    ("roi", "Segmentation.Roi"),
)
"""Tables whose columns stand beside what people add, so that no name may be there twice."""

Key = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A kind of things that people give labels to."""

    table: str
    """Its table in the schema ``project``."""

    number: str
    """The column of the table that is its key."""

    words: str
    """What it is called in a sentence."""

    command: str
    """What it is called behind ``mesmerize config``."""


STIMULUS_TYPE = Labelled(
    table="StimulusType", number="stimulus_type_id", words="stimulus type", command="stimuli"
)
ROI_TAG_TYPE = Labelled(
    table="RoiTagType", number="roi_tag_type_id", words="ROI tag type", command="tags"
)
CUSTOM_COLUMN = Labelled(
    table="CustomColumn", number="custom_column_id", words="custom column", command="columns"
)
LABELLED = (STIMULUS_TYPE, ROI_TAG_TYPE, CUSTOM_COLUMN)


def labelled_rows(database: Database, what: Labelled) -> list[Key]:
    """Return the rows of one kind, in the order in which tables show them.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        Which kind.

    Returns
    -------
    list of dict
        Its number, ``label``, ``visible``, ``place``, ``added``; of a custom column also its
        ``kind`` and defaults.
    """
    rows = label_table(database, what).to_dicts()
    return sorted((dict(row) for row in rows), key=lambda row: (row["place"], row[what.number]))


def labels(database: Database, what: Labelled) -> list[str]:
    """Return the labels of one kind, in the order in which tables show them."""
    return [str(row["label"]) for row in labelled_rows(database, what)]


def find_label(database: Database, what: Labelled, label: str) -> Key:
    """Return the key of what has a label.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        Which kind.
    label : str
        As it is spelt.

    Raises
    ------
    ProjectError
        If there is none.
    """
    rows = labelled_rows(database, what)
    for row in rows:
        if row["label"] == label:
            return {what.number: row[what.number]}
    there = ", ".join(str(row["label"]) for row in rows) or "none yet"
    raise ProjectError(
        f"there is no {what.words} {label!r}; there are: {there}. Make it with: "
        f"mesmerize config {what.command} add {label!r}"
    )


def add_label(
    database: Database, what: Labelled, label: str, facts: Mapping[str, Any] | None = None
) -> Key:
    """Make a stimulus type, a ROI tag type or, with its kind, a custom column.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        Which of these.
    label : str
        What people call it.
    facts : mapping or None
        Other columns of the row.

    Returns
    -------
    dict
        Its key.

    Raises
    ------
    ProjectError
        If the label cannot be, or something is called so already.
    """
    label = _checked(database, what, label)
    table = label_table(database, what)
    rows = table.proj("place").to_dicts()
    number = max((row[what.number] for row in rows), default=0) + 1
    place = max((row["place"] for row in rows), default=0)
    try:
        table.insert1({what.number: number, "label": label, "place": place, **(facts or {})})
    except DuplicateError:
        raise ProjectError(f"somebody else has made a {what.words} just now; try again.") from None
    return {what.number: number}


def rename_label(database: Database, what: Labelled, label: str, new_label: str) -> None:
    """Call something by another name; all that was entered stays with it.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        What kind it is.
    label : str
        The old name.
    new_label : str
        The new one.

    Raises
    ------
    ProjectError
        If there is none of the old name, or the new one cannot be or is there already.
    """
    key = find_label(database, what, label)
    new_label = _checked(database, what, new_label, own=key)
    name = label_table(database, what).full_table_name
    statement = f"UPDATE {name} SET label = %s WHERE {what.number} = %s AND label = %s"
    try:
        done = database.connection.query(statement, args=(new_label, key[what.number], label))
    except DuplicateError:
        raise ProjectError(f"there is a {what.words} {new_label!r} already.") from None
    if done.rowcount == 0 and new_label != label:
        raise ProjectError(f"somebody else has renamed the {what.words} {label!r} meanwhile.")


def label_table(database: Database, what: Labelled) -> Any:
    """Return the table of one kind."""
    return getattr(database.project, what.table)()


def _checked(database: Database, what: Labelled, label: str, own: Key | None = None) -> str:
    """Return a label that can be given, or refuse it; nothing else may be called so."""
    label = label.strip()
    if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
        raise ProjectError(
            f"the label of a {what.words} has 1 to {LONGEST_LABEL} letters; got {label!r}."
        )
    for kind in LABELLED:
        for row in labelled_rows(database, kind):
            is_own = own is not None and kind is what and own.items() <= row.items()
            if not is_own and row["label"].casefold() == label.casefold():
                raise ProjectError(f"there is a {kind.words} {row['label']!r} already.")
    if label.casefold() in _our_names(database):
        raise ProjectError(f"{label!r} is a column of every project; choose another label.")
    return label


def _our_names(database: Database) -> set[str]:
    """Return the names of columns that every project has."""
    names = {"tag", "tags", "stimulus", "stimuli", "segmentation"}
    for module, path in NAMED_BY_US:
        table: Any = getattr(database, module)
        for name in path.split("."):
            table = getattr(table, name)
        names |= set(table().heading.names)
    return names
