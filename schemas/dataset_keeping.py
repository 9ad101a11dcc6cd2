"""Datasets as they are kept: checked, renamed, deleted."""

from datajoint.errors import DuplicateError

from schemas.connection import Database
from schemas.datasets import checked_name, checksum_of, describe_dataset, find_dataset
from schemas.deletion import check_allowed
from schemas.settings import ProjectError


def check_dataset(database: Database, name: str) -> None:
    """Make sure that a dataset holds the ROIs that it was made of.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.

    Raises
    ------
    ProjectError
        If somebody changed its rows behind the program's back.
    """
    found = describe_dataset(database, name)
    members = database.analysis.Dataset.Roi() & {"dataset_id": found.dataset_id}
    if checksum_of(members.to_dicts()) != found.checksum:
        raise ProjectError(
            f"the dataset {name!r} no longer holds the {found.n_rois} ROIs that it was made of: "
            "rows were changed in the database; restore a backup, or make it anew."
        )


def rename_dataset(database: Database, name: str, new_name: str) -> None:
    """Call a dataset by another name.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        The old name.
    new_name : str
        The new one.

    Raises
    ------
    ProjectError
        If there is none of the old name, or the new one cannot be or is there already.
    """
    key = find_dataset(database, name)
    row = {**key, "name": checked_name(database, new_name)}
    try:
        database.analysis.Dataset().update1(row)
    except DuplicateError:
        raise ProjectError(f"there is a dataset {new_name!r} already.") from None


def delete_dataset(database: Database, name: str) -> None:
    """Delete a dataset; its ROIs stay.

    Parameters
    ----------
    database : Database
        The connected tables.
    name : str
        What it is called.

    Raises
    ------
    ProjectError
        If there is none, or others were chosen from it.
    NotAllowed
        If this account may not delete it.
    """
    key = find_dataset(database, name)
    table = database.analysis.Dataset
    check_allowed([table()])
    children = list((table() & {"parent": key["dataset_id"]}).to_arrays("name"))
    if children:
        raise ProjectError(
            f"the datasets {', '.join(map(str, children))} were chosen from {name!r}; it stays, "
            "because it is part of their history."
        )
    (table() & key).delete(prompt=False)
