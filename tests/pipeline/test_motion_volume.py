"""Motion correction of volumes: shifts across planes, and planes that move by themselves."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.motion import MotionParams, correct_motion, missing_planes
from pipeline.motion.patches import plan_patches
from pipeline.motion.resample import resample
from pipeline.movie import Movie
from pipeline.simulate import VolumeParams, simulate_volume

RIGID = MotionParams(mode="rigid", max_shift_px=(2, 6, 6))
PIECEWISE = MotionParams(
    max_shift_px=(2, 8, 8), max_deviation_px=2, stride_px=(32, 32), overlap_px=(24, 24)
)
EACH = MotionParams(mode="rigid", max_shift_px=(6, 6), planes="each")
SHAPE = (9, 96, 80)


def tissue(shifts_px, *, seed=0, deepest=1.0):
    """Draw blobs in depth whose centres are shifted exactly; ``deepest`` is the last's gain."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform((-3, -10, -10), np.add(SHAPE, (3, 10, 10)), (300, 3))
    heights = rng.uniform(50, 150, 300) * np.interp(centers[:, 0], (0, SHAPE[0]), (1, deepest))
    frames = []
    for shift in shifts_px:
        planes, rows, cols = (
            np.exp(-((np.arange(length)[:, np.newaxis] - at) ** 2) / (2 * sigma**2))
            for length, at, sigma in zip(SHAPE, (centers + shift).T, (1.2, 2.5, 2.5), strict=True)
        )
        frames.append(np.einsum("zk,rk,ck->zrc", planes * heights, rows, cols))
    return np.stack(frames).astype(np.float32)


def walk(n_frames, size, seed=2):
    return np.random.default_rng(seed).uniform(-1, 1, (n_frames, len(size))) * size


def apart(found, truth):
    """Return the rms of what differs between frames, along each axis."""
    error = found - truth
    error -= error.mean(axis=0)
    return np.sqrt(np.square(error).reshape(-1, error.shape[-1]).mean(axis=0))


@pytest.fixture
def correct(tmp_path):
    def run(source, params=RIGID, **settings):
        movie = source if isinstance(source, Movie) else Movie(source=source)
        out = tmp_path / f"corrected{len(list(tmp_path.iterdir()))}.zarr"
        return correct_motion(movie, params, out=out, **settings)

    return run


@pytest.fixture(scope="module")
def simulated():
    params = VolumeParams(n_frames=60, n_rows=96, n_cols=96, n_cells=40)
    return simulate_volume(params, rng=np.random.default_rng(1))


def test_shifts_of_a_simulated_volume_are_found(correct, simulated):
    found = correct(simulated.movie, PIECEWISE)
    fields = np.stack([simulated.displacement.field_px(t) for t in range(60)])
    assert found.shifts_px.shape == (60, 3)
    assert apart(found.shifts_px, fields.mean((1, 2, 3))).max() < 0.07
    assert found.patch_shifts_px.shape == (60, 1, 3, 3, 3)
    middles = np.rint(np.array([0, 32, 40]) + 27.5).astype(int)
    patches = fields[:, :, middles[:, np.newaxis], middles].mean(axis=1)
    assert apart(found.patch_shifts_px[:, 0], patches).max() < 0.15
    assert found.quality.verdict == "improved"
    assert found.quality.residual_px < 0.06


