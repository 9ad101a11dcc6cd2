"""Analysis: frozen sets of ROIs, flowcharts, and what their nodes make."""

import base64
import time

import datajoint as dj

from pipeline.flow.computing import compute_result
from pipeline.flow.loading import write_loaded
from schemas.node_files import (
    check_paths,
    described,
    input_layers,
    load_own_nodes,
    planned_of,
    segments_of,
)
from schemas.resources import RESOURCES
from schemas.roi import Segmentation
from schemas.store import adopted, new_folder

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


@schema
class Flowchart(dj.Manual):
    """A version of a flowchart; it never changes."""

    definition = """
    flowchart_id : char(32)          # of the name and the content
    ---
    name : varchar(64)
    version : int32                  # from 1, for each name
    chart : json                     # nodes with parameters, and edges; lists make siblings
    account : varchar(255)           # who entered it
    entered=CURRENT_TIMESTAMP : datetime
    unique index (name, version)
    """


@schema
class Snapshot(dj.Manual):
    """What was known of the ROIs of a dataset when a flowchart was submitted; it never changes."""

    definition = """
    snapshot_id : char(32)           # of the content
    ---
    -> Dataset
    n_rois : int32
    rois : <blob>                    # bytes of a Parquet file: a row a ROI, stimuli inside
    taken=CURRENT_TIMESTAMP : datetime
    """


@schema
class SnapshotSource(dj.Manual):
    """A segmentation whose traces a snapshot needs."""

    definition = """
    -> Snapshot
    -> Segmentation
    """


@schema
class NodeTask(dj.Manual):
    """That something is to be computed: a node with all that defines its result."""

    definition = """
    result_key : char(32)            # of the node, its version, its parameters and its inputs
    ---
    -> [nullable] Snapshot           # of a node that loads; null: it takes what others make
    node : varchar(64)               # name in pipeline.nodes
    node_version : int32             # of its function
    params : json                    # all of them, columns named
    inputs : json                    # result_key and table of what flows in, by port
    bases : json                     # its tables, each with the one whose rows it has, or null
    submitted=CURRENT_TIMESTAMP : datetime
    """


@schema
class NodeInput(dj.Manual):
    """That a result is made of another."""

    definition = """
    -> NodeTask
    -> NodeTask.proj(input_key="result_key")
    """


@schema
class NodeResult(dj.Computed):
    """What a node made, once for all flowcharts that ask for it."""

    definition = """
    -> NodeTask
    ---
    tables : <object@main>           # folder with a Parquet file for each table
    n_rows : int32                   # of the first table
    columns : json                   # that were made: kind, unit and axis, by table and name
    history : json                   # of the first table: the operations, from the recordings on
    duration_s : float64
    """

    @property
    def key_source(self):
        """Tasks whose inputs are there."""
        missing = NodeInput - NodeResult.proj(input_key="result_key")
        return NodeTask - missing.proj()

    def make_fetch(self, key):
        task = (NodeTask & key).fetch1()
        if task["snapshot_id"] is None:
            return task, None, input_layers(NodeTask * NodeResult, task["inputs"])
        snapshot = {"snapshot_id": task["snapshot_id"]}
        # as text, because DataJoint cannot compare bytes
        rois = base64.b64encode((Snapshot & snapshot).fetch1("rois").tobytes()).decode()
        return task, rois, segments_of(Segmentation & (SnapshotSource & snapshot))

    def make_compute(self, key, task, rois, sources):
        began_s = time.perf_counter()
        settings = RESOURCES.get().settings
        load_own_nodes(settings)
        if rois is None:  # rows may have been entered by hand
            check_paths(settings, task["node"], task["params"])
        with new_folder(settings, ".node") as folder:
            if rois is None:
                compute_result(planned_of(task), sources, folder)
            else:
                write_loaded(
                    base64.b64decode(rois), sources, tuple(task["params"]["traces"]), folder
                )
            facts = described(folder, [name for name, _ in task["bases"]])
        return folder, facts | {"duration_s": time.perf_counter() - began_s}

    def make_insert(self, key, folder, facts):
        with adopted(self, key, "tables", folder) as stored:
            self.insert1({**key, **facts, "tables": stored})


@schema
class PeakEdit(dj.Manual):
    """A change of the peaks of a trace by hand; a node ``peak_edit`` applies all of them."""

    definition = """
    -> NodeTask                      # whose peaks are changed
    edit_id : int32                  # from 1, in the order in which they apply
    ---
    row_id : varchar(255)            # the row of the table
    change_made : varchar(16)        # add_peak, add_base, delete or move
    sample : int32                   # of the trace
    to_sample=null : int32           # where it is moved to
    account : varchar(255)
    entered=CURRENT_TIMESTAMP(3) : datetime(3)
    """


@schema
class FlowTask(dj.Manual):
    """A flowchart that was submitted, on the data as they were then."""

    definition = """
    -> Flowchart
    flow_task_id : char(32)          # of all its results
    ---
    choice : json                    # what it differs in from its siblings, by node and parameter
    submitted=CURRENT_TIMESTAMP(3) : datetime(3)
    """


@schema
class FlowNode(dj.Manual):
    """Which result is that of a node of a submitted flowchart."""

    definition = """
    -> FlowTask
    step : varchar(64)               # id of the node on the flowchart
    ---
    position : int32                 # in the order of computation, from 0
    -> NodeTask
    """
