"""A segmentation that begins with the ROIs of another, or with masks from a file."""

import shutil

import numpy as np
import pytest
import tifffile
from scipy import sparse

from pipeline.extraction import CnmfParams
from pipeline.extraction.caiman_engine import CaimanParams
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.motion import MotionParams
from pipeline.params import params_hash
from pipeline.simulate import match_rois
from schemas.connection import connect
from schemas.deletion import delete_tasks
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.seeds import pack, unpack
from schemas.settings import PROJECT_VARIABLE, ProjectError

pytestmark = pytest.mark.db


@pytest.fixture
def lab(database, take_in):
    """A project with a recording, and a parameter set that accepts whatever is there."""
    take_in(database)
    add_params(database.roi.SegmentationParams, "lenient", CnmfParams(min_snr=0, min_rval=-1))
    return database


@pytest.fixture(scope="module")
def embedded_project(make_project):
    """A project on the embedded server; its tests leave no task behind."""
    return make_project(None).settings


@pytest.fixture
def surveyed(embedded_project, simulated, run_all):
    """The project with a recording that was read."""
    database = connect(embedded_project)
    if not database.session.Recording():
        file = database.settings.roots["data"] / "m.tif"
        shutil.copy(simulated[1], file)
        ingest(Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=30.0), [file])
        run_all(database)
    return database


@pytest.fixture
def masks(simulated, tmp_path):
    """Three of the planted cells as a label image."""
    footprints = simulated[0].footprints.toarray()
    labels = np.zeros(96 * 80, np.uint8)
    for number in range(3):
        labels[footprints[:, number] > 0.2 * footprints[:, number].max()] = number + 1
    tifffile.imwrite(tmp_path / "masks.tif", labels.reshape(96, 80))
    return tmp_path / "masks.tif"


def footprints_of(rois):
    """Return the matrix of some rows, in recorded frames."""
    rows = rois.to_dicts(order_by="roi_id")
    found = sparse.lil_array((96 * 80, len(rows)), dtype=np.float32)
    for column, row in enumerate(rows):
        found[row["pixels"], column] = row["weights"]
    return found.tocsc()


def test_masks_of_a_file_are_what_is_found(lab, masks, run_all, simulated):
    recordings = lab.session.Recording()

    assert submit_segmentation(recordings, "lenient", seeds=masks) == 1
    assert submit_segmentation(recordings, "lenient", seeds=masks) == 0
    assert submit_segmentation(recordings, "lenient") == 1
    assert {outcome.error for outcome in run_all(lab)} == {None}

    kept = lab.roi.SeedMasks().fetch1()
    assert (kept["name"], kept["n_rois"], kept["n_rows"], kept["n_cols"]) == (
        "masks.tif",
        3,
        96,
        80,
    )
    seeded = lab.roi.SegmentationTask() & {"seeds_id": kept["seeds_id"]}
    found = footprints_of(lab.roi.Segmentation.Roi() & seeded)
    assert found.shape[1] == 3
    matches = match_rois(simulated[0].footprints[:, :3], found)
    assert len(matches.pairs) == 3
    assert len(lab.roi.Segmentation.Roi() - seeded) > 3


def test_rois_of_an_earlier_segmentation_are_waited_for(lab, run_all):
    recordings = lab.session.Recording()
    add_params(lab.motion.MotionParams, "crop", MotionParams(border="crop"))
    submit_motion(recordings, "crop")
    submit_segmentation(recordings)
    submit_segmentation(recordings, "lenient", seeds="default")

    seeded = lab.roi.SegmentationTask() & "seeded_by IS NOT NULL"
    assert not lab.roi.Segmentation().key_source & seeded.keys()
    assert {outcome.error for outcome in run_all(lab)} == {None}

    first = footprints_of((lab.roi.Segmentation.Roi() - seeded) & {"accepted": True})
    second = footprints_of(lab.roi.Segmentation.Roi() & seeded)
    assert lab.motion.MotionCorrection().fetch1("cropped_px") > 0
    assert 0 < second.shape[1] <= first.shape[1]
    matches = match_rois(first, second)
    assert len(matches.pairs) == second.shape[1]
    assert np.median(matches.cosines) > 0.95


