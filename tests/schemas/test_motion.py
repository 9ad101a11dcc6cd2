"""Motion correction of volumes and of recordings with several channels, from file to rows."""

import numpy as np
import pytest
import tifffile

from pipeline.motion import MotionParams
from pipeline.readers import open_movie
from pipeline.simulate import VolumeParams, simulate_volume
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.store import stored_path

pytestmark = pytest.mark.db

TRIAL = {"animal": "m1", "session": "2026-11-22", "trial": "t1"}


def populated(database, run_all, params):
    add_params(database.motion.MotionParams, "mine", params)
    submit_motion(database.session.Recording(), "mine")
    outcomes = run_all(database)
    steps = ["recording_info", "motion_correction", "motion_preview"]
    assert [(each.step, each.error) for each in outcomes] == [(step, None) for step in steps]
    return database.motion.MotionCorrection.fetch1()


@pytest.fixture
def channels(simulated):
    """A channel of noise in which nothing can be seen, and one with the cells."""
    anatomy = simulated[0].movie[:]
    noise = np.random.default_rng(0).poisson(20, anatomy.shape).astype(anatomy.dtype)
    return np.stack([noise, anatomy], axis=1)


def test_shifts_found_in_one_channel_are_undone_in_the_other(
    database, run_all, channels, simulated
):
    file = database.settings.roots["data"] / "two.ome.tif"
    tifffile.imwrite(file, channels, metadata={"axes": "TCYX"})
    ingest(Trial(**TRIAL, rate_hz=30.0, channel=0), [file])
    params = MotionParams(mode="rigid", registration_channel=1)
    row = populated(database, run_all, params)
    shifts = row["shifts_px"] - simulated[0].shifts_px
    assert np.sqrt(shifts.var(axis=0).mean()) < 0.3
    assert row["verdict"] == "improved"
    movie = open_movie(stored_path(database.settings, row["movie"]), rate_hz=30.0)
    assert movie[:].mean() == pytest.approx(20, abs=0.5)


def test_a_channel_that_the_file_lacks_is_named_in_the_error(database, run_all, take_in):
    take_in(database)
    params = MotionParams(mode="rigid", registration_channel=1)
    add_params(database.motion.MotionParams, "mine", params)
    submit_motion(database.session.Recording(), "mine")
    errors = [outcome.error for outcome in run_all(database) if outcome.error]
    assert len(errors) == 1
    assert "has one channel, counted from 0; got channel 1" in str(errors[0])


def test_a_volume_goes_through_with_shifts_across_planes(database, run_all):
    file = database.settings.roots["data"] / "volume.tif"
    params = VolumeParams(
        n_frames=40, n_planes=6, n_rows=64, n_cols=72, n_cells=14, max_deviation_px=0
    )
    simulated = simulate_volume(params, rng=np.random.default_rng(0), out=file)
    ingest(Trial(**TRIAL, rate_hz=10.0, axes="TZYX"), [file])
    row = populated(
        database, run_all, MotionParams(mode="rigid", max_shift_px=(2, 8, 8), border="crop")
    )
    assert row["shifts_px"].shape == (40, 3)
    shifts = row["shifts_px"] - simulated.shifts_px
    assert np.sqrt(shifts.var(axis=0)).max() < 0.15
    assert (row["border_planes"], row["cropped_planes"]) == (0, 2)
    assert row["template"].shape == (6, 64, 72)
    preview = database.motion.MotionPreview.fetch1()
    assert preview["mean_image"].shape[0] == 2
