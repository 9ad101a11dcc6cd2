"""Motion correction, from a movie to a corrected movie."""

import tracemalloc

import numpy as np
import pytest
import zarr

from pipeline.motion import MotionParams, correct_motion
from pipeline.movie import Movie
from pipeline.simulate import TwoPhotonParams, simulate_two_photon

RIGID = MotionParams(mode="rigid", max_shift_px=(8, 8))
PIECEWISE = MotionParams(stride_px=(32, 32), overlap_px=(16, 16), max_shift_px=(8, 8))


def tissue(shifts_px, shape=(96, 80), seed=0):
    """Draw blobs whose centres are shifted exactly, and go on beyond the edges."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-20, np.add(shape, 20), (150, 2))
    heights = rng.uniform(50, 150, 150)
    rows, cols = (np.arange(length) for length in shape)
    frames = []
    for shift in shifts_px:
        down, right = (centers + shift).T
        across = np.exp(-((rows[:, np.newaxis] - down) ** 2) / 18) * heights
        frames.append(across @ np.exp(-((cols[:, np.newaxis] - right) ** 2) / 18).T)
    return np.stack(frames)


def noisy(frames, sigma, seed=1):
    return frames + np.random.default_rng(seed).normal(0, sigma, frames.shape)


def walk(n_frames, size, seed=2):
    return np.random.default_rng(seed).uniform(-size, size, (n_frames, 2))


def centered(shifts):
    return shifts - np.mean(shifts, axis=0)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.fixture
def correct(tmp_path):
    def run(source, params=RIGID, **settings):
        movie = source if isinstance(source, Movie) else Movie(source=source)
        out = tmp_path / f"corrected{len(list(tmp_path.iterdir()))}.zarr"
        return correct_motion(movie, params, out=out, **settings)

    return run


@pytest.fixture(scope="module")
def simulated():
    params = TwoPhotonParams(n_frames=150, n_rows=160, n_cols=144, n_cells=45, rate_hz=8)
    return simulate_two_photon(params, rng=np.random.default_rng(3))


@pytest.fixture(scope="module")
def corrected(simulated, tmp_path_factory):
    out = tmp_path_factory.mktemp("motion") / "corrected.zarr"
    return correct_motion(simulated.movie, MotionParams(), out=out)


def test_rigid_shifts_of_the_simulated_movie_are_found(simulated, corrected):
    fields = [simulated.displacement.field_px(t).mean(axis=(0, 1)) for t in range(150)]
    assert rms(centered(corrected.shifts_px - fields)) < 0.1


def test_patch_shifts_of_the_simulated_movie_are_found(simulated, corrected):
    rows, cols = (np.append(np.arange(0, n - 72, 48), n - 72) + 35.5 for n in (160, 144))
    places = np.meshgrid(rows, cols, indexing="ij")
    truth = np.stack([simulated.displacement.at(t, *places) for t in range(150)])
    assert corrected.patch_shifts_px.shape == truth.shape == (150, 3, 3, 2)
    error = corrected.patch_shifts_px - truth
    assert rms(error - error.mean(axis=(0, 1, 2))) < 0.2
    assert rms(centered(error)) < 0.1


def test_the_corrected_movie_is_sharper_and_says_so(corrected):
    quality = corrected.quality
    assert quality.verdict == "improved"
    assert quality.crispness_after > 1.1 * quality.crispness_before
    assert quality.mean_correlation_after > quality.mean_correlation_before + 0.05
    assert quality.correlation_after.shape == (150,)
    assert 5 < quality.largest_shift_px <= quality.border_px + 0.05
    assert quality.border_px == np.ceil(np.abs(corrected.patch_shifts_px).max() - 0.05)


def test_the_corrected_movie_is_a_lazy_float32_movie(simulated, corrected):
    assert isinstance(corrected.movie.source, zarr.Array)
    assert corrected.movie.shape == simulated.movie.shape
    assert corrected.movie.dtype == np.float32
    assert corrected.movie.rate_hz == simulated.movie.rate_hz
    assert corrected.movie.pixel_size_um == simulated.movie.pixel_size_um
    assert corrected.movie.source.chunks[0] == 64
    assert corrected.template.shape == (160, 144)


def test_piecewise_undoes_what_rigid_leaves(simulated, corrected, correct):
    rigid = correct(simulated.movie, MotionParams(mode="rigid"))
    assert rigid.patch_shifts_px is None
    assert corrected.quality.crispness_after > rigid.quality.crispness_after
    gain = corrected.quality.correlation_after - rigid.quality.correlation_after
    assert gain.mean() > 0


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_whole_pixel_shifts_are_found(correct, params):
    planted = np.rint(walk(20, 5))
    found = correct(noisy(tissue(planted), 5), params)
    assert rms(centered(found.shifts_px - planted)) < 0.03


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_fractions_of_a_pixel_are_found_without_bias(correct, params):
    planted = walk(60, 3)
    found = correct(noisy(tissue(planted), 5), params)
    error = centered(found.shifts_px - planted)
    assert rms(error) < 0.05
    for axis in (0, 1):
        fraction = planted[:, axis] - np.rint(planted[:, axis])
        slope = np.polyfit(fraction, error[:, axis], 1)[0]
        assert abs(slope) < 0.05


def test_a_shift_is_how_far_the_content_lies_from_the_template(correct):
    planted = np.zeros((12, 2))
    planted[7] = (4, -3)
    found = correct(tissue(planted))
    np.testing.assert_allclose(found.shifts_px[7] - found.shifts_px[0], (4, -3), atol=0.03)


def test_content_lands_where_the_template_has_it(correct):
    planted = walk(30, 4)
    found = correct(tissue(planted))
    still = tissue((planted - found.shifts_px).mean(axis=0, keepdims=True))[0]
    core = np.s_[8:-8, 8:-8]
    error = found.movie[:][:, *core] - still[core]
    assert rms(error) < 0.02 * still.std()


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_a_still_noisy_movie_stays_still(correct, params):
    found = correct(noisy(tissue(np.zeros((60, 2))), 30), params)
    assert rms(found.shifts_px) < 0.05
    assert found.quality.verdict == "unchanged"


def test_a_movie_that_rests_at_two_places_gives_no_double_image(correct):
    planted = np.repeat([[0, 0], [0, 7]], 30, axis=0).astype(float)
    found = correct(noisy(tissue(planted), 20))
    assert rms(centered(found.shifts_px - planted)) < 0.05


def stretched(wave, shape=(128, 128), seed=5):
    """Draw blobs displaced by minus a wave at the first row, to plus the wave at the last."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-10, 138, (150, 2))
    rows, cols = np.indices(shape)
    gain = np.linspace(-1, 1, shape[0])[:, np.newaxis]
    rows, cols = rows - gain * wave[0], cols - gain * wave[1]
    return sum(100 * np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 18) for r, c in centers)