def test_what_others_begin_with_stays(lab, run_all):
    recordings = lab.session.Recording()
    submit_segmentation(recordings)
    submit_segmentation(recordings, "lenient", seeds="default")
    run_all(lab)
    seeded = lab.roi.SegmentationTask() & "seeded_by IS NOT NULL"
    first = lab.roi.SegmentationTask() & "seeded_by IS NULL"

    with pytest.raises(ProjectError, match="'lenient' of trial 't1' .* delete it first"):
        delete_tasks(lab, first)
    assert len(lab.roi.Segmentation()) == 2
    delete_tasks(lab, lab.roi.SegmentationTask() & seeded.keys())
    delete_tasks(lab, lab.roi.SegmentationTask() & first.keys())
    assert len(lab.roi.SegmentationTask()) == 0


def test_seeds_that_cannot_be_are_refused(lab, run_all, tmp_path):
    recordings = lab.session.Recording()
    np.save(tmp_path / "other.npy", np.eye(9, dtype=int))
    submit_segmentation(recordings, seeds=tmp_path / "other.npy")

    errors = [outcome.error for outcome in run_all(lab) if outcome.error]

    assert len(errors) == 1
    assert (
        "the seeds are of a frame of 9 x 9, and the frames of this recording have 96 x 80"
        in (errors[0])
    )
    with pytest.raises(ProjectError, match="the seeds are of a frame of 9 x 9, .* 96 x 80 pixels"):
        submit_segmentation(recordings, "lenient", seeds=tmp_path / "other.npy")  # is known by now
    with pytest.raises(ProjectError, match="no segmentation 'lenient' of the same movie"):
        submit_segmentation(recordings, seeds="lenient")
    with pytest.raises(ProjectError, match="there is no parameter set 'nobody'"):
        submit_segmentation(recordings, seeds="nobody")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (CnmfParams(gsig_px=(30, 30)), "gsig_px must be at most a quarter of the frame, 24 of 96"),
        (CnmfParams(border_px=40), "border_px must be below 40, half of a frame of 96 x 80"),
        (CnmfeParams(gsig_px=(3, 21)), "gsig_px must be at most a quarter of the frame, 20 of 80"),
        (CaimanParams(gsig_px=(21, 21), patch_half_px=None), "gsig_px must be at most a quarter"),
        (Cnmf3dParams(p=1), "has one plane and cnmf3d works on volumes"),
    ],
)
def test_what_cannot_be_computed_is_not_submitted(surveyed, params, sentence):
    name = f"set {params_hash(params)[:8]}"
    add_params(surveyed.roi.SegmentationParams, name, params)

    with pytest.raises((ProjectError, ValueError), match=sentence):
        submit_segmentation(surveyed.session.Recording(), name)

    assert len(surveyed.roi.SegmentationTask()) == 0


def test_one_photon_cells_begin_with_masks(surveyed, masks, run_all):
    submit_segmentation(surveyed.session.Recording(), "one-photon", seeds=masks)
    assert {outcome.error for outcome in run_all(surveyed)} == {None}

    assert 0 < surveyed.roi.Segmentation.fetch1("n_rois") <= 3  # more would have been sought
    surveyed.roi.SegmentationTask().delete(prompt=False)


def test_the_command_takes_a_file_or_a_name(lab, masks, mesmerize, monkeypatch):
    monkeypatch.setenv(PROJECT_VARIABLE, str(lab.settings.folder))
    submit = ("submit", "segmentation", "--seeds")

    assert mesmerize(*submit, masks)[1].startswith("1 new task")
    assert mesmerize("submit", "segmentation")[1].startswith("1 new task")
    code, _, said = mesmerize(*submit, "missing.tif")
    assert code == 1
    assert "there is no file missing.tif" in said


def test_packed_seeds_come_back_where_an_edge_was_cut_off():
    image = np.zeros((6, 8, 2), np.float32)
    image[2:4, 3:5, 0] = 0.5
    image[0, :, 1] = 1
    packed = pack(sparse.csc_array(image.reshape(48, 2)), (6, 8))

    whole = unpack(packed, (6, 8), 0)
    cropped = unpack(packed, (4, 6), 1)

    np.testing.assert_array_equal(whole.toarray(), image.reshape(48, 2))
    np.testing.assert_array_equal(cropped.toarray(), image[1:-1, 1:-1].reshape(24, 2))
    for frame_shape, width in (((8, 6), 0), ((6, 8), 1), ((2, 6, 8), 0)):
        with pytest.raises(ProjectError, match="seeds"):
            unpack(packed, frame_shape, width)
