"""What people decide about ROIs: every change is a row, and the newest is what counts."""

import datajoint as dj

from pipeline.versions import software_versions
from schemas.edited_rois import edited_rows, fetch_edit, first_origins
from schemas.movie_source import movie_source, open_source
from schemas.project import RoiTagType
from schemas.roi import Segmentation, SegmentationParams, SegmentationTask, Trace
from schemas.roi_rows import rows_at_once

schema = dj.Schema()


@schema
class Action(dj.Manual):
    """Something that a person did to ROIs of a segmentation, at once."""

    definition = """
    -> Segmentation
    action : int32                    # from 1, in their order
    ---
    kind : varchar(16)                # as accept, merge, tag, undo
    undoes=null : int32               # action that is undone
    note="" : varchar(255)            # in words
    account : varchar(255)            # who did it
    made=CURRENT_TIMESTAMP(3) : datetime(3)
    """

    class Verdict(dj.Part):
        """What a ROI is from then on."""

        definition = """
        -> master
        roi_id : int32                 # of the segmentation, found or added
        ---
        state : varchar(8)             # accepted, rejected, excluded; empty: as it was found
        reason="" : varchar(255)       # in words
        replaces : int32               # action with the verdict before; 0: there was none
        unique index (animal_id, session, trial, segmentation_id, roi_id, replaces)
        """


@schema
class RoiTag(dj.Manual):
    """A tag of a ROI from an action on."""

    definition = """
    -> Action
    -> Segmentation.Roi
    -> RoiTagType
    ---
    tag : varchar(255)                # empty: none any more
    replaces : int32                  # action with the tag before; 0: there was none
    index (tag)
    unique index (animal_id, session, trial, segmentation_id, roi_id, roi_tag_type_id, replaces)
    """


@schema
class Edit(dj.Manual):
    """That an action adds ROIs to a segmentation, whose traces are to be measured."""

    definition = """
    -> Action
    ---
    n_rois : int32
    """

    class Roi(dj.Part):
        """A ROI that is added: drawn, or made of others."""

        definition = """
        -> master
        roi_id : int32                 # new in the segmentation
        ---
        name="" : varchar(255)
        shape=null : json              # what was drawn; null: nothing
        pixels : <blob>                # index in a recorded frame in C order, planes first
        weights : <blob>               # of these pixels, not negative
        origins : json                 # ROIs that it takes the place of
        tags : json                    # that these agree on: number of the tag type -> tag
        unique index (animal_id, session, trial, segmentation_id, roi_id)
        """


@schema
class EditedRois(dj.Computed):
    """That added ROIs were measured: from then on they are ROIs of the segmentation like others."""

    definition = """
    -> Edit
    ---
    n_rois : int32
    versions : json                   # software that computed it
    """

    @property
    def key_source(self):
        """Edits of segmentations whose traces are there."""
        return Edit & Trace.proj()

    def make_fetch(self, key):
        task = (SegmentationTask * SegmentationParams & key).fetch1()
        segmentation = Segmentation & {name: key[name] for name in Segmentation.primary_key}
        others = (Edit.Roi & segmentation.proj()).proj("origins").to_dicts()
        origins = {row["roi_id"]: row["origins"] for row in others}
        added = [
            {**row, "origins": first_origins(row["origins"], origins)}
            for row in (Edit.Roi & key).to_dicts(order_by="roi_id")
        ]
        return *movie_source(key, task["motion_hash"]), fetch_edit(task, added, segmentation)

    def make_compute(self, key, arguments, edge, edit):
        return edited_rows(open_source(arguments), edge, edit), software_versions()

    def make_insert(self, key, rows, versions):
        self.insert1({**key, "n_rois": len(rows.rois), "versions": versions})
        master = {name: key[name] for name in Segmentation.primary_key}
        at_once = rows_at_once(len(rows.traces[0]["raw"]))
        for table, added in ((Segmentation.Roi, rows.rois), (Trace.Roi, rows.traces)):
            complete = ({**master, **row} for row in added)
            table.insert(complete, chunk_size=at_once, allow_direct_insert=True)
        kinds = {str(number) for number in RoiTagType().to_arrays("roi_tag_type_id")}
        RoiTag.insert(
            {**key, "roi_id": roi_id, "roi_tag_type_id": int(number), "tag": tag, "replaces": 0}
            for roi_id, tags in rows.tags.items()
            for number, tag in tags.items()
            if number in kinds
        )
