"""Flowcharts to begin with: the analyses that most people want."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.flow.building import Flow
from pipeline.flow.flowchart import Flowchart


class Template(NamedTuple):
    """A flowchart to begin with."""

    words: str
    """What it is for."""

    build: Callable[[Flow, str], None]
    """Draws it for a dataset."""


def template(name: str, dataset: str) -> Flowchart:
    """Return a flowchart to begin with.

    Parameters
    ----------
    name : str
        Key of `TEMPLATES`.
    dataset : str
        What it begins with.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in TEMPLATES:
        raise ValueError(f"there is no template {name!r}; there are: {', '.join(TEMPLATES)}.")
    flow = Flow(name)
    TEMPLATES[name].build(flow, dataset)
    return flow.chart


def _zscore_heatmap(flow: Flow, dataset: str) -> None:
    """Draw smoothed, z-scored traces."""
    smooth = flow.butterworth(flow.load(dataset), cutoff_hz=1.0, order=2)
    flow.zscore(smooth)


TEMPLATES: Mapping[str, Template] = {
    "zscore_heatmap": Template("smoothed traces in units of their spread", _zscore_heatmap),
}