@pytest.mark.parametrize("planted", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_fractions_of_a_plane_are_found_without_bias(correct, planted):
    frames = tissue([(planted, 0, 0), (-planted, 0.5, -0.5)])
    found = correct(frames, template=tissue([(0, 0, 0)])[0]).shifts_px
    np.testing.assert_allclose(found, [(planted, 0, 0), (-planted, 0.5, -0.5)], atol=0.03)


def test_a_bright_plane_does_not_attract_the_others(correct):
    planted = walk(20, (1.5, 3, 3))
    found = correct(tissue(planted, deepest=8.0))
    assert apart(found.shifts_px, planted).max() < 0.1


def test_a_still_noisy_volume_stays_still(correct):
    still = tissue(np.zeros((20, 3)))
    noise = np.random.default_rng(0).normal(0, 20, still.shape)
    found = correct(still + noise)
    assert np.sqrt(np.mean(found.shifts_px**2)) < 0.02
    assert found.quality.verdict == "unchanged"


def test_defect_9_content_lands_in_the_plane_where_the_template_has_it(correct):
    planted = walk(16, (1.4, 3, 3))
    planted[:6] = 0
    found = correct(tissue(planted))
    # where the template lies is free: compare with tissue that lies there
    place = np.mean(planted - found.shifts_px, axis=0)
    expected = tissue(place[np.newaxis])[0]
    core = np.s_[2:-2, 6:-6, 6:-6]
    moved, recorded = (
        np.abs(volumes[:][(slice(None), *core)] - expected[core]).max()
        for volumes in (found.movie, tissue(planted))
    )
    assert moved < 0.15 * recorded


def test_planes_move_by_themselves(correct):
    planted = np.random.default_rng(4).uniform(-4, 4, (12, 3, 2))
    shifts = np.pad(planted, ((0, 0), (0, 0), (1, 0)))
    planes = [tissue(shifts[:, plane], seed=plane)[:, 4] for plane in range(3)]
    movie = np.stack(planes, axis=1)
    found = correct(movie, EACH)
    assert found.shifts_px.shape == (12, 3, 2)
    assert apart(found.shifts_px, planted).max() < 0.1
    piecewise = MotionParams(
        max_shift_px=(6, 6), planes="each", stride_px=(24, 24), overlap_px=(16, 16)
    )
    patches = correct(movie, piecewise).patch_shifts_px
    assert patches.shape == (12, 3, 4, 3, 2)
    assert apart(patches, planted[:, :, np.newaxis, np.newaxis]).max() < 0.2


def test_planes_by_themselves_are_what_each_gives_alone(correct):
    planted = np.pad(walk(12, (3, 3)), ((0, 0), (1, 0)))
    movie = tissue(planted)
    together = correct(movie, EACH)
    alone = correct(movie[:, 2], MotionParams(mode="rigid", max_shift_px=(6, 6)))
    # the frames from which a template starts are chosen by all planes
    np.testing.assert_allclose(together.shifts_px[:, 2], alone.shifts_px, atol=0.02)


def test_patches_along_planes_follow_a_shear(correct):
    planted = walk(16, (2.5,), seed=6)[:, 0]
    shape = (14, 48, 48)
    rng = np.random.default_rng(0)
    centers = rng.uniform((-2, -8, -8), np.add(shape, (2, 8, 8)), (400, 3))
    frames = []
    for size in planted:
        moved = centers.copy()
        moved[:, 1] += size * np.interp(centers[:, 0], (2, 11), (-1, 1))
        planes, rows, cols = (
            np.exp(-((np.arange(length)[:, np.newaxis] - at) ** 2) / (2 * sigma**2))
            for length, at, sigma in zip(shape, moved.T, (1.0, 2.5, 2.5), strict=True)
        )
        frames.append(np.einsum("zk,rk,ck->zrc", planes, rows, cols))
    params = MotionParams(
        max_shift_px=(1, 5, 5), max_deviation_px=3, stride_px=(4, 24, 24), overlap_px=(3, 24, 24)
    )
    found = correct(1000 * np.stack(frames), params)
    assert found.patch_shifts_px.shape[1:] == (3, 1, 1, 3)
    upper, lower = found.patch_shifts_px[:, 0, 0, 0, 1], found.patch_shifts_px[:, -1, 0, 0, 1]
    assert np.corrcoef(lower - upper, planted)[0, 1] > 0.98
    assert np.std(lower - upper) > 0.8 * np.std(planted)


def test_resampling_between_planes_fetches_content_from_where_it_went():
    image = ndimage.gaussian_filter(
        np.random.default_rng(0).normal(size=(12, 40, 40)), (2, 3, 3)
    ).astype(np.float32)
    rows, cols = np.indices((40, 40)) / 40
    field = np.stack([0.4 + 0.5 * rows, 1.3 + cols, -2.2 + 0.5 * rows])[:, np.newaxis]
    places = np.indices(image.shape) + field
    expected = ndimage.map_coordinates(image, places, order=3)
    moved = resample(image, field.astype(np.float32))
    inner = np.s_[4:-4, 6:-6, 6:-6]
    assert np.abs(moved - expected)[inner].max() < 0.03 * image.std()


def test_planes_without_content_are_marked_or_cropped(correct):
    planted = np.zeros((20, 3))
    planted[5], planted[9] = (1, 0, 0), (-1, 0, 0)
    movie = tissue(planted)
    marked = correct(movie, MotionParams(mode="rigid", max_shift_px=(2, 6, 6), border="nan"))
    assert np.isnan(marked.movie[5][-1]).all()
    assert np.isnan(marked.movie[9][0]).all()
    assert np.isfinite(marked.movie[5][1:-1, 4:-4, 4:-4]).all()
    assert (marked.quality.border_planes, marked.quality.cropped_planes) == (1, 0)
    cropped = correct(movie, MotionParams(mode="rigid", max_shift_px=(2, 6, 6), border="crop"))
    assert cropped.movie.shape == (20, SHAPE[0] - 2, *SHAPE[1:])
    assert (cropped.quality.border_planes, cropped.quality.cropped_planes) == (0, 1)


@pytest.mark.parametrize("params", [RIGID, PIECEWISE, EACH])
def test_threads_and_memory_do_not_change_a_bit(correct, params):
    movie = tissue(walk(30, (1.2, 3, 3)))
    one, two = (correct(movie, params, threads=n, memory_bytes=m) for n, m in ((1, 4e7), (2, 1e9)))
    np.testing.assert_array_equal(one.shifts_px, two.shifts_px)
    np.testing.assert_array_equal(one.movie[:], two.movie[:])


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        (RIGID, (10, 64, 64), "looks for shifts across planes, and the movie has one plane"),
        (RIGID, (10, 4, 64, 64), "max_shift_px = 2 is too large for a frame of 4 planes; .* 1"),
        (PIECEWISE, (10, 6, 64, 64), "too large for a patch of 6 planes; lower it"),
        (
            MotionParams(max_shift_px=(1, 6, 6), stride_px=(8, 32, 32), overlap_px=(0, 8, 8)),
            (10, 6, 64, 64),
            "8 planes is larger than the frame of 6",
        ),
    ],
)
def test_volumes_too_thin_are_refused(correct, params, shape, message):
    with pytest.raises(ValueError, match=message):
        correct(np.zeros(shape, np.float32), params)


