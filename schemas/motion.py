"""Motion correction: parameter sets, what is to be done, and the corrected movies."""

import datajoint as dj

from pipeline.motion import MotionParams as Params
from pipeline.motion import correct_motion
from pipeline.motion.preview import preview_motion
from pipeline.params import params_from_dict
from pipeline.readers import open_movie
from pipeline.versions import software_versions
from schemas.insertion import insert_new
from schemas.params import DEFAULT, find_params
from schemas.resources import RESOURCES
from schemas.session import Recording, movie_arguments  # noqa: F401 the tables name Recording
from schemas.store import adopted, check_writable, new_folder, stored_path

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
    movie : <object@main>              # Zarr, float32 (n_frames[, n_planes], n_rows, n_cols)
    rate_hz=null : float64             # frames (volumes) per second
    shifts_px : <blob>                 # from the template, (n_frames, [n_planes,] 2 or 3)
    patch_shifts_px=null : <blob@main> # (n_frames, [n_planes,] n_patch_rows, n_patch_cols, 2 or 3)
    template : <blob@main>             # ([n_planes,] n_rows, n_cols)
    correlation_before : <blob>        # with the template, (n_frames,), NaN where flat
    correlation_after : <blob>
    mean_correlation_before : float32
    mean_correlation_after : float32
    crispness_before : float32         # norm of the gradient of the mean image
    crispness_after : float32
    largest_shift_px : float32
    border_px : int32                  # width of the edge in which a frame may have no content
    cropped_px=0 : int32               # width of the edge that was cut off on each side
    border_planes=0 : int32            # planes at each end in which a volume may have no content
    cropped_planes=0 : int32           # planes that were cut off at each end
    residual_px=null : float32         # rms of the shift left in corrected frames
    residual_patch_px=null : float32   # the same of the shifts of patches
    n_unusable=0 : int32               # frames of no use
    unusable=null : json               # why a frame is of no use -> numbers of such frames
    verdict : enum('improved', 'unchanged', 'worse')
    versions : json                    # software that computed it
    """

    def make_fetch(self, key):
        return movie_arguments(key), (MotionParams & key).fetch1("params")

    def make_compute(self, key, arguments, values):
        params = params_from_dict(Params, values)
        resources = RESOURCES.get()
        channel = params.registration_channel
        seen = None if channel is None else open_movie(**{**arguments, "channel": channel})
        with new_folder(resources.settings, ".zarr") as folder:
            result = correct_motion(
                open_movie(**arguments),
                params,
                out=folder,
                registration_movie=seen,
                **resources.as_arguments(),
            )
        return result, folder

    def make_insert(self, key, result, folder):
        with adopted(self, key, "movie", folder) as stored:
            self.insert1({**key, **correction_row(result), "movie": stored})


@schema
class MotionPreview(dj.Computed):
    """What a person looks at to judge a corrected movie."""

    definition = """
    -> MotionCorrection
    ---
    mean_image : <blob@main>           # after; ([n_planes,] n_rows, n_cols), as the two that follow
    max_image : <blob@main>
    std_image : <blob@main>
    video : <blob@main>                # animated WebP, some frames before beside after
    crop=null : json                   # part with content: [first, stop) of [planes,] rows, columns
    """

    def make_fetch(self, key):
        movie, rate_hz = (MotionCorrection & key).fetch1("movie", "rate_hz")
        path = str(stored_path(RESOURCES.get().settings, movie))
        return movie_arguments(key), {"path": path, "rate_hz": rate_hz}

    def make_compute(self, key, recorded, corrected):
        resources = RESOURCES.get()
        check_writable(resources.settings)
        movies = open_movie(**recorded), open_movie(**corrected)
        return (preview_motion(*movies, **resources.as_arguments()),)

    def make_insert(self, key, preview):
        images, crop = preview.projections, preview.crop
        row = {"mean_image": images.mean, "max_image": images.maximum, "std_image": images.std}
        limits = crop and [[part.start, part.stop] for part in crop.slices]
        self.insert1({**key, **row, "video": preview.video, "crop": limits})


def correction_row(result):
    """Return the columns of `MotionCorrection`, all but the movie."""
    quality = result.quality
    return {
        "rate_hz": result.movie.rate_hz,
        "shifts_px": result.shifts_px,
        "patch_shifts_px": result.patch_shifts_px,
        "template": result.template,
        "correlation_before": quality.correlation_before,
        "correlation_after": quality.correlation_after,
        "mean_correlation_before": quality.mean_correlation_before,
        "mean_correlation_after": quality.mean_correlation_after,
        "crispness_before": quality.crispness_before,
        "crispness_after": quality.crispness_after,
        "largest_shift_px": quality.largest_shift_px,
        "border_px": quality.border_px,
        "cropped_px": quality.cropped_px,
        "border_planes": quality.border_planes,
        "cropped_planes": quality.cropped_planes,
        "residual_px": quality.residual_px,
        "residual_patch_px": quality.residual_patch_px,
        "n_unusable": quality.n_unusable,
        "unusable": quality.unusable,
        "verdict": quality.verdict,
        "versions": software_versions(),
    }


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
    tasks = [{**recording, **key} for recording in recordings.proj().to_dicts()]
    return insert_new(MotionTask(), tasks)
