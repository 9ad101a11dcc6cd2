"""What a person looks at to choose the thresholds of a one-photon extraction."""

from dataclasses import replace

import datajoint as dj

from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.onephoton.inspection import inspect_seeds
from pipeline.params import params_from_dict
from pipeline.versions import software_versions
from schemas.motion import MotionCorrection
from schemas.movie_source import movie_source, open_source
from schemas.resources import RESOURCES
from schemas.roi import SegmentationParams, SegmentationTask
from schemas.store import check_writable

METHOD = "cnmfe"

schema = dj.Schema()


@schema
class SeedInspection(dj.Computed):
    """How much each place of a one-photon movie looks like the centre of a cell."""

    definition = """
    -> SegmentationTask
    ---
    correlation_image=null : <blob@main>  # (n_rows, n_cols) in bins, of the filtered movie, 0 to 1
    pnr_image=null : <blob@main>  # the same shape; null: another method, nothing to inspect
    bin_rows_px=1 : int32            # pixels of the movie in a bin of the images
    bin_cols_px=1 : int32
    bin_frames=1 : int32             # frames that were averaged
    cropped_px=0 : int32             # width of the edge that motion correction cut off
    gsig_px=null : json              # half-size of a cell along rows and columns that was used
    versions : json                  # software that computed it
    """

    @property
    def key_source(self):
        """Tasks whose movie is there: the recorded one, or a corrected one that is done."""
        return SegmentationTask & ["motion_hash IS NULL", MotionCorrection.proj()]

    def make_fetch(self, key):
        task = (SegmentationTask * SegmentationParams & key).fetch1()
        if task["method"] != METHOD:
            return None, None, None
        return *movie_source(key, task["motion_hash"]), task["params"]

    def make_compute(self, key, arguments, edge, values):
        if arguments is None:  # every task has a row, so that none of them waits for ever
            return ({},)
        params = params_from_dict(CnmfeParams, values)
        params = replace(params, border_px=max(params.border_px, edge.border_px))
        movie = open_source(arguments)
        params = for_movie(params, movie)
        resources = RESOURCES.get()
        check_writable(resources.settings)
        found = inspect_seeds(movie, params, **resources.as_arguments())
        more = {"cropped_px": edge.cropped_px, "gsig_px": list(params.half_sizes_px)}
        return (inspection_row(found) | more,)

    def make_insert(self, key, row):
        self.insert1({**key, **row, "versions": software_versions()})


def inspection_row(found):
    """Return the columns of `SeedInspection` that an inspection gives."""
    return {
        "correlation_image": found.images.corr,
        "pnr_image": found.images.pnr,
        "bin_rows_px": found.bin_px[0],
        "bin_cols_px": found.bin_px[1],
        "bin_frames": found.bin_frames,
    }
