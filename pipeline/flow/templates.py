"""Flowcharts to begin with: the analyses that most people want."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.flow.building import Flow
from pipeline.flow.flowchart import Flowchart

STIMULUS_TYPE = "stimulus"
"""Stands for a stimulus type of the project, which is to be put in its place."""

CLEAR_PEAK = 2.0
"""Standard deviations of a trace by which its peaks must rise above its mean to be counted."""


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


def _peak_features(flow: Flow, dataset: str) -> None:
    """Draw peaks of smoothed dF/F, their features, and their height by animal."""
    raw = flow.load(dataset)
    smooth = flow.butterworth(raw, data_column="_DFOF", cutoff_hz=2.0)
    peaks = flow.peak_detect(
        flow.zscore(smooth),
        data_column="_BUTTERWORTH",
        amplitude_column="_ZSCORE",
        min_amplitude_abs=CLEAR_PEAK,
    )
    features = flow.peak_features(flow.peak_edit(peaks, data_column="_BUTTERWORTH"))
    # peaks of one cell are no independent observations
    flow.group_summary(
        features,
        data_column="_pf_ampl_rel_b_mean",
        group_by="animal_id",
        unit_column="parent_id",
    )


def _hierarchical_clustering(flow: Flow, dataset: str) -> None:
    """Draw a tree of amplitude spectra by the distance of earth movers, cut into clusters."""
    raw = flow.load(dataset)
    spectrum = flow.rfft(flow.butterworth(raw, data_column="_DFOF", cutoff_hz=2.0))
    tree = flow.linkage(spectrum, data_column="_RFFT_MAGNITUDE", method="complete")
    flow.fcluster(spectrum, tree, criterion="maxclust", threshold=4.0)


def _kshape(flow: Flow, dataset: str) -> None:
    """Draw clusters of the shapes of z-scored traces."""
    smooth = flow.butterworth(flow.load(dataset), data_column="_DFOF", cutoff_hz=1.0)
    flow.kshape(flow.zscore(smooth), n_clusters=3)


def _stimulus_tuning(flow: Flow, dataset: str) -> None:
    """Draw tuning curves, and the traces around each stimulus."""
    raw = flow.load(dataset)
    flow.tuning_curves(raw, data_column="_DFOF", stimulus_type=STIMULUS_TYPE)
    cut = flow.extract_stim(
        raw, data_column="_DFOF", stimulus_type=STIMULUS_TYPE, end_offset_s=2.0, fill=True
    )
    flow.zscore(cut, data_column="_ST_CURVE")


def _lda(flow: Flow, dataset: str) -> None:
    """Draw what tells the animals apart in the shapes of the spectra."""
    smooth = flow.butterworth(flow.load(dataset), data_column="_DFOF", cutoff_hz=2.0)
    spectrum = flow.rfft(flow.zscore(smooth))
    flow.lda(spectrum, train_columns=["_RFFT_MAGNITUDE"], label_column="animal_id")


TEMPLATES: Mapping[str, Template] = {
    "zscore_heatmap": Template("smoothed traces in units of their spread", _zscore_heatmap),
    "peak_features": Template(
        "a row for each peak with its features, and their mean height by animal", _peak_features
    ),
    "hierarchical_clustering": Template("a tree of spectra, cut", _hierarchical_clustering),
    "kshape": Template("clusters of shapes", _kshape),
    "stimulus_tuning": Template("tuning curves, and traces around stimuli", _stimulus_tuning),
    "lda": Template("what tells groups apart", _lda),
}
