"""What motion correction writes, refuses and warns of; how near it comes to planted truth."""

import numpy as np
import pytest
import zarr

from pipeline.motion import MotionParams, correct_motion
from pipeline.motion.memory import plan_work
from pipeline.motion.quality import flag_outliers, flag_shifts
from pipeline.movie import Movie
from pipeline.readers import open_movie
from pipeline.scaled import ScaledArray, scale_for, stored_values
from pipeline.simulate import TwoPhotonParams, simulate_two_photon

N_FRAMES = 120
SMALL = {"n_frames": N_FRAMES, "n_rows": 160, "n_cols": 160, "n_cells": 50}
STILL = {"max_shift_px": 0, "max_deviation_px": 0, "jump_rate_hz": 0}
DIM = {"cell_photons": 1.5, "background_photons": 1, "neuropil_photons": 0.5, "read_noise": 2}
PIECEWISE = MotionParams(overlap_px=(16, 16))
RIGID = MotionParams(mode="rigid")


def simulate(seed, **settings):
    params = TwoPhotonParams(**{**SMALL, **settings})
    return simulate_two_photon(params, rng=np.random.default_rng(seed))


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def moved_apart(found, truth):
    """Return what differs between frames: where the template lies is nobody's fault."""
    error = found - truth
    return rms(error - error.mean(axis=0))


def mean_shifts(simulated):
    return np.stack([simulated.displacement.field_px(t).mean((0, 1)) for t in range(N_FRAMES)])


def patch_shifts(simulated):
    middles = np.array([0, 48, 96]) + 31.5
    places = np.meshgrid(middles, middles, indexing="ij")
    return np.stack([simulated.displacement.at(t, *places) for t in range(N_FRAMES)])


@pytest.fixture
def correct(tmp_path):
    def run(movie, params, **settings):
        out = tmp_path / f"corrected{len(list(tmp_path.iterdir()))}.zarr"
        return correct_motion(movie, params, out=out, **settings)

    return run


@pytest.mark.parametrize("seed", range(5))
def test_the_residual_is_small_whatever_the_seed(correct, seed):
    simulated = simulate(seed)
    found = correct(simulated.movie, PIECEWISE)
    assert moved_apart(found.shifts_px, mean_shifts(simulated)) < 0.05
    assert moved_apart(found.patch_shifts_px, patch_shifts(simulated)) < 0.15
    assert found.quality.verdict == "improved"
    assert found.quality.residual_px < 0.05
    assert found.quality.residual_patch_px < 0.15


def test_a_still_movie_stays_still(correct):
    found = correct(simulate(0, **STILL).movie, RIGID)
    assert rms(found.shifts_px) < 0.025
    assert found.quality.border_px <= 1
    assert found.quality.verdict == "unchanged"


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_two_photons_a_pixel_are_enough(correct, params):
    simulated = simulate(1, **DIM)
    assert (simulated.movie[:].mean() - 100) / 20 < 2.5
    found = correct(simulated.movie, params)
    assert moved_apart(found.shifts_px, mean_shifts(simulated)) < 0.15
    if found.patch_shifts_px is not None:
        assert moved_apart(found.patch_shifts_px, patch_shifts(simulated)) < 0.3


@pytest.mark.parametrize("settings", [{}, STILL, DIM])
def test_what_is_said_to_be_left_is_near_the_truth(correct, settings):
    simulated = simulate(5, **settings)
    found = correct(simulated.movie, PIECEWISE)
    frames = moved_apart(found.shifts_px, mean_shifts(simulated))
    patches = moved_apart(found.patch_shifts_px, patch_shifts(simulated))
    assert 0.5 * frames < found.quality.residual_px < 2 * frames
    assert 0.6 * patches < found.quality.residual_patch_px < 1.6 * patches


@pytest.mark.parametrize("seed", range(2))
def test_a_glow_that_flickers_does_not_hide_the_motion(correct, seed):
    simulated = simulate(seed, max_deviation_px=0)
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((160, 160)) / 160
    glow = 6000 * np.exp(-((rows - 0.6) ** 2 + (cols - 0.45) ** 2) / 0.1)
    level = 1 + 0.2 * rng.normal(size=(N_FRAMES, 1, 1))
    noise = rng.normal(size=(N_FRAMES, 160, 160)) * np.sqrt(20 * glow)
    frames = (simulated.movie[:] + glow * level + noise).astype(np.float32)
    found = correct(Movie(source=frames), MotionParams(mode="rigid", highpass_gsig_px=4))
    assert moved_apart(found.shifts_px, mean_shifts(simulated)) < 0.3


