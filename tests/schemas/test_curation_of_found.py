"""What people make of ROIs that CNMF found: each trace is that of the planted cell."""

import numpy as np
import pytest

from pipeline.rois import Ellipse, Polygon, rasterize
from populate_workers.populate import populate
from schemas.ingest import Trial, ingest
from schemas.roi import submit_segmentation
from schemas.roi_edits import add_rois, merge_rois, redraw_roi, split_roi

pytestmark = pytest.mark.db

FRAME, N_FRAMES, RATE_HZ = (48, 60), 400, 30.0
CENTERS = (24, 22), (24, 31)
RADIUS_PX = 6
DISC = Ellipse(center_px=CENTERS[0], radii_px=(4, 4))


def blob(center):
    rows, cols = np.indices(FRAME)
    distance = np.hypot(rows - center[0], cols - center[1])
    return np.exp(-((distance / 3) ** 2) / 2) * (distance <= RADIUS_PX)


def course(starts):
    trace = np.zeros(N_FRAMES)
    for start in starts:
        trace[start:] += 80 * np.exp(-np.arange(N_FRAMES - start) / (0.5 * RATE_HZ))
    return trace


COURSES = np.array([course([20, 110, 200, 320]), course([60, 160, 250, 280])])
WAVE = 10 * np.sin(np.arange(N_FRAMES) / 17)
"""Of the background, everywhere."""


@pytest.fixture(scope="module")
def found(make_project):
    """A segmentation by CNMF of two cells that overlap, and the number of each."""
    database = make_project()
    rng = np.random.default_rng(0)
    cells = sum(c[:, None, None] * blob(at) for c, at in zip(COURSES, CENTERS, strict=True))
    level = 100 + 10 * np.hypot(*np.indices(FRAME)) / 48
    frames = level + (WAVE[:, None, None] + cells) + rng.normal(0, 2, (N_FRAMES, *FRAME))
    file = database.settings.roots["data"] / "two.npy"
    np.save(file, frames.astype(np.float32))
    ingest(Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=RATE_HZ), [file])
    submit_segmentation(database.session.Recording())
    work(database)
    key = dict(database.roi.Segmentation().keys()[0])
    raw = {row["roi_id"]: row["raw"] for row in (database.roi.Trace.Roi() & key).to_dicts()}
    ids = [max(raw, key=lambda roi, c=c: np.corrcoef(raw[roi], c)[0, 1]) for c in COURSES]
    assert len(set(ids)) == 2
    return database, key, ids, raw


def work(database):
    outcomes = []
    populate(database, watch=outcomes.append)
    assert {outcome.error for outcome in outcomes} <= {None}


def trace(database, key, roi_id):
    return (database.roi.Trace.Roi() & key & {"roi_id": roi_id}).fetch1("raw")


def parts_of(raw):
    """Return how much of each cell, of the background's wave and of noise is in a trace."""
    known = np.vstack([*COURSES, WAVE, np.ones(N_FRAMES)]).T
    weights, *_ = np.linalg.lstsq(known, raw, rcond=None)
    return *weights[:3], float(np.std(raw - known @ weights))


def half(center, side):
    (row, col), far = center, 12 * side
    corners = [[row - 12, col], [row - 12, col + far], [row + 12, col + far], [row + 12, col]]
    return Polygon(parts_px=(corners,))


def planted(center, weights):
    """Return the height of a cell in the mean of pixels with weights."""
    return float((weights * blob(center)).sum() / weights.sum())


def test_what_is_made_of_cells_has_their_courses_and_nothing_else(found):
    database, key, (one, other), raw = found
    cell = planted(CENTERS[0], blob(CENTERS[0]))
    disc = np.asarray(rasterize(DISC, FRAME).pixels)
    weights = np.zeros(FRAME)
    weights.flat[disc] = rasterize(DISC, FRAME).weights
    halves = split_roi(database, key, one, [half(CENTERS[0], -1), half(CENTERS[0], 1)])
    whole = merge_rois(database, key, halves)
    redrawn = redraw_roi(database, key, whole, DISC)
    both = merge_rois(database, key, [redrawn, other])
    work(database)

    expected = {
        one: (cell, 0),
        other: (0, cell),
        **dict.fromkeys([*halves, whole], (cell, 0)),
        redrawn: (planted(CENTERS[0], weights), 0),
    }
    for roi_id, (of_one, of_other) in expected.items():
        in_one, in_other, in_wave, noise = parts_of(trace(database, key, roi_id))
        assert in_one == pytest.approx(of_one, rel=0.04, abs=0.01), roi_id
        assert in_other == pytest.approx(of_other, rel=0.04, abs=0.01), roi_id
        assert abs(in_wave) < 0.02
        assert noise < 0.5  # of a pixel: 2
    in_one, in_other, in_wave, _ = parts_of(trace(database, key, both))
    assert min(in_one, in_other) > 0.2
    assert abs(in_wave) < 0.02


def test_what_is_added_has_what_the_model_leaves(found):
    database, key, (_, other), raw = found
    added = add_rois(
        database, key, [Ellipse(center_px=at, radii_px=(4, 4)) for at in ((8, 50), CENTERS[1])]
    )
    work(database)

    for roi_id in added:  # where nothing is, and on a cell that is explained already
        *parts, noise = parts_of(trace(database, key, roi_id))
        assert np.abs(parts).max() < 0.02
        assert noise < 0.5
    under = (database.roi.Trace.Roi() & key & {"roi_id": added[0]}).fetch1("background")
    assert parts_of(under)[2] == pytest.approx(1, rel=0.02)
