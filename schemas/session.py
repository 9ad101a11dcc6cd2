"""Sessions, their recordings, the files of these, and what the files hold."""

import datajoint as dj

from pipeline.projections import project
from pipeline.readers import open_movie
from pipeline.readers.registry import ITEM_SEPARATOR
from schemas.animal import Animal  # noqa: F401 a definition names it
from schemas.files import unchanged
from schemas.resources import RESOURCES
from schemas.store import check_writable

schema = dj.Schema()


@schema
class Session(dj.Manual):
    """One day, or part of a day, of work with one animal."""

    definition = """
    -> Animal
    session : varchar(16)            # YYYY-MM-DD, a letter where a day has several: 2026-11-22b
    ---
    session_date : date              # the day
    comments="" : varchar(4096)
    """


@schema
class Recording(dj.Manual):
    """A trial: one movie, and how it is read."""

    definition = """
    -> Session
    trial : varchar(64)
    ---
    axes=null : varchar(8)            # order of the axes, as TZYX; null: the file tells
    channel=null : int16              # of a file with several, from 0
    rate_hz=null : float64            # given frames (volumes) per second; null: the file tells
    metadata_format="" : varchar(64)  # of the metadata file, where there is one
    ingested=CURRENT_TIMESTAMP : datetime
    comments="" : varchar(4096)
    """

    class File(dj.Part):
        """A file of the recording; a movie may be cut in several."""

        definition = """
        -> master
        file_index : int16            # order of the pieces of the movie; metadata come last
        ---
        kind : enum('movie', 'part', 'metadata')  # part: the movie's own header refers to it
        root : varchar(32)            # name of the data root in mesmerize.toml
        path : varchar(1024)          # relative to the root
        item="" : varchar(255)        # data set or series in the file, where one was named
        size_bytes : int64
        checksum : char(64)           # SHA-256 of the content
        """


@schema
class RecordingInfo(dj.Imported):
    """What a recording holds, and its projections over time."""

    definition = """
    -> Recording
    ---
    n_frames : int32                  # of a volume movie: volumes
    n_planes : int32                  # 1 for a movie of one plane
    n_rows : int32
    n_cols : int32
    dtype : varchar(16)               # of a pixel
    rate_hz : float64                 # frames (volumes) per second
    duration_s : float64
    pixel_size_um=null : json         # [row, column] or [plane, row, column]
    metadata : json                   # what the file says about itself
    mean_image : <blob@main>          # ([n_planes,] n_rows, n_cols), as the three that follow
    max_image : <blob@main>
    std_image : <blob@main>
    correlation_image : <blob@main>   # mean correlation of a pixel with its neighbours, -1 to 1
    """

    def make_fetch(self, key):
        return (movie_arguments(key),)

    def make_compute(self, key, arguments):
        resources = RESOURCES.get()
        check_writable(resources.settings)
        movie = open_movie(**arguments)
        return movie_facts(movie), project(movie, **resources.as_arguments())

    def make_insert(self, key, facts, images):
        self.insert1(
            {
                **key,
                **facts,
                "mean_image": images.mean,
                "max_image": images.maximum,
                "std_image": images.std,
                "correlation_image": images.local_correlation,
            }
        )


def movie_facts(movie):
    """Return what a movie tells without being read: the plain columns of `RecordingInfo`."""
    rate_hz = movie.require_rate_hz()
    return {
        "n_frames": movie.n_frames,
        "n_planes": movie.shape[1] if movie.is_volume else 1,
        "n_rows": movie.shape[-2],
        "n_cols": movie.shape[-1],
        "dtype": str(movie.dtype),
        "rate_hz": rate_hz,
        "duration_s": movie.n_frames / rate_hz,
        "pixel_size_um": movie.pixel_size_um,
        "metadata": dict(movie.metadata),
    }


def movie_arguments(key):
    """Return what `open_movie` needs for the recording with a key.

    Raises
    ------
    ProjectError
        If a file is missing or has changed since it was ingested.
    """
    recording = (Recording & key).fetch1()
    files = (Recording.File & key).to_dicts(order_by="file_index")
    return reading_arguments(RESOURCES.get().settings, recording, files)


def reading_arguments(settings, recording, files):
    """Return what `open_movie` needs, from the rows of a recording and of its files.

    Raises
    ------
    ProjectError
        If a file is missing or has changed since it was ingested.
    """
    paths = {"movie": [], "part": [], "metadata": []}
    for row in files:
        path = str(unchanged(row, settings))
        paths[row["kind"]].append(f"{path}{ITEM_SEPARATOR}{row['item']}" if row["item"] else path)
    return {
        "path": paths["movie"],
        "axes": recording["axes"],
        "channel": recording["channel"],
        "rate_hz": recording["rate_hz"],
        "metadata": paths["metadata"][0] if paths["metadata"] else None,
        "metadata_format": recording["metadata_format"] or None,
    }
