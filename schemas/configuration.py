"""What of a project's labelled things tables show, in which order, and which go for good."""

from collections.abc import Mapping

from schemas.connection import Database
from schemas.deletion import rows_going_with
from schemas.labels import Labelled, find_label, label_table, labelled_rows
from schemas.settings import ProjectError


def show_label(database: Database, what: Labelled, label: str, *, visible: bool) -> None:
    """Let the tables of the app show something, or hide it.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        What kind it is.
    label : str
        Its label.
    visible : bool
        Whether they show it.

    Raises
    ------
    ProjectError
        If there is none of that name.
    """
    key = find_label(database, what, label)
    label_table(database, what).update1({**key, "visible": visible})


def move_label(database: Database, what: Labelled, label: str, place: int) -> None:
    """Give something another place among its kind in tables.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        What kind it is.
    label : str
        Its label.
    place : int
        From 1, the leftmost; beyond the last one: the last.

    Raises
    ------
    ProjectError
        If there is none of that name, or no such place.
    """
    if place < 1:
        raise ProjectError(f"places are counted from 1; got {place}.")
    key = find_label(database, what, label)
    others = [row for row in labelled_rows(database, what) if row["label"] != label]
    others.insert(place - 1, key)
    table = label_table(database, what)
    with database.connection.transaction:
        for number, row in enumerate(others, start=1):
            table.update1({what.number: row[what.number], "place": number})


def going_with_label(database: Database, what: Labelled, label: str) -> dict[str, int]:
    """Tell which rows go when something is deleted: itself, and all that was entered for it.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        What kind it is.
    label : str
        Its label.

    Returns
    -------
    dict
        Number of rows by the table's name in SQL; nothing is changed yet.

    Raises
    ------
    ProjectError
        If there is none of that name.
    NotAllowed
        If this account may not delete it.
    """
    return rows_going_with(label_table(database, what) & find_label(database, what, label))


def delete_label(
    database: Database, what: Labelled, label: str, *, shown: Mapping[str, int]
) -> None:
    """Delete something with all that was entered for it, in one transaction.

    Parameters
    ----------
    database : Database
        The connected tables.
    what : Labelled
        What kind it is.
    label : str
        Its label.
    shown : mapping
        What the person who decided was shown, from `going_with_label`.

    Raises
    ------
    ProjectError
        If there is none of that name, or something else would go than was shown.
    NotAllowed
        If this account may not delete it; then nothing goes.
    """
    with database.connection.transaction:
        if going_with_label(database, what, label) != dict(shown):
            raise ProjectError(
                f"something was entered for the {what.words} {label!r} meanwhile; nothing was "
                "deleted: look again at what goes."
            )
        found = label_table(database, what) & find_label(database, what, label)
        found.delete(transaction=False, prompt=False)
