"""The parts of motion correction, each against a slow and plain version of itself."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.motion.correlation import prepare_templates
from pipeline.motion.params import MotionParams
from pipeline.motion.patches import plan_patches
from pipeline.motion.quality import MotionQuality
from pipeline.motion.registration import prepare_registration
from pipeline.motion.resample import resample
from pipeline.motion.similarity import correlation, crispness, mean_of_nothing
from pipeline.motion.template import build_template
from pipeline.movie import Movie


def smooth(shape, seed=0, sigma=2):
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return (100 * image / image.std()).astype(np.float32)


def stacked(image):
    """Make one frame of one patch of one plane."""
    return image[np.newaxis, np.newaxis, np.newaxis]


def whole(down, right):
    """Make the field of a rigid shift."""
    return np.array([down, right], np.float32).reshape(2, 1, 1, 1)


def correlator(image, reach=4.0, **changes):
    stack = image[np.newaxis, np.newaxis]
    settings = {"max_lag_px": (0, reach, reach), "margin_px": (0, 5, 5), "upsampling": 4}
    return prepare_templates(stack, stack, **{**settings, **changes})


def slow_peak(template, image, lags):
    """Correlate by shifting and multiplying, with the weight of the fast version left square."""
    core = np.s_[10:-10, 10:-10]
    part = template[core] - template[core].mean()
    scores = [(part * np.roll(image, (-r, -c), (0, 1))[core]).sum() for r, c in lags]
    return lags[int(np.argmax(scores))]


@pytest.mark.parametrize("planted", [(0, 0), (3, -2), (-4, 4)])
def test_the_peak_is_where_shifting_and_multiplying_has_it(planted):
    template = smooth((48, 61))
    image = np.roll(template, planted, (0, 1))
    lags = [(r, c) for r in range(-4, 5) for c in range(-4, 5)]
    found = correlator(template).shifts_px(
        image[np.newaxis, np.newaxis, np.newaxis], np.zeros((1, 1, 3))
    )
    assert slow_peak(template, image, lags) == planted
    np.testing.assert_allclose(found[0, 0], (0, *planted), atol=0.2)


@pytest.mark.parametrize("upsampling", [1, 4, 10])
def test_a_fraction_is_found_with_any_upsampling(upsampling):
    template = smooth((48, 48))
    image = ndimage.fourier_shift(np.fft.fft2(template), (0.3, -1.6))
    image = np.fft.ifft2(image).real.astype(np.float32)
    found = correlator(template, upsampling=upsampling)
    shift = found.shifts_px(stacked(image), np.zeros((1, 1, 3)))[0, 0]
    np.testing.assert_allclose(shift, (0, 0.3, -1.6), atol=0.1)


def test_a_template_does_not_move_from_itself():
    image = smooth((48, 48)) + np.linspace(0, 500, 48, dtype=np.float32)
    shift = correlator(image).shifts_px(stacked(image), np.zeros((1, 1, 3)))
    np.testing.assert_allclose(shift, 0, atol=1e-6)


def test_the_search_is_around_the_expected_shift():
    template = smooth((48, 48))
    image = stacked(np.roll(template, (3, 0), (0, 1)))
    search = correlator(template, reach=2.5)
    assert search.shifts_px(image, np.zeros((1, 1, 3)))[0, 0, 1] == 2.5
    expected = np.array([[[0, 0.5, 0]]])
    assert search.shifts_px(image, expected)[0, 0, 1] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("flat", ["template", "image"])
def test_without_contrast_the_expected_shift_stands(flat):
    ones, image = np.full((48, 48), 7, np.float32), smooth((48, 48))
    template, image = (ones, image) if flat == "template" else (image, ones)
    expected = np.array([0, 0.25, -0.5])
    shift = correlator(template).shifts_px(stacked(image), expected[np.newaxis, np.newaxis])
    np.testing.assert_array_equal(shift[0, 0], expected)


def test_patches_cover_the_frame_and_end_with_it():
    grid = plan_patches((7, 100, 64), stride_px=(3, 30, 20), patch_px=(4, 40, 30))
    assert [first.tolist() for first in grid.firsts] == [[0, 3], [0, 30, 60], [0, 20, 34]]
    assert grid.shape == (2, 3, 3)


def test_patches_are_cut_where_the_offset_says():
    frames = np.random.default_rng(0).normal(size=(3, 2, 50, 40)).astype(np.float32)
    offsets = np.array([(0, 0, 0), (0, 3, -2), (0, 5, 5)])[:, np.newaxis]
    grid = plan_patches((2, 50, 40), stride_px=(2, 10, 10), patch_px=(2, 20, 20))
    patches = grid.cut(frames, offsets_px=offsets, max_offset_px=(0, 5, 5))
    assert patches.shape == (3, 12, 2, 20, 20)
    np.testing.assert_array_equal(patches[1, 4], frames[1][:, 13:33, 8:28])
    np.testing.assert_array_equal(patches[1, 0][:, :, :2], frames[1][:, 3:23, :1].repeat(2, axis=2))


def test_the_field_is_linear_between_patches_and_constant_beyond():
    grid = plan_patches((1, 80, 40), stride_px=(1, 20, 40), patch_px=(1, 40, 40))
    shifts = np.zeros((1, 3, 1, 2), np.float32)
    shifts[0, :, 0, 0] = (0, 1, 3)
    rows, cols = grid.field_px(shifts)[:, 0]
    expected = np.interp(np.arange(80), (19.5, 39.5, 59.5), (0, 1, 3))
    np.testing.assert_allclose(rows, np.tile(expected, (40, 1)).T, atol=1e-6)
    assert not cols.any()


def test_resampling_fetches_content_from_where_it_went():
    image = smooth((40, 50), sigma=3)
    field = np.stack([np.full((40, 50), 1.3), np.linspace(-2, 2, 50) * np.ones((40, 1))])
    rows, cols = np.indices((40, 50)) + field
    expected = ndimage.map_coordinates(image, (rows, cols), order=3)
    moved = resample(image[np.newaxis], field[:, np.newaxis].astype(np.float32))[0]
    inner = np.s_[6:-6, 6:-6]
    assert np.abs(moved - expected)[inner].max() < 0.01 * image.std()


def test_resampling_has_no_bias_of_place():
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))[np.newaxis]
    for shift in np.linspace(-1, 1, 21):
        moved = resample(ramp, whole(0, shift))[0]
        np.testing.assert_allclose((moved - ramp[0])[:, 8:-8], shift, atol=1e-4)


def test_no_displacement_is_an_exact_copy():
    image = smooth((1, 40, 50))
    copy = resample(image, whole(0, 0), border="nan")
    np.testing.assert_array_equal(copy, image)
    assert not np.shares_memory(copy, image)


def test_edges_are_repeated_or_marked():
    image = smooth((1, 20, 20))
    shift = whole(2, -3)
    copied = resample(image, shift, border="copy")[0]
    marked = resample(image, shift, border="nan")[0]
    np.testing.assert_allclose(copied[:-2, 3:], image[0, 2:, :-3], rtol=1e-5)
    np.testing.assert_allclose(copied[-1, 3:], image[0, -1, :-3], rtol=1e-5)
    assert np.isnan(marked[-2:]).all()
    assert np.isnan(marked[:, :3]).all()
    np.testing.assert_array_equal(marked[:-2, 3:], copied[:-2, 3:])


def test_the_template_starts_from_frames_that_are_alike():
    still, other = smooth((64, 64)), smooth((64, 64), seed=9)
    frames = np.stack([still] * 6 + [other] + [smooth((64, 64), seed=20 + i) for i in range(5)])
    params = MotionParams(mode="rigid", max_shift_px=(4, 4), iterations=1)
    template = build_template(
        Movie(source=frames), params, threads=1, progress=lambda *report: None
    )
    assert correlation(template, still[np.newaxis]) > 0.95


def test_empty_frames_do_not_count_in_the_template():
    still = smooth((64, 64))
    frames = np.stack([still] * 5 + [np.full_like(still, np.nan)] * 5 + [np.zeros_like(still)] * 5)
    params = MotionParams(mode="rigid", max_shift_px=(4, 4))
    template = build_template(
        Movie(source=frames), params, threads=1, progress=lambda *report: None
    )
    np.testing.assert_allclose(template[0], still, atol=1e-3)


@pytest.mark.parametrize("gsig_px", [None, 0, 3])
def test_registration_ignores_an_offset_and_a_gain(gsig_px):
    image = smooth((1, 64, 64))
    params = MotionParams(mode="rigid", max_shift_px=(6, 6), highpass_gsig_px=gsig_px)
    registration = prepare_registration(image, params)
    moved = np.roll(image, (2, 3), (1, 2))
    plain, changed = (
        registration.locate(image[np.newaxis]).rigid_px[0] for image in (moved, 7 * moved + 10_000)
    )
    np.testing.assert_allclose(plain, [(0, 2, 3)], atol=0.1)
    np.testing.assert_allclose(plain, changed, atol=0.01)


def test_correlation_is_that_of_the_textbook():
    first, second = smooth((20, 20)), smooth((20, 20)) + smooth((20, 20), seed=1)
    expected = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert correlation(first[np.newaxis], second[np.newaxis]) == pytest.approx(expected, abs=1e-6)
    holes = first.copy()
    holes[3] = np.nan
    expected = np.corrcoef(np.delete(first, 3, 0).ravel(), np.delete(second, 3, 0).ravel())[0, 1]
    assert correlation(holes[np.newaxis], second[np.newaxis]) == pytest.approx(expected, abs=1e-6)


def test_correlation_with_nothing_is_not_a_number():
    image = smooth((20, 20))
    for other in (np.full_like(image, np.nan), np.full_like(image, 0.1)):
        assert np.isnan(correlation(other[np.newaxis], image[np.newaxis]))


def test_a_slope_has_the_crispness_of_its_gradient():
    slope = 3 * np.arange(40.0)[np.newaxis, np.newaxis].repeat(30, axis=1)
    assert crispness(slope) == pytest.approx(3 * np.sqrt(30 * 40), rel=0.05)


def test_a_running_mean_skips_what_is_not_known():
    running = mean_of_nothing((1, 1, 2))
    running.add(np.array([[[1, np.nan]]], np.float32))
    running.add(np.array([[[3, np.nan]]], np.float32))
    np.testing.assert_array_equal(running.mean(), [[[2.0, np.nan]]])


@pytest.mark.parametrize(
    ("after", "verdict"), [(1.1, "improved"), (1.005, "unchanged"), (0.9, "worse")]
)
def test_the_verdict_is_about_crispness(after, verdict):
    quality = MotionQuality(
        correlation_before=np.array([0.5, np.nan], np.float32),
        correlation_after=np.full(2, np.nan, np.float32),
        crispness_before=1.0,
        crispness_after=after,
        flags=np.array([0, 1], np.uint8),
        residual_px=0.0,
        residual_patch_px=0.0,
        cropped_px=0,
        largest_shift_px=1.0,
        border_px=1,
    )
    assert quality.verdict == verdict
    assert quality.mean_correlation_before == 0.5
    assert quality.mean_correlation_after == 0.0
