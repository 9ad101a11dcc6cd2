"""Taking a movie into the project: checked whole first, then inserted in one transaction."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.readers import open_movie
from pipeline.readers.file_order import movie_files
from pipeline.readers.metadata import find_metadata
from pipeline.readers.registry import split_item
from schemas.animal import Animal
from schemas.files import describe
from schemas.insertion import insert_new
from schemas.resources import RESOURCES
from schemas.session import Recording, Session
from schemas.settings import ProjectError

SESSION_PATTERN = re.compile(r"(\d{4}-\d{2}-\d{2})[a-z]?")
NAME_PATTERN = re.compile(r"[^/\\\x00-\x1f]{1,64}")
SEPARATOR = "-_-"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A recording to be ingested: whose it is and how its movie is read."""

    animal: str
    """The animal's name in the lab."""

    session: str
    """The day, ``YYYY-MM-DD``, with a letter where a day has several."""

    trial: str
    """Name of the trial, unique in its session."""

    axes: str | None = None
    """Order of the axes by letters, as ``TZYX``; None: the file tells."""

    channel: int | None = None
    """Channel of the movie, from 0, where a file has several."""

    rate_hz: float | None = None
    """Frames (volumes) per second; None: the file or its metadata tells."""

    metadata: Path | None = None
    """Metadata file."""

    metadata_format: str | None = None
    """Format of the metadata file; None: found from its name and content."""

    def __post_init__(self) -> None:
        check_name("animal", self.animal)
        check_name("trial", self.trial)
        self.date  # noqa: B018 a bad date is refused here

    @property
    def date(self) -> date:
        """The day of the session.

        Raises
        ------
        ProjectError
            If the session does not begin with a date.
        """
        match = SESSION_PATTERN.fullmatch(self.session)
        try:
            return date.fromisoformat(match[1] if match else "")
        except ValueError:
            raise ProjectError(
                "the session must be a date as 2026-11-22, with a letter where a day has several "
                f"(2026-11-22b); got {self.session!r}."
            ) from None

    @property
    def key(self) -> dict[str, str]:
        """Primary key of the recording."""
        return {"animal_id": self.animal, "session": self.session, "trial": self.trial}


def check_name(what: str, value: str) -> None:
    """Refuse what cannot be part of a SampleID.

    Parameters
    ----------
    what : str
        What the name is of.
    value : str
        The name.

    Raises
    ------
    ProjectError
        If it is empty, too long, or has letters that it must not have.
    """
    if not NAME_PATTERN.fullmatch(value) or SEPARATOR in value or value != value.strip():
        raise ProjectError(
            f"the {what} must have 1 to 64 characters, no slash, no {SEPARATOR!r} and no "
            f"space at its ends; got {value!r}."
        )


def ingest(trial: Trial, paths: Sequence[Path]) -> dict[str, Any]:
    """Take a movie into the project.

    Everything is checked before anything is written: the files are opened, their axes and rate
    found, and their content is hashed.

    Parameters
    ----------
    trial : Trial
        Whose movie it is and how it is read.
    paths : sequence of Path
        Its files, in the order of time, or the folder of its files.

    Returns
    -------
    dict
        Primary key of the new recording.

    Raises
    ------
    ProjectError
        If a file is outside the data roots, or the trial exists already.
    ValueError, OSError
        If the files are not a movie that can be read; see `pipeline.readers.open_movie`.
    """
    if Recording & trial.key:
        raise ProjectError(
            f"trial {trial.trial!r} of animal {trial.animal!r}, session {trial.session}, exists "
            "already; give this movie another trial name."
        )
    _check_inside(paths)
    paths = movie_files(paths)
    metadata = _metadata_file(trial, paths[0])
    _check_inside([*paths, *filter(None, [metadata])])
    movie = open_movie(
        list(paths),
        axes=trial.axes,
        channel=trial.channel,
        rate_hz=trial.rate_hz,
        metadata=metadata,
        metadata_format=trial.metadata_format,
    )
    movie.require_rate_hz()
    _insert(trial, list(_file_rows(trial, paths, movie.files, metadata)))
    return dict(trial.key)


def _check_inside(paths: Sequence[Path]) -> None:
    """Refuse what is outside the data roots, or a link that leads there, before it is opened."""
    for path in paths:
        RESOURCES.get().settings.locate(split_item(path)[0])


def _metadata_file(trial: Trial, movie: Path) -> Path | None:
    """Return the metadata file: the given one, or that beside a movie of a given format."""
    if trial.metadata is None and trial.metadata_format is not None:
        return find_metadata(split_item(movie)[0], trial.metadata_format)
    return trial.metadata


def _file_rows(
    trial: Trial, paths: Sequence[Path], files: Sequence[Path], metadata: Path | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `Recording.File`: what was given, what that refers to, the metadata."""
    kinds = [("movie", *split_item(path)) for path in paths]
    given = {path.resolve() for _, path, _ in kinds}
    kinds += [("part", path, None) for path in files if path not in given]
    kinds += [] if metadata is None else [("metadata", metadata, None)]
    resources = RESOURCES.get()
    for index, (kind, path, item) in enumerate(kinds):
        described = describe(path, resources.settings, resources.progress)
        yield {**trial.key, "file_index": index, "kind": kind, "item": item or "", **described}


def _insert(trial: Trial, files: list[dict[str, Any]]) -> None:
    """Insert the animal, the session, the recording and its files, or nothing."""
    with Recording.connection.transaction:
        insert_new(Animal(), [{"animal_id": trial.animal}])
        session = {"animal_id": trial.animal, "session": trial.session, "session_date": trial.date}
        insert_new(Session(), [session])
        Recording.insert1(
            {
                **trial.key,
                "axes": trial.axes,
                "channel": trial.channel,
                "rate_hz": trial.rate_hz,
                "metadata_format": trial.metadata_format or "",
            }
        )
        Recording.File.insert(files)
