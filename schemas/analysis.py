"""Datasets: ROIs that somebody chose, under a name."""

import datajoint as dj

from schemas.roi import Segmentation  # noqa: F401 the tables name it

schema = dj.Schema()


@schema
class Dataset(dj.Manual):
    """ROIs that a filter chose at a moment; which they are never changes."""

    definition = """
    dataset_id : int32
    ---
    name : varchar(64)                # may change
    parent=null : int32               # dataset_id of that which they were chosen from; null: all
    filter_text : varchar(4000)       # as it was written
    filter : json                     # what it means
    forms : json                      # the same as SQL, as it ran, and as a pandas expression
    n_rois : int32
    checksum : char(64)               # SHA-256 of the keys of the ROIs
    account : varchar(255)            # who made it
    made=CURRENT_TIMESTAMP(3) : datetime(3)
    unique index (name)
    """

    class Roi(dj.Part):
        """One of the ROIs."""

        definition = """
        -> master
        -> Segmentation.Roi
        """