def test_a_planted_field_is_found_patch_by_patch(correct):
    waves = walk(40, 1.5)
    found = correct(noisy(np.stack([stretched(wave) for wave in waves]), 5), PIECEWISE)
    middles = np.array([0, 32, 64, 80]) + 23.5
    truth = np.multiply.outer(waves, middles / 63.5 - 1).swapaxes(1, 2)[:, :, np.newaxis]
    assert found.patch_shifts_px.shape == (40, 4, 4, 2)
    assert rms(centered(found.patch_shifts_px - truth)) < 0.1


def test_deviation_is_limited(correct):
    params = MotionParams(stride_px=(32, 32), overlap_px=(16, 16), max_deviation_px=0.5)
    found = correct(noisy(tissue(walk(10, 3)), 300), params)
    deviation = found.patch_shifts_px - found.shifts_px[:, np.newaxis, np.newaxis]
    # from what is found for the whole frame, which lies within as much of the mean
    assert 0.5 < np.abs(deviation).max() <= 2 * 0.5 + 1e-5


def test_no_deviation_is_rigid(correct):
    params = MotionParams(stride_px=(32, 32), overlap_px=(16, 16), max_deviation_px=0)
    found = correct(tissue(walk(10, 3)), params)
    expected = np.broadcast_to(found.shifts_px[:, np.newaxis, np.newaxis], (10, 3, 2, 2))
    np.testing.assert_allclose(found.patch_shifts_px, expected, atol=1e-6)


