"""Samples: a recording with the segmentation that somebody chose for it."""

import datajoint as dj

from schemas.project import CustomColumn  # noqa: F401 the tables name it
from schemas.roi import Segmentation  # noqa: F401 the tables name it
from schemas.session import Recording  # noqa: F401 the tables name it

schema = dj.Schema()


@schema
class Sample(dj.Manual):
    """A recording with its chosen segmentation and annotations."""

    definition = """
    -> Recording
    ---
    sample_id : varchar(160)         # AnimalID-_-TrialID
    -> [nullable] Segmentation
    comments="" : varchar(4096)
    added=CURRENT_TIMESTAMP : datetime
    version=0 : int32                # the newest of `SampleVersion`; 0: nobody changed it yet
    unique index (sample_id)
    """


@schema
class SampleValue(dj.Manual):
    """The values of samples in the custom columns, as they are now: of the four, that of the kind.

    A sample without a row here has the default of the column.
    """

    definition = """
    -> Sample
    -> CustomColumn
    ---
    str_value=null : varchar(255)    # null, in all: nobody knows
    int_value=null : int64
    float_value=null : float64
    bool_value=null : bool
    """


@schema
class SampleVersion(dj.Manual):
    """What a sample was after each change, and who made it; it outlives the sample."""

    definition = """
    -> Recording
    version : int32                  # from 1
    ---
    change_made : varchar(16)        # added, modified, replaced, removed, restored, undone, found
    sample_id : varchar(160)
    segmentation_id=null : char(32)  # that was chosen; it may be gone
    comments="" : varchar(4096)
    account : varchar(255)           # who made the change
    entered=CURRENT_TIMESTAMP(3) : datetime(3)
    """


@schema
class SampleValueVersion(dj.Manual):
    """The values that a change gave to a sample: of the four, that of the kind."""

    definition = """
    -> SampleVersion
    -> CustomColumn
    ---
    str_value=null : varchar(255)
    int_value=null : int64
    float_value=null : float64
    bool_value=null : bool
    """


@schema
class RoiMatch(dj.Manual):
    """Which ROI is the same cell as one of the segmentation that was replaced by a change."""

    definition = """
    -> SampleVersion
    old_roi_id : int32               # of the segmentation before
    ---
    roi_id : int32                   # of the segmentation after
    cosine : float32                 # of their footprints, 0 to 1
    """
