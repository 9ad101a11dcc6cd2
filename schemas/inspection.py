"""What a person looks at to choose the thresholds of a one-photon extraction."""

from dataclasses import replace

import datajoint as dj

from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.onephoton.inspection import inspect_seeds
from pipeline.params import params_from_dict
from pipeline.readers import open_movie
from pipeline.versions import software_versions
from schemas.motion import MotionCorrection
from schemas.resources import RESOURCES
from schemas.roi import SegmentationParams, SegmentationTask, movie_source
from schemas.store import check_writable

METHOD = "cnmfe"

schema = dj.Schema()


@schema
class SeedInspection(dj.Computed):
    """How much each place of a one-photon movie looks like the centre of a cell."""

    definition = """
    -> SegmentationTask
    ---
    correlation_image : <blob@main>  # (n_rows, n_cols) in bins, of the filtered movie, 0 to 1
    pnr_image : <blob@main>          # the same shape; peak over noise of the filtered movie
    bin_rows_px : int32              # pixels of the movie in a bin of the images
    bin_cols_px : int32
    bin_frames : int32               # frames that were averaged
    cropped_px : int32               # width of the edge that motion correction cut off
    versions : json                  # software that computed it
    """

    @property
    def key_source(self):
        """One-photon tasks whose movie is there: the recorded one, or a corrected one."""
        tasks = SegmentationTask & (SegmentationParams & {"method": METHOD})
        return tasks & ["motion_hash IS NULL", MotionCorrection.proj()]

    def make_fetch(self, key):
        task = (SegmentationTask * SegmentationParams & key).fetch1()
        return *movie_source(key, task["motion_hash"]), task["params"]

    def make_compute(self, key, arguments, edge, values):
        params = params_from_dict(CnmfeParams, values)
        params = replace(params, border_px=max(params.border_px, edge.border_px))
        resources = RESOURCES.get()
        check_writable(resources.settings)
        return inspect_seeds(open_movie(**arguments), params, **resources.as_arguments()), edge

    def make_insert(self, key, found, edge):
        self.insert1(
            {
                **key,
                "correlation_image": found.images.corr,
                "pnr_image": found.images.pnr,
                "bin_rows_px": found.bin_px[0],
                "bin_cols_px": found.bin_px[1],
                "bin_frames": found.bin_frames,
                "cropped_px": edge.cropped_px,
                "versions": software_versions(),
            }
        )
