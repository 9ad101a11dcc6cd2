"""Volumes from a file to rows, on both servers."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction.volume import Cnmf3dParams
from pipeline.motion import MotionParams
from pipeline.simulate import VolumeParams, match_rois, simulate_volume
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import VOLUME, add_params
from schemas.roi import submit_segmentation
from schemas.settings import ProjectError

pytestmark = pytest.mark.db
KEY = Trial(animal="m1", session="2026-11-22", trial="deep", rate_hz=10.0)
SHAPE = 6, 72, 64


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """A small volume that moves, in a TIFF file, and its truth."""
    params = VolumeParams(
        n_frames=150,
        n_planes=SHAPE[0],
        n_rows=SHAPE[1],
        n_cols=SHAPE[2],
        n_cells=8,
        burst_rate_hz=0.3,
        max_shift_px=2,
        max_deviation_px=0,
        max_plane_shift_px=0.6,
    )
    out = tmp_path_factory.mktemp("volume") / "volume.tif"
    return simulate_volume(params, rng=np.random.default_rng(2), out=out), out


@pytest.fixture
def deep(database, volume):
    """A project with the volume as a trial, on each of the servers."""
    return _with_volume(database, volume[1])


@pytest.fixture
def deep_embedded(embedded, volume):
    """The same on the embedded server."""
    return _with_volume(embedded, volume[1])


def _with_volume(database, movie):
    file = database.settings.roots["data"] / "volume.tif"
    file.write_bytes(movie.read_bytes())
    ingest(KEY, [file])
    return database


def footprints_of(rois):
    found = sparse.lil_array((np.prod(SHAPE), len(rois)))
    for column, roi in enumerate(rois):
        found[roi["pixels"], column] = roi["weights"]
    return found.tocsc()


def test_cells_of_a_volume_lie_where_they_were_recorded(deep, volume, run_all):
    recordings = deep.session.Recording()
    rigid = MotionParams(mode="rigid", max_shift_px=(1, 4, 4), border="crop")
    add_params(deep.motion.MotionParams, "deep", rigid)
    add_params(deep.roi.SegmentationParams, "deep", Cnmf3dParams(gsig_px=(1.2, 5, 5)))
    submit_motion(recordings, "deep")
    submit_segmentation(recordings, "deep")
    assert {outcome.error for outcome in run_all(deep)} == {None}

    correction = deep.motion.MotionCorrection.fetch1()
    segmentation = deep.roi.Segmentation.fetch1()
    rois = (deep.roi.Segmentation.Roi * deep.roi.Trace.Roi & {"accepted": True}).to_dicts()

    assert correction["cropped_planes"] > 0
    assert correction["cropped_px"] > 0
    assert segmentation["border_planes"] == correction["border_planes"]
    assert len(rois) >= 4
    assert match_rois(volume[0].footprints, footprints_of(rois)).precision > 0.7
    for roi in rois:
        planes, rows, cols = np.unravel_index(roi["pixels"], SHAPE)
        centroid = [roi[f"centroid_{axis}_px"] for axis in ("plane", "row", "col")]
        weights = roi["weights"] / roi["weights"].sum()
        np.testing.assert_allclose(
            centroid, [planes @ weights, rows @ weights, cols @ weights], atol=1e-3
        )
        assert planes.min() >= correction["cropped_planes"]
        here = planes == round(centroid[0])
        assert rows[here].min() - 1 <= roi["contour_px"][:, 0].min()
        assert roi["contour_px"][:, 1].max() <= cols[here].max() + 1
        assert roi["raw"].shape == (150,)


def test_cells_are_found_plane_by_plane(deep_embedded, run_all):
    deep = deep_embedded
    each = Cnmf3dParams(planes="each")
    add_params(deep.roi.SegmentationParams, "each", each)
    submit_segmentation(deep.session.Recording(), "each", as_recorded=True)
    assert {outcome.error for outcome in run_all(deep)} == {None}

    planes = deep.roi.Segmentation.Roi.to_arrays("centroid_plane_px")

    assert planes.size > SHAPE[0]
    np.testing.assert_array_equal(planes, np.round(planes))


def test_a_method_of_one_plane_is_not_submitted_for_a_volume(deep_embedded, run_all):
    run_all(deep_embedded)
    recordings = deep_embedded.session.Recording()
    refusal = "trial 'deep' of animal 'm1' has 6 planes and cnmf works on one: use .*cnmf3d"

    with pytest.raises(ProjectError, match=refusal):
        submit_segmentation(recordings)
    assert not deep_embedded.roi.SegmentationTask()
    assert submit_segmentation(recordings, VOLUME) == 1


def test_a_method_of_volumes_is_not_submitted_for_a_plane(embedded, take_in, run_all):
    take_in(embedded)
    run_all(embedded)

    with pytest.raises(ProjectError, match="one plane and cnmf3d works on volumes: use .*cnmf or"):
        submit_segmentation(embedded.session.Recording(), VOLUME)


def test_a_job_that_was_submitted_too_early_says_what_to_use(deep_embedded, run_all):
    submit_segmentation(deep_embedded.session.Recording())  # nothing is known of the movie yet

    (error,) = {outcome.error for outcome in run_all(deep_embedded)} - {None}

    assert "is a volume of shape (150, 6, 72, 64): use the method cnmf3d" in str(error)
