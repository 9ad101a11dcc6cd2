"""ROIs: where they come from, their footprints, and their traces."""

import hashlib
from pathlib import Path

import datajoint as dj

from pipeline.extraction.archive import read_traces, save_sources
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.methods import find_method
from pipeline.params import params_from_dict, params_to_dict
from pipeline.versions import software_versions
from schemas.engines import find_sources
from schemas.given import GivenTraces, RoiSet
from schemas.given_tags import enter_tags
from schemas.insertion import insert_new
from schemas.motion import MotionCorrection, MotionTask  # noqa: F401 the tables name both
from schemas.movie_source import check_recording, motion_hash_of, movie_source, open_source
from schemas.packed_set import fetch_set
from schemas.params import DEFAULT, find_params
from schemas.resources import RESOURCES
from schemas.roi_rows import FOOTPRINTS_AT_ONCE, roi_rows, rows_at_once
from schemas.seed_frame import frame_of
from schemas.seeds import check_seeds, keep_masks, seeding_task, seeds_of
from schemas.session import Recording  # noqa: F401 the tables name it
from schemas.store import adopted, new_folder, stored_path

schema = dj.Schema()


@schema
class SegmentationParams(dj.Lookup):
    """A named parameter set of a way to find ROIs; it never changes."""

    definition = """
    segmentation_hash : char(32)     # of the method and the values
    ---
    name : varchar(64)
    method="cnmf" : varchar(32)      # how the ROIs are found: a name in pipeline.extraction.methods
    params : json                    # the fields of the settings of this method
    unique index (name)
    """


@schema
class SeedMasks(dj.Manual):
    """Footprints from a file, with which segmentations begin; they never change."""

    definition = """
    seeds_id : char(32)              # of the content
    ---
    name : varchar(255)              # of the file
    n_rois : int32
    n_pixels : int32                 # of a recorded frame
    n_planes=null : int32            # of it; null: a plane, or as the rows
    n_rows=null : int32              # null: the file tells the number of pixels alone
    n_cols=null : int32
    indptr : <blob>                  # (n_rois + 1,), where each footprint begins
    pixels : <blob>                  # of all footprints: index in a recorded frame in C order
    weights : <blob>                 # of these pixels, not negative
    kept=CURRENT_TIMESTAMP : datetime
    """


@schema
class SegmentationTask(dj.Manual):
    """That ROIs are to be found in a recording, as recorded or motion-corrected."""

    definition = """
    -> Recording
    segmentation_id : char(32)       # of the movie that is used, the parameters and the seeds
    ---
    -> [nullable] MotionTask         # null: the movie as it was recorded
    -> SegmentationParams
    seeded_by=null : char(32)        # segmentation_id of this recording that gives its ROIs
    seeds_id=null : char(32)         # of SeedMasks; null, both: cells are sought
    rois_id=null : char(32)          # of RoiSet: these ROIs are measured, and none are sought
    submitted=CURRENT_TIMESTAMP : datetime
    """


@schema
class Segmentation(dj.Computed):
    """The ROIs that were found in a recording."""

    definition = """
    -> SegmentationTask
    ---
    -> [nullable] MotionCorrection   # the corrected movie that was used; null: as recorded
    n_rois : int32                   # with the rejected ones
    n_accepted : int32
    sources : <object@main>          # Zarr: traces (n_rois, n_frames) and background
    n_frames : int32                 # of the traces
    rate_hz : float64                # of the traces, in frames per second
    dff_window_frames : int32        # running window of the dF/F baseline that was used
    border_px : int32                # edge without ROIs: of the parameters or the motion
    border_planes=0 : int32          # planes at each end without ROIs, likewise
    versions : json                  # software that computed it
    settings_used=null : json        # the parameters, with what followed from the movie
    """

    class Roi(dj.Part):
        """A component, accepted or not; everything about it joins on this key."""

        definition = """
        -> master
        roi_id : int32                 # row of the traces, from 0
        ---
        pixels : <blob>                # of the footprint: index in a recorded frame in C order,
                                       # planes first in a volume
        weights : <blob>               # of these pixels, not negative
        centroid_row_px : float32
        centroid_col_px : float32
        contour_px : <blob>            # (n_points, 2), rows first, closed; of a volume, in the
                                       # plane nearest to the centroid
        accepted : bool                # by the thresholds of the parameters
        name="" : varchar(255)         # that somebody gave it
        reason="" : varchar(255)       # why it was rejected
        area_px : int32
        snr=null : float32             # highest transient over noise
        solidity=null : float32        # area over that of the convex hull
        rval=null : float32            # correlation in space of footprint and active frames
        noise=null : float32           # standard deviation, in units of the movie
        baseline=null : float32        # of the denoised trace, in units of the movie
        decay_time_s=null : float32    # of the transients, fitted
        rise_time_s=null : float32     # of the transients, fitted
        dff_percentile=null : float32  # of the dF/F baseline that was used
        raw_min=null : json            # grey level at the lowest of the trace, by brightest pixels
        raw_max=null : json            # at the highest: top_5, top_10, top_5p, top_10p, ...
        centroid_plane_px=null : float32  # null: a movie of one plane
        """

    @property
    def key_source(self):
        """Tasks whose movie is there, and whose seeds are found."""
        with_movie = SegmentationTask & ["motion_hash IS NULL", MotionCorrection.proj()]
        seeding = Segmentation.proj(seeded_by="segmentation_id")
        # a column without a foreign key is of no lineage
        return with_movie.restrict(["seeded_by IS NULL", seeding], semantic_check=False)

    def make_fetch(self, key):
        task = (SegmentationTask * SegmentationParams & key).fetch1()
        settings = task["method"], task["params"]
        if task["rois_id"]:
            seeds = fetch_set(RoiSet(), GivenTraces(), task["rois_id"])
        else:
            seeds = seeds_of(task, self.Roi, SeedMasks)
        return *movie_source(key, task["motion_hash"]), task["motion_hash"], settings, seeds

    def make_compute(self, key, arguments, edge, motion_hash, settings, seeds=None):
        method = find_method(settings[0])
        params = params_from_dict(method.params, settings[1])
        resources = RESOURCES.get()
        movie = open_source(arguments)
        params = for_movie(edge.kept_clear(params), movie)
        cropped = {"cropped_px": edge.cropped_px, "cropped_planes": edge.cropped_planes}
        sources = find_sources(method, movie, params, seeds, **cropped)
        with new_folder(resources.settings, ".zarr") as folder:
            save_sources(sources, folder)
        versions = software_versions() | dict(sources.versions)
        border = {name: getattr(params, name, 0) for name in ("border_px", "border_planes")}
        row = {"motion_hash": motion_hash, "versions": versions, **border}
        row["settings_used"] = params_to_dict(params)
        return sources, edge, folder, {**row, "rate_hz": movie.require_rate_hz()}

    def make_insert(self, key, sources, edge, folder, row):
        row |= {
            "n_rois": len(sources.accepted),
            "n_accepted": int(sources.accepted.sum()),
            "n_frames": sources.denoised.shape[1],
            "dff_window_frames": sources.dff_window_frames,
        }
        with adopted(self, key, "sources", folder) as stored:
            self.insert1({**key, **row, "sources": stored})
            rows = ({**key, **roi} for roi in roi_rows(sources, edge))
            self.Roi.insert(rows, chunk_size=FOOTPRINTS_AT_ONCE)
            rois_id = (SegmentationTask & key).fetch1("rois_id")
            if rois_id:
                enter_tags(key, rois_id)