def test_the_template_lies_at_the_median_place(correct):
    found = correct(simulate(2).movie, PIECEWISE)
    assert np.abs(np.median(found.shifts_px, axis=0)).max() < 0.3
    assert np.abs(np.median(found.patch_shifts_px, axis=0)).max() < 0.5


def test_a_template_that_is_given_is_used(correct):
    simulated = simulate(3, max_deviation_px=0)
    first = correct(simulated.movie, RIGID)
    moved = np.roll(first.template, (2, -3), (0, 1))
    again = correct(simulated.movie, RIGID, template=moved)
    np.testing.assert_array_equal(again.template, moved)
    difference = again.shifts_px - first.shifts_px
    np.testing.assert_allclose(difference, np.broadcast_to((-2, 3), difference.shape), atol=0.1)


def test_a_template_of_another_shape_is_refused(correct):
    with pytest.raises(ValueError, match=r"template has shape \(60, 160\), but the frames of"):
        correct(simulate(0).movie, RIGID, template=np.zeros((60, 160)))


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_shifts_of_one_channel_are_undone_in_another(correct, params):
    anatomy = simulate(3)
    # cells that light up at random, dim, on the same tissue: useless for registration
    rng = np.random.default_rng(0)
    field = [anatomy.displacement.field_px(t).mean((0, 1)) for t in range(N_FRAMES)]
    spots = rng.poisson(2.0, (N_FRAMES, 160, 160)).astype(np.uint16)
    for frame, shift in zip(spots, np.rint(field).astype(int), strict=True):
        frame[80 + shift[0], 70 + shift[1]] = 200
    alone = correct(anatomy.movie, params)
    found = correct(Movie(source=spots), params, registration_movie=anatomy.movie)
    np.testing.assert_array_equal(found.shifts_px, alone.shifts_px)
    assert found.quality.verdict == "improved"
    before, after = spots.mean(axis=0), found.movie[:].mean(axis=0)
    assert after.max() > 1.5 * before.max()
    np.testing.assert_array_equal(found.template, alone.template)


def test_channels_of_different_shape_are_refused(correct):
    movies = [Movie(source=np.zeros((n, 64, 64)), name=f"{n}.tif") for n in (20, 21)]
    with pytest.raises(ValueError, match="21.tif, in which .* 20.tif .*; give two channels"):
        correct(movies[0], RIGID, registration_movie=movies[1])


@pytest.mark.parametrize("part", [0.0, 0.7])
def test_a_template_can_follow_tissue_that_changes(correct, part):
    first, last = (simulate(seed, **STILL).noiseless[:1][0] for seed in (1, 2))
    ramp = np.clip(np.linspace(-0.5, 2, 4096), 0, 1)[:, np.newaxis, np.newaxis]
    crop = np.s_[20:84, 20:84]
    frames = ((1 - ramp) * first[crop] + ramp * last[crop]).astype(np.float32)
    frames += np.random.default_rng(0).normal(0, 20, frames.shape).astype(np.float32)
    shifted = np.roll(frames, 2, axis=2)
    frames[1::2] = shifted[1::2]
    params = MotionParams(mode="rigid", max_shift_px=(4, 4), template_update=part)
    found = correct(Movie(source=frames), params, template=first[crop])
    late = found.shifts_px[-500:]
    jumps = np.abs(np.diff(late[:, 1]))
    follows = np.abs(jumps - 2).max() < 0.5
    assert follows == (part > 0)


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_whole_numbers_are_read_back_as_they_were(correct, dtype):
    movie = simulate(4).movie
    real = correct(movie, PIECEWISE)
    whole = correct(movie, MotionParams(overlap_px=(16, 16), dtype=dtype))
    np.testing.assert_array_equal(whole.patch_shifts_px, real.patch_shifts_px)
    read = open_movie(whole.movie.files[0], rate_hz=30.0)
    assert zarr.open_array(whole.movie.files[0]).dtype == dtype
    assert read.dtype == whole.movie.dtype == np.float32
    np.testing.assert_array_equal(read[:], whole.movie[:])
    step = whole.movie.source.scale.factor
    assert step < 0.5
    assert np.abs(read[:] - real.movie[:]).max() <= 0.51 * step


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_nothing_is_clipped_or_wrapped(correct, dtype):
    rng = np.random.default_rng(0)
    frames = rng.choice([-3e4, 5e4], size=(30, 96, 96)).astype(np.float32)
    frames += 1e4 * simulate(0, n_rows=96, n_cols=96, n_cells=10, n_frames=30).movie[:]
    real = correct(Movie(source=frames), RIGID)
    whole = correct(Movie(source=frames), MotionParams(mode="rigid", dtype=dtype))
    step = whole.movie.source.scale.factor
    assert np.abs(whole.movie[:] - real.movie[:]).max() <= 0.6 * step