def test_shift_is_limited(correct):
    planted = np.zeros((12, 2))
    planted[3] = (9, 0)
    found = correct(tissue(planted), MotionParams(mode="rigid", max_shift_px=(4, 6)))
    assert np.abs(found.shifts_px[:, 0]).max() <= 4


def test_planes_of_a_volume_move_together(correct):
    planted = walk(20, 4)
    planes = [noisy(tissue(planted, seed=s), 40, seed=s) for s in (3, 4, 5)]
    found = correct(np.stack(planes, axis=1), RIGID)
    assert found.movie.shape == (20, 3, 96, 80)
    assert found.template.shape == (3, 96, 80)
    assert found.shifts_px.shape == (20, 2)
    assert rms(centered(found.shifts_px - planted)) < 0.1
    assert found.quality.verdict == "improved"


def test_piecewise_works_on_volumes(correct):
    planted = walk(10, 3)
    planes = [tissue(planted, seed=s) for s in (3, 4)]
    found = correct(np.stack(planes, axis=1), PIECEWISE)
    assert found.patch_shifts_px.shape == (10, 3, 2, 2)
    assert rms(centered(found.patch_shifts_px - planted[:, np.newaxis, np.newaxis])) < 0.1


def test_one_photon_glow_does_not_hide_the_motion(correct):
    planted = walk(40, 4)
    rows, cols = np.indices((96, 80)) / 80
    glow = 3000 * np.exp(-((rows - 0.6) ** 2) - (cols - 0.5) ** 2)
    level = 1 + 0.2 * np.random.default_rng(0).normal(size=(40, 1, 1))
    movie = noisy(tissue(planted) + glow * level, 20)
    found = correct(movie, MotionParams(mode="rigid", highpass_gsig_px=3, max_shift_px=(8, 8)))
    assert rms(centered(found.shifts_px - planted)) < 0.1


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_one_frame_is_a_movie(correct, params):
    found = correct(noisy(tissue([(0, 0)]), 10), params)
    assert rms(found.shifts_px) < 0.05
    assert found.quality.verdict == "unchanged"


@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_constant_frames_do_not_move(correct, params):
    found = correct(np.full((5, 64, 64), 0.1, np.float32), params)
    assert not found.shifts_px.any()
    np.testing.assert_array_equal(found.movie[:], np.float32(0.1))
    assert found.quality.mean_correlation_after == 0
    assert found.quality.verdict == "unchanged"


def test_a_dark_frame_among_others_does_not_move(correct):
    frames = tissue(np.zeros((10, 2)))
    frames[4] = 0
    found = correct(frames, PIECEWISE)
    assert not found.shifts_px[4].any()
    assert np.isnan(found.quality.correlation_after[4])
    assert found.quality.mean_correlation_after > 0.99


def test_nan_counts_as_the_mean_and_stays(correct):
    planted = walk(20, 3)
    frames = tissue(planted)
    holes = frames.copy()
    holes[5] = np.nan
    holes[:, 40:43, 30:33] = np.nan
    found, clean = correct(holes, PIECEWISE), correct(frames, PIECEWISE)
    assert not found.shifts_px[5].any()
    assert np.isnan(found.movie[5]).all()
    others = np.delete(np.arange(20), 5)
    assert rms(centered((found.shifts_px - clean.shifts_px)[others])) < 0.1
    lost = np.isnan(found.movie[0:1]).sum()
    assert 9 <= lost <= 11 * 11
    assert np.isfinite(found.template).all()


