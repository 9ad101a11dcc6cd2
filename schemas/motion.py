"""Motion correction: parameter sets, what is to be done, and the corrected movies."""

from dataclasses import asdict

import datajoint as dj

from pipeline.motion import MotionParams as Params
from pipeline.motion import correct_motion
from pipeline.params import params_from_dict
from pipeline.readers import open_movie
from pipeline.versions import software_versions
from schemas.params import DEFAULT, find_params
from schemas.resources import RESOURCES
from schemas.session import Recording, movie_arguments  # noqa: F401 the tables name Recording
from schemas.store import adopted, new_folder

schema = dj.Schema()


@schema
class MotionParams(dj.Lookup):
    """A named parameter set of motion correction; it never changes."""

    definition = """
    motion_hash : char(32)           # of the values
    ---
    name : varchar(64)
    params : json                    # the fields of pipeline.motion.MotionParams
    unique index (name)
    """


@schema
class MotionTask(dj.Manual):
    """That a recording is to be corrected with a parameter set."""

    definition = """
    -> Recording
    -> MotionParams
    ---
    submitted=CURRENT_TIMESTAMP : datetime
    """


@schema
class MotionCorrection(dj.Computed):
    """A corrected movie, the shifts that were undone, and how good it is."""

    definition = """
    -> MotionTask
    ---
    movie : <object@main>            # Zarr, float32 (n_frames[, n_planes], n_rows, n_cols)
    shifts_px : <blob>               # (n_frames, 2), how far each frame lay from the template
    patch_shifts_px=null : <blob>    # (n_frames, n_patch_rows, n_patch_cols, 2); null: rigid
    template : <blob>                # ([n_planes,] n_rows, n_cols)
    versions : json                  # software that computed it
    """


def submit_motion(recordings, params=DEFAULT):
    """Ask for the motion correction of recordings.

    Parameters
    ----------
    recordings : query
        A restriction of `Recording`.
    params : str
        Name of a parameter set.

    Returns
    -------
    int
        How many tasks are new; a task that exists stays as it is.
    """
    key = find_params(MotionParams, params)
    tasks = [{**recording, **key} for recording in recordings.keys()]
    before = len(MotionTask())
    MotionTask.insert(tasks, skip_duplicates=True)
    return len(MotionTask()) - before
