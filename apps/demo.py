"""The demonstration: a movie with known cells goes through every step and is compared."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from apps.cli.progress import reporter
from pipeline.flow.templates import template
from pipeline.simulate import Matches, TwoPhotonParams, match_rois, simulate_two_photon
from populate_workers.populate import populate
from schemas.connection import Database, connect
from schemas.datasets import make_dataset
from schemas.flows import enter_flowchart, submit_flow
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.resources import RESOURCES, Resources
from schemas.roi import submit_segmentation
from schemas.samples import add_sample
from schemas.settings import SETTINGS_FILE, ProjectError, Settings, load_settings
from schemas.setup import create_project

SEED = 1
TRIAL = Trial(animal="demo", session="2026-01-01", trial="simulated")
DATASET, FLOWCHART = "cells", "zscore_heatmap"


class Score(NamedTuple):
    """What was found against what was planted."""

    matches: Matches
    """Accepted cells matched one to one with true ones."""

    correlation: float
    """Median correlation of the denoised with the true trace, over the matched cells."""


def run_demo(folder: Path) -> Settings:
    """Make the project of the demonstration, compute everything, and print the score.

    What is there already is not computed again.

    Parameters
    ----------
    folder : Path
        The project folder.

    Returns
    -------
    Settings
        The project.

    Raises
    ------
    ProjectError
        If a step failed.
    """
    is_new = not (folder / SETTINGS_FILE).exists()
    database = create_project(folder) if is_new else connect(load_settings(folder))
    seconds: dict[str, float] = {}
    with reporter() as progress:
        RESOURCES.set(Resources(settings=database.settings, progress=progress))
        truth = database.settings.roots["data"] / "truth.npz"
        if not truth.exists():
            _timed(seconds, "simulation", lambda: _simulate(truth))
        if not database.session.Recording & TRIAL.key:
            _timed(seconds, "ingestion", lambda: _ingest(truth.parent))
        _submit(database)
        _populate(database, seconds)
        _choose(database)
        _submit_flow(database)
        _populate(database, seconds)
    score = _score(database, truth)
    _print_report(database, seconds, score)
    return database.settings


def _timed(seconds: dict[str, float], step: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    seconds[step] = time.monotonic() - began


def _simulate(truth: Path) -> None:
    """Write the movie, its metadata, and last the truth: its presence says that all is there."""
    resources = RESOURCES.get()
    simulated = simulate_two_photon(
        TwoPhotonParams(),
        rng=np.random.default_rng(SEED),
        out=truth.parent / "movie.tif",
        **resources.as_arguments(),
    )
    metadata = {
        "origin": "simulation",
        "fps": simulated.rate_hz,
        "date": "20260101_120000",
        "pixel_size_um": simulated.pixel_size_um,
    }
    (truth.parent / "movie.json").write_text(json.dumps(metadata))
    footprints = simulated.footprints
    np.savez(
        truth,
        data=footprints.data,
        indices=footprints.indices,
        indptr=footprints.indptr,
        shape=footprints.shape,
        traces=simulated.traces,
    )


def _ingest(data: Path) -> None:
    trial = replace(TRIAL, metadata=data / "movie.json", metadata_format="json_minimal")
    ingest(trial, [data / "movie.tif"])


def _submit(database: Database) -> None:
    recordings = database.session.Recording & TRIAL.key
    submit_motion(recordings)
    submit_segmentation(recordings)


def _populate(database: Database, seconds: dict[str, float]) -> None:
    """Compute everything that was asked for."""
    failed = []

    def watch(outcome: Any) -> None:
        seconds[outcome.step] = seconds.get(outcome.step, 0.0) + outcome.duration_s
        failed.extend([f"{outcome.step}: {outcome.error}"] if outcome.error else [])

    populate(database, until_done=True, watch=watch)
    if failed:
        raise ProjectError(f"the demonstration failed in {failed[0]}")


def _choose(database: Database) -> None:
    """Make the result a sample."""
    if not database.sample.Sample & TRIAL.key:
        chosen = (database.roi.Segmentation & TRIAL.key).fetch1("segmentation_id")
        comments = "simulated, with known cells"
        add_sample(database, TRIAL.key, segmentation_id=chosen, comments=comments)


def _submit_flow(database: Database) -> None:
    """Ask once for an analysis of the accepted cells."""
    if not database.analysis.Dataset & {"name": DATASET}:
        make_dataset(database, DATASET, "accepted")
    if not database.analysis.FlowTask & (database.analysis.Flowchart & {"name": FLOWCHART}):
        submit_flow(database, enter_flowchart(database, template(FLOWCHART, DATASET)))


def _score(database: Database, truth: Path) -> Score:
    """Compare the accepted cells with the true ones."""
    with np.load(truth, allow_pickle=False) as planted:
        true_traces = planted["traces"]
        footprints = sparse.csc_array(
            (planted["data"], planted["indices"], planted["indptr"]), shape=planted["shape"]
        )
    rois = database.roi.Segmentation.Roi & TRIAL.key & {"accepted": True}
    pixels, weights = rois.to_arrays("pixels", "weights", order_by="roi_id")
    indptr = np.cumsum([0, *map(len, pixels)])
    found = sparse.csc_array(
        (np.concatenate(weights), np.concatenate(pixels), indptr),
        shape=(footprints.shape[0], len(pixels)),
    )
    traces = (database.roi.Trace.Roi & rois.proj()).to_arrays("denoised", order_by="roi_id")
    matches = match_rois(footprints, found)
    correlations = [
        np.corrcoef(true_traces[true], traces[roi])[0, 1] for true, roi in matches.pairs
    ]
    return Score(matches, float(np.median(correlations)))


def _print_report(database: Database, seconds: dict[str, float], score: Score) -> None:
    """Print the steps with their times, and the score."""
    console = Console()
    steps = Table("step", "time", title="Steps")
    for step in ("simulation", "ingestion", *(name for name, _ in database.steps())):
        steps.add_row(step, f"{seconds[step]:.1f} s" if step in seconds else "done before")
    console.print(steps)
    matches = score.matches
    found = Table("measure", "value", title="Found against planted")
    for measure, value in (
        ("cells planted", matches.n_true),
        ("cells found and accepted", matches.n_found),
        ("precision", f"{matches.precision:.3f}"),
        ("recall", f"{matches.recall:.3f}"),
        ("F1", f"{matches.f1:.3f}"),
        ("median trace correlation", f"{score.correlation:.3f}"),
    ):
        found.add_row(measure, str(value))
    console.print(found)
    console.print(f"The accepted cells were analysed: mesmerize flow status {FLOWCHART}")
