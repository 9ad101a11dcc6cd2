"""Movies of a recording, read a frame at a time."""

from apps.queries.keys import Key
from pipeline.movie import Movie
from pipeline.readers import open_movie
from schemas.connection import Database
from schemas.session import reading_arguments
from schemas.store import stored_path


def recorded_movie(database: Database, key: Key) -> Movie:
    """Open the movie of a recording as it was recorded; nothing is read yet.

    Raises
    ------
    ProjectError
        If a file is missing or has changed since it was ingested.
    """
    recording = (database.session.Recording & key).fetch1()
    files = (database.session.Recording.File & key).to_dicts(order_by="file_index")
    return open_movie(**reading_arguments(database.settings, recording, files))


def corrected_movie(database: Database, key: Key) -> Movie:
    """Open the corrected movie of a motion correction; nothing is read yet."""
    reference, rate_hz = (database.motion.MotionCorrection & key).fetch1("movie", "rate_hz")
    return open_movie(stored_path(database.settings, reference), rate_hz=rate_hz)
