"""The size of a cell that follows from the pixels is used, kept and shown."""

import json

import pytest
import zarr

from apps import queries
from pipeline.extraction import CnmfParams
from pipeline.motion import MotionParams
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.setup import _fill
from schemas.store import stored_path

pytestmark = pytest.mark.db
KEY = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}


@pytest.fixture
def lab(embedded, simulated):
    """A project with a recording whose metadata tell the size of a pixel."""
    folder = embedded.settings.roots["data"]
    (folder / "m.tif").write_bytes(simulated[1].read_bytes())
    told = {"fps": 30.0, "origin": "here", "date": "20261122_100000", "pixel_size_um": 0.8}
    (folder / "m.json").write_text(json.dumps(told))
    trial = Trial(animal="m1", session="2026-11-22", trial="t1", metadata=folder / "m.json")
    ingest(trial, [folder / "m.tif"])
    return embedded


def test_what_followed_from_the_movie_is_kept(lab, run_all):
    submit_segmentation(lab.session.Recording())
    submit_segmentation(lab.session.Recording(), "one-photon")
    assert {outcome.error for outcome in run_all(lab)} == {None}

    for row in queries.segmentations(lab, KEY):
        assert row["params"]["gsig_px"] is None
        assert row["settings_used"] == row["params"] | {"gsig_px": [6.25, 6.25]}
    (seeds,) = [row for row in queries.inspections(lab, KEY) if row["state"] == "done"]
    assert queries.inspection(lab, seeds["key"]).gsig_px == (6.25, 6.25)


def test_corrected_movies_of_earlier_versions_take_the_size_from_the_recording(lab, run_all):
    add_params(lab.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    submit_motion(lab.session.Recording(), "rigid")
    run_all(lab)
    movie = lab.motion.MotionCorrection.fetch1("movie")
    array = zarr.open_array(stored_path(lab.settings, movie), mode="a")
    assert array.attrs["pixel_size_um"] == [0.8, 0.8]
    del array.attrs["pixel_size_um"]
    submit_segmentation(lab.session.Recording())
    assert {outcome.error for outcome in run_all(lab)} == {None}

    assert lab.roi.Segmentation.fetch1("settings_used")["gsig_px"] == [6.25, 6.25]


def test_a_project_of_an_earlier_version_keeps_its_default(lab):
    table = lab.roi.SegmentationParams
    (table & {"name": "default"}).delete_quick()
    add_params(table, "default", CnmfParams(gsig_px=(5.0, 5.0)))
    before = table.to_dicts(order_by="name")

    _fill(lab)

    assert table.to_dicts(order_by="name") == before
