from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipeline.simulate import VolumeParams, simulate_volume
from pipeline.simulate.volume_params import VOLUME_LIMITS

SMALL = VolumeParams(
    n_frames=40, n_planes=6, n_rows=64, n_cols=72, n_cells=14, max_shift_px=3, max_deviation_px=1
)
RIGID = replace(SMALL, max_deviation_px=0)
STILL = replace(RIGID, max_shift_px=0, max_plane_shift_px=0)


def simulate(params=SMALL, seed=0, **settings):
    return simulate_volume(params, rng=np.random.default_rng(seed), **settings)


@pytest.fixture(scope="module")
def simulated():
    return simulate()


@pytest.fixture(scope="module")
def rigid():
    return simulate(RIGID)


@pytest.fixture(scope="module")
def still():
    return simulate(STILL)


def volumes(simulated):
    return simulated.footprints.toarray().reshape(6, 64, 72, -1)


def test_shapes_follow_the_vocabulary(simulated):
    assert simulated.movie.shape == simulated.noiseless.shape == (40, 6, 64, 72)
    assert simulated.movie.dtype == np.uint16
    assert simulated.movie.rate_hz == simulated.rate_hz == 10
    assert simulated.movie.pixel_size_um == simulated.pixel_size_um == (5.0, 1.2, 1.2)
    assert simulated.footprints.shape == (6 * 64 * 72, 14)
    assert simulated.traces.shape == simulated.spikes.shape == (14, 40)
    assert simulated.shifts_px.shape == (40, 3)
    assert simulated.displacement.field_px(0).shape == (6, 64, 72, 3)
    assert simulated.background.shape == (6, 64, 72)
    assert simulated.bleaching.shape == (40,)
    assert simulated.decay_time_s == 0.7


def test_same_seed_gives_the_same_bits_whatever_the_blocks_and_threads(simulated):
    again = simulate(threads=1, memory_bytes=1)
    np.testing.assert_array_equal(simulated.movie[:], again.movie[:])
    assert np.any(simulated.movie[:] != simulate(seed=1).movie[:])


def test_a_written_movie_equals_the_one_in_memory(simulated, tmp_path):
    written = simulate(out=tmp_path / "movie.tif")
    np.testing.assert_array_equal(written.movie[7:9], simulated.movie[7:9])
    with pytest.raises(ValueError, match=r"suffix of out must be one of .*; got '.avi'"):
        simulate(out=tmp_path / "movie.avi")


def test_a_number_drops_the_time_axis(simulated):
    np.testing.assert_array_equal(simulated.noiseless[3], simulated.noiseless[3:4][0])


def test_still_volumes_are_footprints_times_traces_plus_background(still):
    cells = (still.footprints @ still.traces).T.reshape(still.movie.shape)
    background = np.einsum("mt,mzrc->tzrc", still.background_traces, still.background_images)
    np.testing.assert_allclose(still.noiseless[:], cells + background, rtol=1e-3)


def test_footprints_have_unit_norm_and_lie_at_their_centers(simulated):
    images = volumes(simulated)
    np.testing.assert_allclose(np.sqrt((images**2).sum(axis=(0, 1, 2))), 1, rtol=1e-5)
    mass = images / images.sum(axis=(0, 1, 2))
    places = np.indices((6, 64, 72)).reshape(3, -1)
    centers = (places @ mass.reshape(-1, 14)).T
    np.testing.assert_allclose(centers[:, 1:], simulated.centers_px[:, 1:], atol=2)
    # only of cells that the first and the last plane do not cut
    whole = np.all((simulated.centers_px > 2) & (simulated.centers_px < (3, 64, 72)), axis=1)
    assert whole.sum() >= 2
    np.testing.assert_allclose(centers[whole, 0], simulated.centers_px[whole, 0], atol=0.3)


def test_cells_reach_over_fewer_planes_than_rows(simulated):
    present = volumes(simulated) > 0
    n_planes = present.any(axis=(1, 2)).sum(axis=0)
    n_rows = present.any(axis=(0, 2)).sum(axis=0)
    assert np.all(n_planes >= 2)
    assert np.all(2 * n_planes < n_rows)


def test_a_longer_blur_lengthens_the_cells():
    sharp, blurred = (simulate(replace(STILL, axial_blur_um=blur)) for blur in (1, 5))
    np.testing.assert_array_equal(sharp.centers_px, blurred.centers_px)
    n_planes = [(volumes(each) > 0).any(axis=(1, 2)).sum() for each in (sharp, blurred)]
    assert n_planes[1] > n_planes[0] + 14


