"""Which movie the ROIs of a recording are sought in: as recorded, or motion-corrected."""

from typing import NamedTuple

from schemas.motion import MotionCorrection, MotionParams, MotionTask
from schemas.params import find_params
from schemas.resources import RESOURCES
from schemas.session import movie_arguments
from schemas.settings import ProjectError
from schemas.store import stored_path


class Edge(NamedTuple):
    """What motion correction did to the edge of a movie, on each side."""

    border_px: int
    """Width in which a frame may have no content of its own."""

    cropped_px: int
    """Width that was cut off."""


def movie_source(recording, motion_hash):
    """Return what `open_movie` needs for a recording, as recorded or corrected, and its edge."""
    if motion_hash is None:
        return movie_arguments(recording), Edge(border_px=0, cropped_px=0)
    correction = (MotionCorrection & recording & {"motion_hash": motion_hash}).fetch1()
    path = stored_path(RESOURCES.get().settings, correction["movie"])
    edge = Edge(border_px=correction["border_px"], cropped_px=correction["cropped_px"])
    return {"path": path, "rate_hz": correction["rate_hz"]}, edge


def motion_hash_of(recording, motion):
    """Return the motion parameters whose corrected movie of a recording is meant, or None."""
    submitted = MotionTask & recording
    if motion is not None:
        submitted &= find_params(MotionParams, motion)
    hashes = [str(motion_hash) for motion_hash in submitted.to_arrays("motion_hash")]
    name = f"trial {recording['trial']!r} of animal {recording['animal_id']!r}"
    if motion is not None and not hashes:
        raise ProjectError(f"no motion correction {motion!r} was submitted for {name}.")
    if len(hashes) > 1:
        raise ProjectError(f"{name} has {len(hashes)} motion corrections; name one with --motion.")
    return hashes[0] if hashes else None