@schema
class Trace(dj.Computed):
    """The traces of a segmentation, one row a ROI."""

    definition = """
    -> Segmentation
    ---
    n_frames : int32
    """

    class Roi(dj.Part):
        """The traces of a ROI, each (n_frames,) float32."""

        definition = """
        -> master
        -> Segmentation.Roi
        ---
        raw : <blob>                   # in units of the movie; raw - denoised is the residual
        denoised : <blob>              # in units of the movie
        dff : <blob>                   # change over the running baseline, relative
        spikes : <blob>                # deconvolved activity, in units of the movie
        background=null : <blob>       # background under the ROI, in units of the movie
        neuropil=null : <blob>         # mean of the movie in the ring around the ROI
        """

    def make(self, key):
        segmentation = (Segmentation & key).fetch1()
        folder = stored_path(RESOURCES.get().settings, segmentation["sources"])
        self.insert1({**key, "n_frames": segmentation["n_frames"]})
        rows = ({**key, "roi_id": i, **roi} for i, roi in enumerate(read_traces(folder)))
        self.Roi.insert(rows, chunk_size=rows_at_once(segmentation["n_frames"]))


def submit_segmentation(recordings, params=DEFAULT, motion=None, *, as_recorded=False, seeds=None):
    """Ask for the ROIs of recordings.

    Parameters
    ----------
    recordings : query
        A restriction of `Recording`.
    params : str
        Name of a parameter set.
    motion : str or None
        Name of the motion parameters whose corrected movie is used; None: those that were
        submitted for the recording, and where there are none, the movie as it was recorded.
    as_recorded : bool
        Use the movie as it was recorded, whatever corrections there are.
    seeds : Path, str or None
        What to begin with instead of seeking cells: a file of masks (a path; see
        `pipeline.rois.read_masks`), or the accepted ROIs of an earlier segmentation of the same
        movie (the name of its parameter set), which may still be to be computed.

    Returns
    -------
    int
        How many tasks are new; a task that exists stays as it is.

    Raises
    ------
    ProjectError
        If no motion correction of that name was submitted for a recording, or it has several
        and none is named; if its planes are not what the method works on; or if there are no such
        seeds, they are of other frames, or the method takes none.
    ValueError
        If the movie does not fit the parameters, as a frame that is smaller than a cell.
    """
    key = find_params(SegmentationParams, params)
    seed = {"seeded_by": None, "seeds_id": None}
    method, values = (SegmentationParams & key).fetch1("method", "params")
    check_seeds(method, given=seeds is not None)
    frame = None
    if isinstance(seeds, Path):
        of_volumes = bool(find_method(method).of_volumes)
        seed["seeds_id"] = keep_masks(SeedMasks(), seeds, of_volumes=of_volumes)
        frame = frame_of((SeedMasks & {"seeds_id": seed["seeds_id"]}).fetch1())
    tasks = []
    for recording in recordings.proj().to_dicts():
        check_recording(recording, method, values, frame)
        motion_hash = None if as_recorded else motion_hash_of(recording, motion)
        if isinstance(seeds, str):
            of_movie = SegmentationTask & {"motion_hash": motion_hash}
            earlier = seeding_task(of_movie, SegmentationParams, recording, seeds)
            seed["seeded_by"] = earlier["segmentation_id"]
        task = {**recording, **key, "motion_hash": motion_hash, **seed}
        tasks.append({**task, "segmentation_id": segmentation_id(task)})
    return insert_new(SegmentationTask(), tasks)


def segmentation_id(task):
    """Return what names a task among those of its recording: its movie, parameters and seeds."""
    words = [task["segmentation_hash"], task["motion_hash"]]
    words += [task[name] for name in ("seeded_by", "seeds_id", "rois_id") if task.get(name)]
    return hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()[:32]
