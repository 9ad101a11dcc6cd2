"""ROIs of other programs into the tables and out again, on both servers."""

import os
import time
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pipeline.exporters.caiman import write_caiman
from pipeline.exporters.imagej import write_imagej
from pipeline.exporters.suite2p import write_suite2p
from pipeline.importers.batch import COLUMNS
from pipeline.importers.registry import import_rois
from pipeline.roi_file import RoiFile
from pipeline.rois import GivenRois, Polygon, rois_of_shapes
from schemas.action_history import history
from schemas.actions import judge_rois
from schemas.configuration import delete_label, going_with_label
from schemas.labels import ROI_TAG_TYPE, add_label, labels, rename_label
from schemas.nwb_export import export_nwb
from schemas.roi_edits import merge_rois
from schemas.roi_exports import choose_segmentation, roi_file_of
from schemas.roi_imports import import_batch, import_file
from schemas.roi_tags import tag_rois
from schemas.settings import ProjectError
from schemas.stimuli import add_stimulus_type, enter_periods, place
from schemas.undoing import undo_action
from tests.exchange_scene import some_rois, suite2p_rois
from tests.pipeline.test_nwb import FACTS, PERIODS

pytestmark = pytest.mark.db

FRAME, N_FRAMES = (96, 80), 300


@pytest.fixture
def filled(database, take_in, run_all):
    """A project with a recording whose movie was read, and its key."""
    take_in(database)
    run_all(database)
    return database, dict(database.session.Recording().keys()[0])


def as_long(rois):
    """Return planted ROIs with traces as long as the movie."""
    rng = np.random.default_rng(2)
    traces = {
        name: rng.normal(100, 5, (rois.n_rois, N_FRAMES)).astype(np.float32)
        for name in rois.rois.traces
    }
    background = None
    if rois.background is not None:
        temporal = rng.uniform(1, 2, (2, N_FRAMES)).astype(np.float32)
        background = rois.background._replace(temporal=temporal)
        under = rois.rois.footprints.T @ background.spatial @ temporal
        total = np.asarray(rois.rois.footprints.sum(axis=0))[:, np.newaxis]
        traces["background"] = (under / total).astype(np.float32)
    given = replace(rois.rois, traces=traces)
    return replace(rois, rois=given, rate_hz=30.0, background=background)


def computed(database, key, path, run_all):
    imported = import_file(database, key, path)
    assert {error for error in (outcome.error for outcome in run_all(database))} == {None}
    return imported, roi_file_of(database, imported.segmentation)