def test_border_is_copied_or_marked(correct):
    planted = np.zeros((12, 2))
    planted[7] = (5, -3)
    copied = correct(tissue(planted))
    marked = correct(tissue(planted), MotionParams(mode="rigid", max_shift_px=(8, 8), border="nan"))
    assert np.isfinite(copied.movie[:]).all()
    lost = np.isnan(marked.movie[7])
    assert lost[-5:].all()
    assert lost[:, :3].all()
    assert not lost[1:-6, 4:-1].any()
    np.testing.assert_array_equal(marked.movie[7][~lost], copied.movie[7][~lost])
    assert marked.quality.border_px in (5, 6)


def test_nothing_wraps_around(correct):
    planted = np.zeros((12, 2))
    planted[7] = (6, 0)
    frames = tissue(planted)
    frames[:, :4] += 1000
    found = correct(frames)
    assert found.movie[7][-12:].max() < 500


@pytest.mark.parametrize("shape", [(61, 53), (97, 101), (64, 200)])
@pytest.mark.parametrize("params", [RIGID, PIECEWISE])
def test_odd_sizes(correct, shape, params):
    planted = walk(10, 3)
    found = correct(tissue(planted, shape), params)
    assert found.movie.shape == (10, *shape)
    assert rms(centered(found.shifts_px - planted)) < 0.06


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f2", "f4", "f8", ">u2", "?"]
)
def test_every_real_type_of_pixel(correct, dtype):
    planted = np.rint(walk(8, 4))
    frames = tissue(planted)
    frames = frames > 150 if dtype == "?" else frames / frames.max() * 120
    found = correct(frames.astype(dtype))
    assert rms(centered(found.shifts_px - planted)) < 0.15
    assert found.movie.dtype == np.float32


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_the_movie_is_not_changed(correct, dtype):
    frames = tissue(walk(6, 3)).astype(dtype)
    before = frames.copy()
    frames.flags.writeable = False
    correct(frames, PIECEWISE)
    np.testing.assert_array_equal(frames, before)


def test_threads_and_memory_do_not_change_a_bit(correct):
    frames = noisy(tissue(walk(150, 4)), 20)
    one = correct(frames, PIECEWISE, threads=1)
    for other in (
        correct(frames, PIECEWISE, threads=2),
        correct(frames, PIECEWISE, threads=3, memory_bytes=8_000_000),
    ):
        np.testing.assert_array_equal(one.movie[:], other.movie[:])
        np.testing.assert_array_equal(one.patch_shifts_px, other.patch_shifts_px)
        np.testing.assert_array_equal(one.template, other.template)
        assert one.quality.crispness_after == other.quality.crispness_after


class EndlessFrames:
    """A movie larger than memory: it repeats a few frames."""

    def __init__(self, frames, n_frames):
        self.frames, self.shape, self.dtype = frames, (n_frames, *frames.shape[1:]), frames.dtype

    def __getitem__(self, frames):
        return self.frames[np.arange(self.shape[0])[frames] % len(self.frames)]


