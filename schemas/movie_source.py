"""Which movie the ROIs of a recording are sought in: as recorded, or motion-corrected."""

import sys
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.methods import find_method, why_not
from pipeline.motion import missing_planes
from pipeline.movie import Movie
from pipeline.params import params_from_dict
from pipeline.readers import open_movie
from schemas.motion import MotionCorrection, MotionParams, MotionTask
from schemas.params import find_params
from schemas.resources import RESOURCES
from schemas.seed_frame import check_frame
from schemas.session import RecordingInfo, movie_arguments
from schemas.settings import ProjectError
from schemas.store import stored_path


class Edge(NamedTuple):
    """What motion correction did to the edge of a movie, on each side."""

    border_px: int
    """Width in which a frame may have no content of its own."""

    cropped_px: int
    """Width that was cut off."""

    border_planes: int = 0
    """Planes at each end that are missing in more than a few volumes."""

    cropped_planes: int = 0
    """Planes that were cut off at each end."""

    def cropped(self, n_axes):
        """Return what was cut off along each axis of a frame."""
        return (self.cropped_planes, self.cropped_px, self.cropped_px)[-n_axes:]

    def kept_clear(self, params):
        """Return settings of an extraction that leave the edge without ROIs."""
        names = [field.name for field in fields(params)]
        widths = {"border_px": self.border_px, "border_planes": self.border_planes}
        wider = {
            name: max(getattr(params, name), width)
            for name, width in widths.items()
            if name in names
        }
        return replace(params, **wider)


def movie_source(recording, motion_hash):
    """Return what `open_source` needs for a recording, as recorded or corrected, and its edge."""
    if motion_hash is None:
        return movie_arguments(recording), Edge(border_px=0, cropped_px=0)
    correction = (MotionCorrection & recording & {"motion_hash": motion_hash}).fetch1()
    path = stored_path(RESOURCES.get().settings, correction["movie"])
    edge = Edge(**{name: correction[name] for name in Edge._fields})
    missing = missing_planes(correction["shifts_px"])
    edge = edge._replace(border_planes=min(edge.border_planes, missing))
    facts = (RecordingInfo & recording).proj("pixel_size_um").to_dicts()
    size_um = facts[0]["pixel_size_um"] if facts else None
    return {"path": path, "rate_hz": correction["rate_hz"], "pixel_size_um": size_um}, edge


def open_source(arguments):
    """Open what `movie_source` returns; corrected movies of old do not know their pixel size."""
    told = dict(arguments)
    size_um = told.pop("pixel_size_um", None)
    movie = open_movie(**told)
    return replace(movie, pixel_size_um=movie.pixel_size_um or (size_um and tuple(size_um)))


def check_recording(recording, method, params, frame=None):
    """Refuse what cannot be computed, as far as the recording is known.

    Parameters
    ----------
    recording : dict
        Its key; one that was not read yet is not refused.
    method : str
        A name in `pipeline.extraction.methods`.
    params : dict
        Values of its settings.
    frame : SeedFrame or None
        Of the masks that it is to begin with.

    Raises
    ------
    ProjectError
        If the recording is a volume and the method works on a plane, or the other way round, the
        movie does not fit the settings, or the masks do not fit the movie.
    """
    names = ("n_frames", "n_planes", "n_rows", "n_cols", "rate_hz", "pixel_size_um")
    for facts in (RecordingInfo & recording).proj(*names).to_dicts():
        reason = why_not(method, n_planes=facts["n_planes"])
        if reason:
            raise ProjectError(f"{_name(recording)} {reason}")
        movie = movie_of(facts, _name(recording))
        found = find_method(method)
        if found.check is not None:
            settings = for_movie(params_from_dict(found.params, params), movie)
            found.check(movie, settings, memory_bytes=sys.maxsize)  # a worker has its own
        if frame is not None:
            check_frame(frame, movie.frame_shape)


def movie_of(facts, name):
    """Return a movie that has the shape of a recording, and no content.

    Parameters
    ----------
    facts : dict
        Lengths, rate and size of a pixel, as in `RecordingInfo`.
    name : str
        How messages call it.
    """
    planes = [facts["n_planes"]] if facts["n_planes"] > 1 else []
    shape = (facts["n_frames"], *planes, facts["n_rows"], facts["n_cols"])
    size_um = facts["pixel_size_um"]
    return Movie(
        source=np.broadcast_to(np.float32(0), shape),
        rate_hz=facts["rate_hz"],
        pixel_size_um=size_um and tuple(size_um),
        name=name,
    )


def motion_hash_of(recording, motion):
    """Return the motion parameters whose corrected movie of a recording is meant, or None."""
    submitted = MotionTask & recording
    if motion is not None:
        submitted &= find_params(MotionParams, motion)
    hashes = [str(motion_hash) for motion_hash in submitted.to_arrays("motion_hash")]
    if motion is not None and not hashes:
        name = _name(recording)
        raise ProjectError(f"no motion correction {motion!r} was submitted for {name}.")
    if len(hashes) > 1:
        name = _name(recording)
        raise ProjectError(f"{name} has {len(hashes)} motion corrections; name one with --motion.")
    return hashes[0] if hashes else None


def _name(recording):
    """Return how messages call a recording."""
    return f"trial {recording['trial']!r} of animal {recording['animal_id']!r}"