def close(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


def test_suite2p_goes_in_and_out_and_is_the_same(filled, run_all, tmp_path):
    database, key = filled
    rois = as_long(suite2p_rois(FRAME))
    write_suite2p(rois, tmp_path / "in", mean_image=np.zeros(FRAME))
    imported, found = computed(database, key, tmp_path / "in", run_all)

    write_suite2p(found, tmp_path / "out", mean_image=np.zeros(FRAME))
    again = import_rois(tmp_path / "out", FRAME)

    assert imported.notes == []
    assert again.neuropil_coefficient == 0.6
    for name in ("raw", "neuropil", "spikes"):
        close(again.rois.traces[name], rois.rois.traces[name])
    for name in rois.rois.numbers:
        close(again.rois.numbers[name], rois.rois.numbers[name])
    np.testing.assert_array_equal(again.accepted, rois.accepted)
    a, b = (r.rois.footprints.toarray() for r in (again, rois))
    close(a / a.max(axis=0), b / b.max(axis=0))
    assert database.given.RoiSet().fetch1("source").startswith("suite2p")
    assert found.rois.traces["dff"].shape == (5, N_FRAMES)  # what suite2p lacks is computed


def test_caiman_goes_in_and_out_and_is_the_same(filled, run_all, tmp_path):
    database, key = filled
    rois = as_long(some_rois(FRAME))
    write_caiman(rois, tmp_path / "in.hdf5")
    _, found = computed(database, key, tmp_path / "in.hdf5", run_all)

    write_caiman(found, tmp_path / "out.hdf5")
    again = import_rois(tmp_path / "out.hdf5", FRAME)

    for name in ("raw", "denoised", "spikes", "dff", "background"):
        close(again.rois.traces[name], rois.rois.traces[name])
    for name in ("snr", "rval"):
        close(again.rois.numbers[name], rois.rois.numbers[name])
    close(again.rois.footprints.toarray(), rois.rois.footprints.toarray())
    np.testing.assert_array_equal(again.accepted, rois.accepted)
    np.testing.assert_array_equal(again.background.spatial, rois.background.spatial)
    np.testing.assert_array_equal(again.background.temporal, rois.background.temporal)


def test_a_batch_goes_to_the_recordings_of_its_movies(filled, run_all, tmp_path):
    database, key = filled
    movie = PurePosixPath(str(database.session.Recording.File().to_arrays("path")[0])).name
    rows = [
        {**dict.fromkeys(COLUMNS), "algo": "cnmf", "item_name": name, "uuid": name}
        | {"input_movie_path": f"elsewhere/{of}", "outputs": {"cnmf-hdf5-path": f"{name}.hdf5"}}
        for name, of in (("good", movie), ("other", "other.tif"), ("short", movie), ("lost", movie))
    ]
    pd.DataFrame(rows).astype(object).to_pickle(tmp_path / "batch.pickle")
    for name in ("good", "other"):
        write_caiman(as_long(some_rois(FRAME)), tmp_path / f"{name}.hdf5")
    write_caiman(some_rois(FRAME), tmp_path / "short.hdf5")

    shown = list(import_batch(database, tmp_path, pretend=True))
    assert not database.roi.SegmentationTask()
    done = list(import_batch(database, tmp_path / "batch.pickle"))
    assert list(import_batch(database, tmp_path)) == done  # the same ROIs are entered once

    assert [item.recording for item in shown] == [key, None, key, None]
    assert [item.recording for item in done] == [key, None, None, None]
    assert done[0].what == "5 ROIs"
    assert done[1].what == "no recording has a movie 'other.tif'"
    assert "the traces have 50 frames" in done[2].what
    assert done[3].what == "found no components"
    assert {outcome.error for outcome in run_all(database)} == {None}
    assert len(database.roi.Segmentation()) == 1


def test_imagej_goes_in_and_out_and_is_measured_in_the_movie(filled, run_all, simulated, tmp_path):
    database, key = filled
    corners = [[9.5, 11.5], [9.5, 17.5], [15.5, 17.5], [15.5, 11.5]]
    drawn = rois_of_shapes([Polygon(parts_px=(corners,))], FRAME, names=["soma"])
    write_imagej(RoiFile(rois=drawn), tmp_path / "in.zip")
    _, found = computed(database, key, tmp_path / "in.zip", run_all)

    write_imagej(found, tmp_path / "out.zip")
    again = import_rois(tmp_path / "out.zip", FRAME)

    assert again.names == ("soma",)
    assert abs(again.rois.footprints - drawn.footprints).max() < 1e-5
    mean = simulated[0].movie[:][:, 10:16, 12:18].mean(axis=(1, 2))
    close(found.rois.traces["raw"][0], mean)


def test_nwb_goes_out_and_in_and_is_the_same(filled, run_all, tmp_path):
    from nwbinspector import Importance, inspect_nwbfile

    database, key = filled
    write_suite2p(as_long(suite2p_rois(FRAME)), tmp_path / "in", mean_image=np.zeros(FRAME))
    _, found = computed(database, key, tmp_path / "in", run_all)
    add_stimulus_type(database, "odour")
    periods = PERIODS.rename(columns={"start_s": "start", "end_s": "end"})
    enter_periods(database, key, {"odour": place(database, key, periods, unit="s")})
    segmentation = choose_segmentation(database, key)
    told = {**FACTS, "session_start_time": "2026-11-22T14:03:00+01:00"}

    export_nwb(database, key, tmp_path / "a.nwb", told=told, segmentation=segmentation)
    again = import_rois(tmp_path / "a.nwb", FRAME)

    for name, traces in found.rois.traces.items():
        np.testing.assert_array_equal(again.rois.traces[name], traces)
    for name, numbers in found.rois.numbers.items():
        np.testing.assert_array_equal(again.rois.numbers[name], numbers)
    np.testing.assert_array_equal(again.rois.footprints.toarray(), found.rois.footprints.toarray())
    np.testing.assert_array_equal(again.accepted, found.accepted)
    assert again.names == found.names
    assert import_file(database, key, tmp_path / "a.nwb").notes == []
    allowed = Importance.BEST_PRACTICE_SUGGESTION
    inspected = inspect_nwbfile(nwbfile_path=tmp_path / "a.nwb")
    assert [m.message for m in inspected if m.importance is not allowed] == []


def test_what_people_decided_goes_out(filled, run_all, tmp_path):
    database, key = filled
    write_suite2p(as_long(suite2p_rois(FRAME)), tmp_path / "in", mean_image=np.zeros(FRAME))
    imported, before = computed(database, key, tmp_path / "in", run_all)
    segmentation = imported.segmentation
    assert before.accepted.tolist() == [True, False, True, True, False]
    add_label(database, ROI_TAG_TYPE, "cell type")
    judge_rois(database, segmentation, [0], "rejected", reason="a vessel")
    judge_rois(database, segmentation, [1], "accepted")
    tag_rois(database, segmentation, [1, 3], {"cell type": "pv"})
    merged = merge_rois(database, segmentation, [2, 3])
    assert {error for error in (outcome.error for outcome in run_all(database))} == {None}

    found = roi_file_of(database, segmentation)

    assert merged == 5
    assert found.accepted.tolist() == [False, True, False, False, False, True]
    assert found.rois.reasons[0] == "a vessel"
    assert found.tags["cell type"][:4] == ("", "pv", "", "pv")
    assert {traces.shape for traces in found.rois.traces.values()} == {(6, N_FRAMES)}
    assert np.isfinite(found.rois.traces["raw"]).all()
    write_suite2p(found, tmp_path / "out", mean_image=np.zeros(FRAME))
    assert import_rois(tmp_path / "out", FRAME).accepted.tolist() == found.accepted.tolist()
    export_nwb(database, key, tmp_path / "a.nwb", told=FACTS, segmentation=segmentation)
    assert import_rois(tmp_path / "a.nwb", FRAME).tags == {"cell type": found.tags["cell type"]}


@pytest.fixture
def tagged(filled, run_all, tmp_path):
    """A project whose ROIs are tagged, what is known of them, and the NWB file of it."""
    database, key = filled
    write_suite2p(as_long(suite2p_rois(FRAME)), tmp_path / "in", mean_image=np.zeros(FRAME))
    imported, _ = computed(database, key, tmp_path / "in", run_all)
    for label, roi_ids, tag in (("cell type", [1, 3], "pv"), ("region", [0, 1], "V1, L 2/3 µ")):
        add_label(database, ROI_TAG_TYPE, label)
        tag_rois(database, imported.segmentation, roi_ids, {label: tag})
    found = roi_file_of(database, imported.segmentation)
    segmentation = imported.segmentation
    export_nwb(database, key, tmp_path / "a.nwb", told=FACTS, segmentation=segmentation)
    return database, key, found, tmp_path / "a.nwb"


def test_tags_go_out_in_nwb_and_in_again(tagged, run_all):
    database, key, found, path = tagged
    assert found.tags["cell type"] == ("", "pv", "", "pv", "")
    going = going_with_label(database, ROI_TAG_TYPE, "cell type")
    delete_label(database, ROI_TAG_TYPE, "cell type", shown=going)

    imported, again = computed(database, key, path, run_all)

    assert imported.notes == []
    assert again.tags == found.tags
    assert (again.names, again.accepted.tolist()) == (found.names, found.accepted.tolist())
    for name, traces in found.rois.traces.items():
        np.testing.assert_array_equal(again.rois.traces[name], traces)
    done = history(database, imported.segmentation)
    account = database.given.RoiSet().to_arrays("account")[0]
    assert done[["kind", "n_rois", "account"]].to_numpy().tolist() == [["import", 3, account]]
    assert done["note"][0] == "with a.nwb: cell type, region"
    tag_rois(database, imported.segmentation, [1, 2], {"cell type": "sst"})
    undo_action(database, imported.segmentation)
    undo_action(database, imported.segmentation)
    assert roi_file_of(database, imported.segmentation).tags == {}


def test_the_same_file_is_taken_in_once_and_without_tags_where_these_are_not_wanted(
    tagged, run_all
):
    database, key, found, path = tagged
    one, _ = computed(database, key, path, run_all)
    rename_label(database, ROI_TAG_TYPE, "region", "area")
    n_tags = len(database.given.GivenTag())

    assert import_file(database, key, path).segmentation == one.segmentation
    assert (labels(database, ROI_TAG_TYPE), n_tags) == (["cell type", "area"], 4)
    assert len(database.given.GivenTag()) == n_tags
    bare = import_file(database, key, path, with_tags=False)
    run_all(database)
    assert roi_file_of(database, bare.segmentation).tags == {}
    assert roi_file_of(database, one.segmentation).tags["area"] == found.tags["region"]


def test_who_may_not_make_tag_types_is_told_all_that_are_missing(tagged, monkeypatch):
    database, key, _, path = tagged
    n_sets = len(database.given.RoiSet())
    for label in ("cell type", "region"):
        going = going_with_label(database, ROI_TAG_TYPE, label)
        delete_label(database, ROI_TAG_TYPE, label, shown=going)
    monkeypatch.setattr(database.connection, "role", "analyst")

    with pytest.raises(ProjectError, match="'cell type', 'region', which the project lacks"):
        import_file(database, key, path)

    assert len(database.given.RoiSet()) == n_sets
    assert labels(database, ROI_TAG_TYPE) == []
    assert import_file(database, key, path, with_tags=False).file.n_rois == 5


def test_nwb_asks_for_what_the_tables_lack(filled, tmp_path):
    database, key = filled
    told = {name: value for name, value in FACTS.items() if name not in ("indicator", "sex")}
    with pytest.raises(ValueError, match=r"does not know: sex \(.*; indicator \("):
        export_nwb(database, key, tmp_path / "a.nwb", told=told)
    database.animal.Animal().update1({"animal_id": "m1", "sex": "female"})
    with pytest.raises(ValueError, match=r"does not know: indicator \("):
        export_nwb(database, key, tmp_path / "a.nwb", told=told)
    wrong = {**FACTS, "session_start_time": "2026-11-21T14:03:00+01:00"}
    with pytest.raises(ProjectError, match="the session is of 2026-11-22"):
        export_nwb(database, key, tmp_path / "a.nwb", told=wrong)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_a_damaged_file_gets_into_the_tables(filled, tmp_path):
    database, key = filled
    write_suite2p(as_long(suite2p_rois(FRAME)), tmp_path / "in", mean_image=np.zeros(FRAME))
    spikes = tmp_path / "in" / "plane0" / "spks.npy"
    spikes.write_bytes(spikes.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"spks\.npy"):
        import_file(database, key, tmp_path / "in")
    short = some_rois(FRAME)
    write_caiman(short, tmp_path / "short.hdf5")
    with pytest.raises(ProjectError, match="50 frames"):
        import_file(database, key, tmp_path / "short.hdf5")
    assert not database.given.RoiSet()
    assert not database.roi.SegmentationTask()


def test_another_rate_is_told(filled, tmp_path):
    database, key = filled
    rois = replace(as_long(suite2p_rois(FRAME)), rate_hz=10.0)
    write_suite2p(rois, tmp_path / "in", mean_image=np.zeros(FRAME))
    assert "10 frames a second" in import_file(database, key, tmp_path / "in").notes[0]


def test_five_thousand_rois_are_entered_in_ten_seconds(filled, tmp_path):
    database, key = filled
    n_rois = 5000
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 96 * 70, n_rois)[:, None] + np.arange(8)
    columns = np.repeat(np.arange(n_rois), 8)
    weights = rng.uniform(1, 2, n_rois * 8).astype(np.float32)
    footprints = sparse.csc_array((weights, (rows.ravel(), columns)), shape=(96 * 80, n_rois))
    traces = {
        name: rng.normal(100, 5, (n_rois, N_FRAMES)).astype(np.float32)
        for name in ("raw", "neuropil", "spikes")
    }
    given = GivenRois(footprints=footprints, frame_shape=FRAME, traces=traces, source="suite2p")
    rois = RoiFile(rois=given, rate_hz=30.0, neuropil_coefficient=0.7)
    write_suite2p(rois, tmp_path / "in", mean_image=np.zeros(FRAME))

    start = time.process_time()
    imported = import_file(database, key, tmp_path / "in")
    seconds = time.process_time() - start

    assert len(database.given.RoiSet.Roi()) == n_rois
    assert imported.file.n_rois == n_rois
    assert seconds < 10 * float(os.environ.get("MESMERIZE_TEST_SLOWNESS", "1"))