def peak_bytes(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_and_does_not_grow_with_the_movie(correct):
    frames = noisy(tissue(walk(50, 4)), 20).astype("u2")
    budget = 30_000_000
    peaks = [
        peak_bytes(lambda n=n: correct(EndlessFrames(frames, n), PIECEWISE, memory_bytes=budget))
        for n in (500, 1500)
    ]
    assert max(peaks) < budget
    assert peaks[1] < 1.1 * peaks[0] + 1_000_000


@pytest.mark.parametrize(
    "phase",
    [
        "reading frames for the template",
        "looking for still frames",
        "template 2 of 2: shifts",
        "template 2 of 2: mean",
        "correcting motion",
    ],
)
def test_progress_may_cancel_in_each_phase(correct, phase):
    def cancel(now, done, _):
        if now == phase and done:
            raise InterruptedError(now)

    with pytest.raises(InterruptedError, match=phase):
        correct(tissue(walk(30, 3)), progress=cancel)


def test_progress_counts_all_frames(correct):
    told = []
    correct(tissue(walk(70, 3)), progress=lambda *report: told.append(report))
    assert [report for report in told if report[0] == "correcting motion"] == [
        ("correcting motion", done, 70) for done in (0, 64, 70)
    ]


def test_an_existing_result_is_not_overwritten(tmp_path):
    out = tmp_path / "corrected.zarr"
    out.mkdir()
    with pytest.raises(FileExistsError, match="exists already; remove it"):
        correct_motion(Movie(source=tissue([(0, 0)])), RIGID, out=out)


def test_complex_pixels_are_refused(correct):
    with pytest.raises(ValueError, match="pixels of movie are complex128; .* convert"):
        correct(np.zeros((3, 64, 64), complex))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r"stride_px \+ overlap_px = 48 \+ 24 = 72 rows is larger than the frame of 60; lower"),
        ({"max_shift_px": (30, 5)}, "max_shift_px = 30 is too large .* 60 rows; .* at most 26"),
        (
            {"max_shift_px": (5, 90), "mode": "rigid"},
            "max_shift_px = 90 is too large .* 100 columns; .* at most 46",
        ),
        (
            {"stride_px": (20, 20), "overlap_px": (5, 5), "max_deviation_px": 10},
            "max_deviation_px = 10 is too large for a patch of 25 rows; lower it to at most 8.5",
        ),
    ],
)
def test_settings_that_do_not_fit_the_frame_are_refused(correct, params, message):
    with pytest.raises(ValueError, match=message):
        correct(np.zeros((3, 60, 100)), MotionParams(**params))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mode": "elastic"}, "mode must be one of 'piecewise', 'rigid'; got 'elastic'"),
        ({"border": "wrap"}, "border must be one of 'copy', 'nan', 'crop'; got 'wrap'"),
        ({"max_shift_px": 5}, "max_shift_px must be two numbers, for rows and columns, .*; got 5"),
        ({"max_shift_px": (0, 5)}, "max_shift_px along rows must be between 1 and 1000; got 0"),
        ({"stride_px": (48, 4)}, "stride_px along columns must be between 8 and .*; got 4"),
        ({"overlap_px": (-1, 4)}, "overlap_px along rows must be between 0 and .*; got -1"),
        ({"max_deviation_px": -1}, "max_deviation_px must be between 0 and 100; got -1"),
        ({"highpass_gsig_px": 200}, "highpass_gsig_px must be between 0 and 100; got 200"),
        ({"planes": "some"}, "planes must be one of 'together', 'each'; got 'some'"),
        ({"template_update": 2}, "template_update must be between 0 and 1; got 2"),
        ({"registration_channel": -1}, "registration_channel must be between 0 and 1000; got -1"),
        ({"stride_px": (3, 48, 48)}, "as many numbers as each other, and three only where max_shi"),
        (
            {"planes": "each", "max_shift_px": (2, 6, 6)},
            "planes 'each' moves every plane by itself, .*: give two numbers",
        ),
        ({"iterations": 0}, "iterations must be between 1 and 10; got 0"),
        ({"upsampling": 0}, "upsampling must be between 1 and 100; got 0"),
    ],
)
def test_impossible_settings_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        MotionParams(**params)


@pytest.mark.parametrize("params", [{"overlap_px": (1.5, 4)}, {"iterations": 1.5}])
def test_fractions_are_refused_where_a_whole_number_is_meant(params):
    with pytest.raises(TypeError, match="must be a whole number; got 1.5"):
        MotionParams(**params)
