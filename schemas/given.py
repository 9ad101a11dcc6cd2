"""ROIs that somebody drew or another program found, of which segmentations are computed."""

import datajoint as dj

from schemas.project import RoiTagType  # noqa: F401 the tables name it

schema = dj.Schema()


@schema
class RoiSet(dj.Manual):
    """ROIs as they were drawn or imported; a set never changes, a changed one is another."""

    definition = """
    rois_id : char(32)               # of the content
    ---
    source : varchar(255)            # drawn, or the program that found them
    file="" : varchar(255)           # that they came from
    n_rois : int32
    frame_shape : json               # [planes,] rows and columns of a recorded frame
    account : varchar(255)           # who entered them
    entered=CURRENT_TIMESTAMP(3) : datetime(3)
    """

    class Roi(dj.Part):
        """One of them."""

        definition = """
        -> master
        roi_id : int32                 # that it also has in its segmentations, from 0
        ---
        name="" : varchar(255)
        shape=null : json              # what was drawn; null: nothing
        pixels : <blob>                # index in a recorded frame in C order, planes first
        weights : <blob>               # of these pixels; of a shape, the part that is inside
        accepted=1 : bool              # as the program had it
        reason="" : varchar(255)       # why it was rejected
        numbers=null : json            # what the program tells of it, by name
        """


@schema
class GivenTraces(dj.Manual):
    """The traces that came with a set of ROIs; without them, they are measured in the movie."""

    definition = """
    -> RoiSet
    ---
    n_frames : int32
    traces : <object@main>           # Zarr: raw and perhaps others, each (n_rois, n_frames)
    """


@schema
class GivenTag(dj.Manual):
    """A tag that came with a ROI; segmentations that are made of the set begin with it."""

    definition = """
    -> RoiSet.Roi
    -> RoiTagType
    ---
    tag : varchar(255)
    """