def test_nan_is_not_stored_as_a_whole_number(correct):
    frames = simulate(0).movie[:20].astype(np.float32)
    frames[3, 5, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite, which int16 cannot hold; set dtype"):
        correct(Movie(source=frames), MotionParams(mode="rigid", dtype="int16"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_the_scale_holds_its_limits(dtype):
    values = np.array([-7.25, 0.0, 1234.5], np.float32)
    scale = scale_for(dtype, -7.25, 1234.5)
    stored = stored_values(values, dtype, scale)
    read = ScaledArray(stored.reshape(3, 1, 1), scale)[:].ravel()
    np.testing.assert_allclose(read, values, atol=0.51 * scale.factor)


def test_cropping_leaves_what_every_frame_shows(correct):
    movie = simulate(5).movie
    marked = correct(movie, MotionParams(overlap_px=(16, 16), border="nan"))
    cropped = correct(movie, MotionParams(overlap_px=(16, 16), border="crop"))
    edge = cropped.quality.cropped_px
    assert edge == marked.quality.border_px > 2
    assert cropped.quality.border_px == 0
    assert cropped.movie.shape == (N_FRAMES, 160 - 2 * edge, 160 - 2 * edge)
    np.testing.assert_array_equal(cropped.movie[:], marked.movie[:][:, edge:-edge, edge:-edge])
    assert cropped.template.shape == (160, 160)


def test_frames_of_no_use_are_named_with_the_reason(correct):
    frames = simulate(6).movie[:].astype(np.float32)
    frames[10] = 0
    frames[11] = np.nan
    frames[40] = np.random.default_rng(0).normal(size=frames[40].shape)
    found = correct(Movie(source=frames), PIECEWISE)
    unusable = found.quality.unusable
    assert unusable["no contrast"] == [10, 11]
    assert 40 in [*unusable.get("unlike the others", []), *unusable.get("shift at its limit", [])]
    assert found.quality.n_unusable == 3
    assert found.quality.border_px < 10


def test_a_shift_at_its_limit_is_suspect():
    shifts = np.zeros((20, 1, 2), np.float32)
    shifts[3], shifts[7] = (0, -6), (4, 4)
    flags = flag_shifts(shifts, np.arange(20) == 9, max_shift_px=(6, 6))
    np.testing.assert_array_equal(np.flatnonzero(flags), [3, 9])


def test_a_sudden_shift_is_suspect_only_if_the_frame_is_unlike():
    rng = np.random.default_rng(0)
    shifts = np.zeros((200, 1, 2), np.float32)
    shifts[50], shifts[100] = (5, 0), (5, 0)
    correlations = rng.normal(0.8, 0.005, 200).astype(np.float32)
    correlations[100] -= 0.04
    correlations[150] -= 0.3
    flags = flag_outliers(shifts, correlations, np.zeros(200, np.uint8))
    np.testing.assert_array_equal(np.flatnonzero(flags), [100, 150])


def test_the_wrong_template_makes_it_worse_and_the_verdict_says_so(correct):
    movie = simulate(7, **STILL).movie
    wrong = correct(simulate(8, **STILL).movie, RIGID).template
    found = correct(movie, RIGID, template=wrong)
    assert found.quality.verdict == "worse"


class HugeFrames:
    """A movie of frames that no memory holds, which nobody reads."""

    shape, dtype = (100, 8192, 8192), np.dtype(np.uint16)

    def __getitem__(self, frames):
        raise AssertionError(frames)


def test_a_frame_too_large_for_the_memory_is_refused(correct):
    with pytest.raises(ValueError, match="too little for movie, .* 8192 x 8192 .* at least"):
        correct(Movie(source=HugeFrames()), RIGID)


def test_blocks_shrink_only_after_the_threads():
    movie = Movie(source=np.zeros((1, 512, 512), np.uint16))
    plenty = plan_work(movie, threads=2, memory_bytes=10**9)
    assert plenty == (32, 2)
    few = [plan_work(movie, threads=2, memory_bytes=n) for n in (150_000_000, 80_000_000)]
    assert few[0].threads == few[1].threads == 1
    assert few[1].block_frames < few[0].block_frames <= plenty.block_frames


@pytest.mark.parametrize("shape", [(70, 70), (71, 97)])
def test_a_single_patch_and_odd_frames(correct, shape):
    simulated = simulate(9, n_rows=128, n_cols=128, n_cells=20, max_deviation_px=0)
    frames = simulated.movie[:][:, : shape[0], : shape[1]]
    params = MotionParams(stride_px=(48, 48), overlap_px=(16, 16))
    found = correct(Movie(source=frames), params)
    assert found.movie.shape == (N_FRAMES, *shape)
    assert moved_apart(found.shifts_px, mean_shifts(simulated)) < 0.15
