"""Auxiliary channels in the files of recordings."""

from pathlib import Path

from apps.queries.keys import Key
from pipeline.readers.mes_stimuli import Auxiliary, read_auxiliary
from schemas.connection import Database
from schemas.session import reading_arguments

SUFFIX = ".mes"


def mes_file(database: Database, key: Key) -> str | None:
    """Return the path, in its data root, of a recording's file that has auxiliary channels.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        The recording.
    """
    paths = (database.session.Recording.File & key & {"kind": "movie"}).to_arrays("path")
    found = [str(path) for path in paths if str(path).lower().endswith(SUFFIX)]
    return found[0] if len(found) == 1 else None


def auxiliary(database: Database, key: Key) -> Auxiliary:
    """Return the auxiliary channels of a recording.

    Parameters
    ----------
    database : Database
        The connected tables.
    key : dict
        The recording.

    Raises
    ------
    ProjectError
        If its file is missing or has changed since it was ingested.
    ValueError
        If the file is damaged, or tells no times of frames.
    """
    recording = (database.session.Recording & key).fetch1()
    files = (database.session.Recording.File & key).to_dicts(order_by="file_index")
    (path,) = reading_arguments(database.settings, recording, files)["path"]
    return read_auxiliary(Path(path))
