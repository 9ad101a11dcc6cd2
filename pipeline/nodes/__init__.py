"""Nodes: the steps of an analysis, each a plain function and a declaration.

``NODES`` is the list of all; `run_node` runs one and writes its history.
"""

from pipeline.nodes import (
    arithmetic,
    calculus,
    files,
    filters,
    grouping,
    rows,
    scaling,
    selecting,
    shaping,
    spectra,
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
    "grouping",
    "check_fields",
    "selecting",
    "files",
    "zscores",
    "check_inputs",
    "choice",
    "column",
    "columns",
    "filters",
    "find_node",
    "load_plugins",
    "number",
    "output_schemas",
    "register",
    "rows",
    "run_blocks",
    "run_node",
    "scaling",
    "schema_of",
    "shaping",
    "spectra",
    "whole",
]
