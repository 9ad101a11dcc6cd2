"""Nodes: the steps of an analysis, each a plain function and a declaration.

``NODES`` is the list of all; `run_node` runs one and writes its history.
"""

from pipeline.nodes import (
    arithmetic,
    calculus,
    dfof,
    files,
    filters,
    grouping,
    peak_features,
    peaks,
    rows,
    scaling,
    selecting,
    shaping,
    spectra,
    stimulus_extraction,
    tuning,
    zscores,
)
from pipeline.nodes.checking import check_inputs, output_schemas
from pipeline.nodes.declaration import (
    GROUPS,
    Node,
    Output,
    Port,
    Result,
    Schema,
    check_fields,
    choice,
    column,
    columns,
    number,
    schema_of,
    whole,
)
from pipeline.nodes.registry import NODES, find_node, load_plugins, register
from pipeline.nodes.rowwise import Traces
from pipeline.nodes.running import run_blocks, run_node

__all__ = [
    "GROUPS",
    "NODES",
    "Node",
    "Output",
    "Port",
    "Result",
    "Schema",
    "Traces",
    "arithmetic",
    "calculus",
    "check_fields",
    "check_inputs",
    "choice",
    "column",
    "columns",
    "dfof",
    "files",
    "filters",
    "find_node",
    "grouping",
    "load_plugins",
    "number",
    "output_schemas",
    "peak_features",
    "peaks",
    "register",
    "rows",
    "run_blocks",
    "run_node",
    "scaling",
    "schema_of",
    "selecting",
    "shaping",
    "spectra",
    "stimulus_extraction",
    "tuning",
    "whole",
    "zscores",
]
