"""A parameter set of the method 'caiman' gives the same rows as the others."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction.caiman_engine import CaimanParams
from pipeline.simulate import match_rois
from populate_workers.budget import GUEST_BYTES, Budget
from populate_workers.liveness import register
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.settings import CAIMAN_VARIABLE
from schemas.store import aside
from tests.caiman_stand_in import write_stand_in
from tests.populate_workers.conftest import configure

pytestmark = pytest.mark.db


@pytest.fixture
def asked(database, take_in, simulated, tmp_path, monkeypatch):
    """A project with an interpreter of CaImAn and a task for it."""
    monkeypatch.delenv(CAIMAN_VARIABLE, raising=False)
    truth = simulated[0].footprints, simulated[0].movie.frame_shape
    interpreter = write_stand_in(tmp_path, truth)
    lab = configure(database, "caiman", python=f'"{interpreter}"')
    take_in(lab)
    add_params(lab.roi.SegmentationParams, "caiman", CaimanParams())
    submit_segmentation(lab.session.Recording(), "caiman")
    return lab, interpreter


def test_results_are_in_the_same_tables(asked, run_all, simulated):
    lab, _ = asked
    outcomes = run_all(lab)

    assert {outcome.error for outcome in outcomes} == {None}
    row = lab.roi.Segmentation().fetch1()
    assert row["n_rois"] == 8
    assert row["versions"]["caiman"] == "1.99"
    assert row["versions"]["numpy"] == np.__version__
    rois = lab.roi.Segmentation.Roi().to_dicts(order_by="roi_id")
    assert all(bool(roi["reason"]) != bool(roi["accepted"]) for roi in rois)
    found = sparse.lil_array((96 * 80, len(rois)))
    for roi in rois:
        found[roi["pixels"], roi["roi_id"]] = roi["weights"]
    assert len(match_rois(simulated[0].footprints, found.tocsc()).pairs) == 8
    trace = (lab.roi.Trace.Roi & {"roi_id": 0}).fetch1()
    assert trace["raw"].shape == trace["background"].shape == (300,)
    assert aside(lab.settings) == []


def test_without_caiman_the_job_says_in_one_sentence_what_to_do(asked, run_all):
    lab, interpreter = asked
    interpreter.unlink()

    errors = [outcome.error for outcome in run_all(lab) if outcome.step == "segmentation"]

    assert len(errors) == 1
    assert "there is no interpreter" in errors[0]
    assert "conda create -n caiman -c conda-forge caiman" in errors[0]
    assert not lab.roi.Segmentation()


def test_its_memory_and_its_files_are_counted(asked, run_all):
    lab, _ = asked
    run_all(lab)
    submit_segmentation(lab.session.Recording())
    names = lab.roi.SegmentationTask().primary_key
    needs = {
        row["name"]: Budget(lab).need("segmentation", {name: row[name] for name in names})
        for row in (lab.roi.SegmentationTask * lab.roi.SegmentationParams).to_dicts()
    }
    movie_bytes = 4 * 300 * 96 * 80

    extra = needs["caiman"].memory_bytes - needs["default"].memory_bytes
    assert extra == GUEST_BYTES + 4 * movie_bytes
    assert needs["caiman"].disk_bytes - needs["default"].disk_bytes == 2 * movie_bytes


def test_a_worker_without_caiman_leaves_it_to_one_that_has_it(asked, run_all):
    lab, _ = asked
    run_all(lab)
    named = (lab.roi.SegmentationTask * lab.roi.SegmentationParams) & {"name": "caiman"}
    row = named.fetch1()
    key = {name: row[name] for name in lab.roi.SegmentationTask().primary_key}
    plain = replace(lab, settings=replace(lab.settings, caiman_python=None))
    alone = Budget(plain)
    assert alone.why_not("segmentation", key, []) is None  # the job itself says what lacks

    register(lab, slots=1, memory_bytes=1 << 30)

    beside = Budget(plain)  # workers that are new are seen a little later
    refusal = beside.why_not("segmentation", key, [])
    assert not refusal.is_final
    assert "needs CaImAn, which is not here; it is left to" in refusal.reason
    assert Budget(lab).why_not("segmentation", key, []) is None
    assert beside.why_not("motion_correction", key, []) is None