def test_patches_cover_a_volume():
    grid = plan_patches((10, 50, 40), stride_px=(3, 20, 20), patch_px=(4, 30, 20))
    offsets = np.array([[(1, -2, 3)]])
    frames = np.random.default_rng(0).normal(size=(1, 10, 50, 40)).astype(np.float32)
    patches = grid.cut(frames, offsets_px=offsets, max_offset_px=(1, 3, 3))
    assert patches.shape == (1, 3 * 2 * 2, 4, 30, 20)
    # the second along planes, the second along rows, the first along columns
    np.testing.assert_array_equal(patches[0, 4 + 2], frames[0, 4:8, 18:48, 3:23])


def test_settings_of_caiman_for_volumes_have_planes_last():
    params = MotionParams.from_caiman(
        {"max_shifts": (6, 5, 2), "strides": (24, 24, 10), "overlaps": (12, 12, 2), "is3D": True}
    )
    assert params.max_shift_px == (2, 6, 5)
    assert params.patch_px == (12, 36, 36)


@pytest.mark.parametrize(
    ("across_px", "missing"),
    [
        (np.zeros(200), 0),
        (np.r_[np.full(199, 0.4), 3.0], 0),  # one volume alone
        (np.r_[np.full(190, 0.4), np.full(10, -0.9)], 1),
        (np.full(200, 1.6), 2),
        (np.r_[np.full(199, 0.7), np.nan], 1),
    ],
)
def test_a_plane_is_missing_if_it_is_so_in_more_than_a_few_volumes(across_px, missing):
    shifts_px = np.stack([across_px, np.full(200, 5.0), np.zeros(200)], axis=1)

    assert missing_planes(shifts_px) == missing
    assert missing_planes(shifts_px[:, 1:]) == 0
