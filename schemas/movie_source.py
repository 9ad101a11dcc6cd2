"""Which movie the ROIs of a recording are sought in: as recorded, or motion-corrected."""

from dataclasses import fields, replace
from typing import NamedTuple

from pipeline.extraction.methods import why_not
from pipeline.motion import missing_planes
from pipeline.readers import open_movie
from schemas.motion import MotionCorrection, MotionParams, MotionTask
from schemas.params import find_params
from schemas.resources import RESOURCES
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


def check_planes(recording, method):
    """Refuse a method that does not work on the planes of a recording, as far as they are known.

    Raises
    ------
    ProjectError
        If the recording is a volume and the method works on a plane, or the other way round.
    """
    for n_planes in (RecordingInfo & recording).to_arrays("n_planes"):
        reason = why_not(method, n_planes=int(n_planes))
        if reason:
            raise ProjectError(f"{_name(recording)} {reason}")


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
