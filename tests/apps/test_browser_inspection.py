"""The seeds of a one-photon extraction: its page, its table, and what they ask for."""

import numpy as np
import pytest

from apps import queries
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.plots import seeds_figure
from pipeline.simulate.one_photon import simulate_one_photon
from pipeline.simulate.one_photon_params import OnePhotonParams
from populate_workers.populate import populate
from populate_workers.queue import progress
from schemas.connection import connect_session
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation

SCENE = OnePhotonParams(n_frames=240, n_rows=72, n_cols=80, n_cells=10, n_vessels=1)
STRICT = CnmfeParams(min_corr=0.8, min_pnr=9.0, gsig_px=(3.5, 3.0))
KEY = {"animal_id": "m1", "session": "2026-11-22", "trial": "haze"}


@pytest.fixture(scope="module")
def haze(make_project, address):
    """A project with a one-photon recording, extracted twice, and one that waits."""
    database = make_project(address)
    simulated = simulate_one_photon(SCENE, rng=np.random.default_rng(0))
    file = database.settings.roots["data"] / "haze.npy"
    np.save(file, simulated.movie[:])
    for trial in ("haze", "corrected", "waiting"):
        ingest(Trial(animal="m1", session="2026-11-22", trial=trial, rate_hz=20.0), [file])
    recordings = database.session.Recording
    submit_motion(recordings & {"trial": "corrected"})
    add_params(database.roi.SegmentationParams, "strict", STRICT)
    for name in ("one-photon", "strict"):
        submit_segmentation(recordings & {"trial": "haze"}, name)
    submit_segmentation(recordings & {"trial": "haze"})
    submit_segmentation(recordings & {"trial": "corrected"}, "one-photon")
    outcomes = []
    populate(database, watch=outcomes.append)
    submit_segmentation(recordings & {"trial": "waiting"}, "one-photon")
    assert all(outcome.error is None for outcome in outcomes)
    return connect_session(database.settings)


@pytest.fixture
def open_seeds(haze, open_page):
    if not haze.settings.embedded:
        pytest.skip("on a lab server the app asks for an account: see test_sign_in.py")

    def open_it(trial="haze"):
        app = open_page(haze, "recording.py", **{**KEY, "trial": trial})
        app.session_state["view"] = "Seeds"
        app.run()
        assert not app.exception
        return app

    return open_it


def seeds_that_pass(app):
    return int(next(m.value for m in app.metric if m.label == "Seeds that pass"))


@pytest.mark.db
def test_a_one_photon_segmentation_finds_cells(haze):
    tasks = haze.roi.SegmentationTask * haze.roi.SegmentationParams.proj("name")
    rows = haze.roi.Segmentation.proj("n_accepted") * tasks.proj("name")
    found = {row["name"]: row["n_accepted"] for row in (rows & KEY).to_dicts()}

    assert found["one-photon"] >= 4
    assert set(found) == {"one-photon", "strict", "default"}


@pytest.mark.db
def test_only_one_photon_tasks_have_images_and_no_task_waits(haze):
    tasks = haze.roi.SegmentationTask * haze.roi.SegmentationParams.proj("name")
    done = haze.inspection.SeedInspection.proj("correlation_image") * tasks.proj("name")
    images = {row["name"]: row["correlation_image"] for row in (done & KEY).to_dicts()}

    assert {name for name, image in images.items() if image is not None} == {"one-photon", "strict"}
    assert images["default"] is None
    assert len(done & {"trial": "corrected"}) == 1
    assert progress(haze)["seed_inspection"]["pending"] == 1  # of the trial that waits


@pytest.mark.db
def test_the_images_are_those_from_which_cells_are_started(haze):
    listed = queries.inspections(haze, KEY)
    found = queries.inspection(haze, listed[0]["key"])

    assert {row["name"]: row["state"] for row in listed} == {"one-photon": "done", "strict": "done"}
    assert found.correlation.shape == found.pnr.shape == (36, 40)
    assert found.bin_px == (2, 2)
    assert 0.8 < found.correlation.max() <= 1.0001
    assert found.cropped_px == 0


@pytest.mark.db
def test_the_sliders_show_at_once_which_seeds_pass(open_seeds):
    app = open_seeds()
    app.selectbox[0].set_value(next(v for v in app.selectbox[0].options if v == "one-photon")).run()
    before = seeds_that_pass(app)

    assert before > 0
    assert {slider.label: slider.value for slider in app.slider} == {
        "min_corr": 0.5,
        "min_pnr": 4.0,
    }
    assert len(app.get("plotly_chart")) == 2
    next(s for s in app.slider if s.label == "min_pnr").set_value(9.0).run()

    assert not app.exception
    assert seeds_that_pass(app) < before
    command = app.code[0].value
    assert command == (
        "mesmerize params add segmentation NAME --method cnmfe min_corr=0.5 min_pnr=9"
    )


@pytest.mark.db
def test_the_command_keeps_what_else_a_parameter_set_says(open_seeds):
    app = open_seeds()
    app.selectbox[0].set_value("strict").run()
    next(s for s in app.slider if s.label == "min_corr").set_value(0.0).run()

    assert not app.exception
    assert app.code[0].value.endswith("min_corr=0 min_pnr=9 'gsig_px=[3.5, 3.0]'")


@pytest.mark.db
def test_an_inspection_that_waits_says_so(open_seeds):
    assert any("Seed inspection is pending" in info.value for info in open_seeds("waiting").info)


@pytest.mark.db
def test_a_recording_without_one_photon_parameters_says_what_to_do(lab, open_page):
    app = open_page(lab, "recording.py", animal_id="mouse 1", session="2026-11-22", trial="done")
    app.session_state["view"] = "Seeds"
    app.run()

    assert not app.exception
    assert any("submit segmentation --params one-photon" in info.value for info in app.info)


def test_the_figure_draws_in_pixels_of_the_movie():
    image = np.arange(12.0).reshape(3, 4)

    figure = seeds_figure(
        image,
        np.array([[2.5, 4.5]]),
        bin_px=(2, 3),
        limits=(1.0, 9.0),
        label="correlation",
        first_px=5,
    )

    heat, seeds = figure.data
    assert list(heat.y) == [5.5, 7.5, 9.5]
    assert list(heat.x) == [6, 9, 12, 15]
    assert (heat.zmin, heat.zmax) == (1.0, 9.0)
    assert (list(seeds.x), list(seeds.y)) == ([4.5], [2.5])
    assert figure.layout.yaxis.autorange == "reversed"