def test_cells_keep_their_distance(simulated):
    gaps_um = (simulated.centers_px[:, np.newaxis] - simulated.centers_px) * (5.0, 1.2, 1.2)
    distances_um = np.linalg.norm(gaps_um, axis=-1)[~np.eye(14, dtype=bool)]
    assert distances_um.min() >= SMALL.min_distance_um
    assert np.ptp(simulated.centers_px[:, 0]) > 2


@pytest.mark.parametrize("frame", [4, 21, 33])
def test_a_shift_is_how_far_the_content_lies_from_the_reference(rigid, frame):
    scene, step = rigid.scene.still(frame), rigid.scene.planes.step
    planes, rows, cols = rigid.shifts_px[frame] * (step, 1, 1)
    moved = ndimage.shift(scene, (planes, rows, cols), order=5)
    inner = slice(rigid.scene.margin_px, -rigid.scene.margin_px)
    expected = moved[list(rigid.scene.planes), inner, inner]
    seen = rigid.noiseless[frame]
    center = (slice(1, -1), slice(6, -6), slice(6, -6))
    error = (seen - expected)[center].std()
    assert error < 0.02 * seen[center].std()
    still = scene[list(rigid.scene.planes), inner, inner]
    assert error < 0.1 * (seen - still)[center].std()


def test_a_fraction_of_a_plane_is_a_true_shift():
    """The mass of a blurred ball moves by what was planted, which planes alone could not show."""
    params = replace(
        RIGID, n_cells=1, n_planes=12, max_shift_px=0, background_photons=0, neuropil_photons=0
    )
    lone = simulate(params, seed=4)
    light = lone.noiseless[:].sum(axis=(2, 3), dtype=float)
    found = light @ np.arange(12) / light.sum(axis=1)
    assert 3 < lone.centers_px[0, 0] < 8
    np.testing.assert_allclose(found - lone.centers_px[0, 0], lone.shifts_px[:, 0], atol=0.15)
    offset = found - lone.shifts_px[:, 0]
    assert offset.std() < 0.01


def test_the_field_says_where_each_pixel_went(simulated):
    frame, plane = 33, 3
    scene, step = simulated.scene.still(frame), simulated.scene.planes.step
    margin = simulated.scene.margin_px
    planes, rows, cols = np.moveaxis(simulated.displacement.field_px(frame), -1, 0)
    grid = np.indices((6, 64, 72))
    seen = simulated.noiseless[frame]
    undone = ndimage.map_coordinates(seen, grid + (planes, rows, cols), order=3)[plane]
    truth = scene[simulated.scene.planes][plane, margin:-margin, margin:-margin]
    inner = (slice(8, -8), slice(8, -8))
    error = (undone - truth)[inner].std()
    assert error < 0.25 * (seen[plane] - truth)[inner].std()
    assert step == 4


def test_deformation_is_as_large_along_the_axis_as_across_it(simulated):
    fields = np.stack([simulated.displacement.field_px(frame) for frame in range(40)])
    deviation = np.abs(fields - simulated.shifts_px[:, None, None, None]).max(axis=(0, 1, 2, 3))
    assert 0.2 < deviation[1:].max() <= 1
    assert 0.2 < deviation[0] * 5.0 / 1.2 <= 1


def test_motion_has_the_planted_size(simulated):
    largest = np.abs(simulated.shifts_px).max(axis=0)
    assert largest[0] == pytest.approx(1)
    assert largest[1:].max() == pytest.approx(3)


def test_what_moves_into_view_is_real():
    params = replace(SMALL, n_cells=0, neuropil_photons=0, max_plane_shift_px=2)
    moved = simulate(params)
    assert moved.noiseless[:].min() > 0.3 * moved.background.min()


@pytest.mark.parametrize(
    "changes", [{"n_cells": 0}, {"n_frames": 1}, {"n_planes": 2}, {"n_cells": 1}]
)
def test_edge_cases_are_movies_too(changes):
    params = replace(SMALL, **changes)
    assert simulate(params).movie.shape == (params.n_frames, params.n_planes, 64, 72)


def test_darkness_between_cells_is_not_negative():
    params = replace(SMALL, background_photons=0, neuropil_photons=0)
    assert simulate(params).noiseless[:].min() == 0


@pytest.mark.parametrize("name", VOLUME_LIMITS)
@pytest.mark.parametrize("side", [0, 1])
def test_impossible_values_are_refused(name, side):
    value = VOLUME_LIMITS[name][side] + (2 * side - 1)
    with pytest.raises(ValueError, match=f"{name} must be between .*; got"):
        VolumeParams(**{name: value})


def test_planes_that_would_miss_a_cell_are_refused():
    with pytest.raises(ValueError, match="= 15 is too large .* = 6.6: .* at most 10.56"):
        VolumeParams(plane_spacing_um=15)


def test_limits_of_a_plane_hold_too():
    with pytest.raises(ValueError, match="n_rows must be between"):
        VolumeParams(n_rows=1)
