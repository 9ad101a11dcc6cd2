"""Flowcharts: analysis nodes on wires, checked, named by content, each computed once."""

from pipeline.flow.building import Flow, Made
from pipeline.flow.flowchart import Flowchart, FlowchartError, Port, Step, from_json, to_json
from pipeline.flow.planning import Plan, Planned, Problem, Source, Wire, plan, require
from pipeline.flow.running import Ran, Results, run
from pipeline.flow.stored import open_stored
from pipeline.flow.sweep import Sibling, siblings

__all__ = [
    "Flow",
    "Flowchart",
    "FlowchartError",
    "Made",
    "Plan",
    "Planned",
    "Port",
    "Problem",
    "Ran",
    "Results",
    "Sibling",
    "Source",
    "Step",
    "Wire",
    "from_json",
    "open_stored",
    "plan",
    "require",
    "run",
    "siblings",
    "to_json",
]
