"""A project with a recording in every state, computed for real from small simulated movies."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from streamlit.testing.v1 import AppTest

import apps.browser
from pipeline.extraction import CnmfParams
from pipeline.motion import MotionParams
from pipeline.simulate import TwoPhotonParams, simulate_two_photon
from populate_workers.populate import populate
from schemas.connection import connect_session
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.samples import add_sample
from schemas.settings import PROJECT_VARIABLE

MAIN = Path(apps.browser.__file__).parent / "main.py"
TIMEOUT_S = 60
MOVIE = TwoPhotonParams(
    n_frames=240, n_rows=64, n_cols=64, n_cells=6, max_shift_px=3.0, max_deviation_px=0.5
)
PATCHES = MotionParams(stride_px=(20, 20), overlap_px=(12, 12), max_deviation_px=2.0)


@pytest.fixture(scope="session")
def lab(make_project):
    """A project with recordings in many states; their trials are named after them."""
    return _fill(make_project())


@pytest.fixture(scope="session")
def lab_on_each(make_project, address):
    """The same on each of the servers."""
    return _fill(make_project(address))


def _fill(database):
    data = database.settings.roots["data"]
    simulate_two_photon(MOVIE, rng=np.random.default_rng(0), out=data / "cells.tif")
    rng = np.random.default_rng(0)
    for name, shape in {"noise.tif": (120, 64, 64), "volume.tif": (20, 3, 48, 40)}.items():
        frames = rng.poisson(100, shape).astype(np.uint16)
        frames[7] = 0  # as when a shutter was closed
        tifffile.imwrite(data / name, frames, photometric="minisblack")
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    add_params(database.motion.MotionParams, "patches", PATCHES)
    add_params(database.roi.SegmentationParams, "strict", CnmfParams(min_corr=0.99))
    for trial in ("done", "failed", "traceless"):
        _ingest("mouse 1", "2026-11-22", trial, data / "cells.tif")
    _ingest("mouse 1", "2026-11-23", "looked at", data / "cells.tif")
    _ingest("mouse 2", "2026-11-23b", "empty", data / "noise.tif")
    _ingest("mouse 2", "2026-11-23b", "volume", data / "volume.tif", axes="TZYX")
    _submit(database)
    populate(database, watch=lambda outcome: None)
    (database.roi.Trace & {"trial": "traceless"}).delete(prompt=False)
    (database.motion.MotionPreview & {"trial": "traceless"}).delete(prompt=False)
    chosen = (database.roi.Segmentation & {"trial": "done"}).fetch1("KEY")
    add_sample(database, chosen, segmentation_id=chosen["segmentation_id"])
    _ingest("mouse 3", "2026-11-24", "new", data / "cells.tif")
    submit_motion(database.session.Recording & {"trial": "new"}, "rigid")
    submit_segmentation(database.session.Recording & {"trial": "new"})
    # the classes of `schemas` follow the project that was connected last; a session stays
    return connect_session(database.settings)


def _ingest(animal, session, trial, path, axes=None):
    new = Trial(animal=animal, session=session, trial=trial, axes=axes, rate_hz=30.0)
    ingest(new, [path])


def _submit(database):
    recordings = database.session.Recording
    with_cells = recordings & [{"trial": "done"}, {"trial": "traceless"}]
    submit_motion(with_cells, "rigid")
    submit_motion(recordings & {"trial": "failed"}, "default")  # its patches exceed the frame
    submit_segmentation(recordings & [{"trial": "done"}, {"trial": "traceless"}])
    submit_segmentation(recordings & {"trial": "failed"})
    submit_segmentation(recordings & {"trial": "empty"}, "strict")
    submit_motion(recordings & {"trial": "done"}, "patches")
    submit_motion(recordings & {"trial": "volume"}, "rigid")


@pytest.fixture
def failed(embedded):
    """A project of its own with a motion correction that failed."""
    movie = embedded.settings.roots["data"] / "small.npy"
    np.save(movie, np.random.default_rng(0).poisson(100, (20, 32, 32)).astype(np.uint16))
    _ingest("mouse 1", "2026-11-22", "small", movie)
    submit_motion(embedded.session.Recording)
    populate(embedded, watch=lambda outcome: None)
    return embedded


@pytest.fixture
def open_page(monkeypatch):
    """Open a page of the app on a project, as a new user session."""

    def open_it(database, page="home.py", **query):
        monkeypatch.setenv(PROJECT_VARIABLE, str(database.settings.folder))
        app = AppTest.from_file(MAIN, default_timeout=TIMEOUT_S).run()
        app.query_params.update(query)
        return app.switch_page(page).run() if page != "home.py" else app

    return open_it
