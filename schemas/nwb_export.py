"""A recording with its results, as NWB tells it."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.exporters.nwb import NwbRecording, write_nwb
from pipeline.exporters.nwb_facts import NwbFacts, facts_from
from pipeline.exporters.nwb_movie import Corrected, MovieFile
from pipeline.movie import Movie
from pipeline.readers import open_movie
from schemas.connection import Database
from schemas.labels import Key
from schemas.roi_exports import roi_file_of
from schemas.session import reading_arguments
from schemas.settings import ProjectError
from schemas.stimuli import stimulus_periods
from schemas.store import stored_path

IMAGES = {
    "mean_image": "mean",
    "max_image": "maximum",
    "std_image": "standard_deviation",
    "correlation_image": "correlation",
}


def export_nwb(
    database: Database,
    recording: Key,
    path: Path,
    *,
    told: dict[str, Any],
    segmentation: Key | None = None,
    copy_movies: bool = False,
) -> None:
    """Write a recording with its stimuli, its motion correction and its ROIs.

    Parameters
    ----------
    database : Database
        The connected tables.
    recording : dict
        Key of the recording, whose movie was read.
    path : Path
        A new file ``.nwb``.
    told : dict
        What people know and the tables lack, by the names of `NwbFacts`.
    segmentation : dict or None
        Key of a row of `Segmentation`; None: no ROIs.
    copy_movies : bool
        Copy the recorded movie and the corrected one into the file; otherwise it leads to the files
        of the former, and has the shifts of the latter.

    Raises
    ------
    ProjectError
        If there is no such recording, or a file of it has changed.
    ValueError
        If NWB needs what neither the tables nor ``told`` have.
    """
    facts = facts_from(_known(database, recording), told)
    _check_day(database, recording, facts)
    row, files, movie = _recorded(database, recording)
    found = NwbRecording(
        animal=recording["animal_id"],
        session=recording["session"],
        trial=recording["trial"],
        movie=movie,
        files=None if copy_movies else _links(movie, files),
        corrected=_corrected(database, recording, segmentation, copied=copy_movies),
        images=_images(database, recording),
        rois=None if segmentation is None else roi_file_of(database, segmentation),
        roi_keys=None if segmentation is None else _roi_keys(database, segmentation),
        stimuli={p.label: p.table for p in stimulus_periods(database, recording)},
        comments=row["comments"],
    )
    write_nwb(found, facts, path)


def _known(database: Database, recording: Key) -> dict[str, Any]:
    """Return what the tables tell of the animal; "unknown" tells nothing."""
    rows = (database.animal.Animal() & {"animal_id": recording["animal_id"]}).to_dicts()
    if not rows:
        raise ProjectError(f"there is no animal {recording['animal_id']!r}.")
    animal = rows[0]
    known = {name: animal[name] for name in ("species", "genotype", "date_of_birth")}
    return {**known, "sex": None if animal["sex"] == "unknown" else animal["sex"]}


def _check_day(database: Database, recording: Key, facts: NwbFacts) -> None:
    """Refuse a time that is on another day than the session."""
    session = {name: recording[name] for name in ("animal_id", "session")}
    day: date = (database.session.Session() & session).fetch1("session_date")
    if facts.session_start_time is not None and facts.began.date() != day:
        raise ProjectError(
            f"session_start_time is on {facts.began.date()}, and the session is of {day}; one of "
            "them is wrong."
        )


def _recorded(database: Database, recording: Key) -> tuple[Key, list[Path], Movie]:
    """Return the row of a recording, the files of its movie, and the movie."""
    rows = (database.session.Recording() & recording).to_dicts()
    info = (
        (database.session.RecordingInfo() & recording).proj("rate_hz", "pixel_size_um").to_dicts()
    )
    if not rows or not info:
        raise ProjectError(
            f"{' / '.join(map(str, recording.values()))} is not there, or its movie is still to be "
            "read by: mesmerize work"
        )
    files = (database.session.Recording.File() & recording).to_dicts(order_by="file_index")
    arguments = reading_arguments(database.settings, rows[0], files)
    return rows[0], [Path(path) for path in arguments["path"]], open_movie(**arguments)


def _links(movie: Movie, paths: list[Path]) -> list[MovieFile]:
    """Return where a movie lies, and with which frame each file begins."""
    if len(paths) == 1:
        return [MovieFile(paths[0], 0)]
    lengths = [open_movie([path], rate_hz=movie.rate_hz).n_frames for path in paths]
    if sum(lengths) != movie.n_frames:
        raise ProjectError(
            "it cannot be told with which frame each file of this movie begins, and a link needs "
            "that; copy the movie with --copy."
        )
    return [
        MovieFile(path, int(first))
        for path, first in zip(paths, np.cumsum([0, *lengths[:-1]]), strict=True)
    ]


def _corrected(
    database: Database, recording: Key, segmentation: Key | None, *, copied: bool
) -> Corrected | None:
    """Return the corrected movie that the ROIs are of, or without ROIs, the only one."""
    query = database.motion.MotionCorrection() * database.motion.MotionParams.proj("name")
    query = query & recording
    if segmentation is not None:
        motion_hash = (database.roi.Segmentation() & segmentation).fetch1("motion_hash")
        if motion_hash is None:
            return None
        query = query & {"motion_hash": motion_hash}
    names = ("name", "movie", "rate_hz", "shifts_px", "cropped_px", "cropped_planes")
    rows = query.proj(*names).to_dicts()
    if len(rows) != 1:
        return None
    row = rows[0]
    about = f"parameter set {row['name']}; {row['cropped_px']} pixels were cut off on each side"
    movie = None
    if copied:
        movie = open_movie(stored_path(database.settings, row["movie"]), rate_hz=row["rate_hz"])
    return Corrected(movie, np.asarray(row["shifts_px"]), about)


def _images(database: Database, recording: Key) -> dict[str, Any]:
    """Return the projections of the recorded movie."""
    row = (database.session.RecordingInfo() & recording).proj(*IMAGES).fetch1()
    return {name: row[column] for column, name in IMAGES.items()}


def _roi_keys(database: Database, segmentation: Key) -> Any:
    """Return the numbers of the ROIs."""
    return (database.roi.Segmentation.Roi() & segmentation).to_arrays("roi_id", order_by="roi_id")
