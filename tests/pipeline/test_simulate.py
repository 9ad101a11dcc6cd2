from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from scipy import ndimage, sparse
from scipy.signal import lfilter

from pipeline.simulate import (
    TWO_PHOTON_MODES,
    TwoPhotonParams,
    match_rois,
    simulate_two_photon,
    trace_correlations,
)
from pipeline.simulate.activity import calcium
from pipeline.simulate.params import LIMITS

SMALL = TwoPhotonParams(n_frames=60, n_rows=96, n_cols=112, n_cells=12, max_shift_px=4)
STILL = replace(SMALL, max_shift_px=0, max_deviation_px=0)


def simulate(params=SMALL, seed=0, **settings):
    return simulate_two_photon(params, rng=np.random.default_rng(seed), **settings)


@pytest.fixture(scope="module")
def simulated():
    return simulate()


@pytest.fixture(scope="module")
def still():
    return simulate(STILL)


def test_shapes_follow_the_vocabulary(simulated):
    assert simulated.movie.shape == (60, 96, 112)
    assert simulated.movie.dtype == np.uint16
    assert simulated.movie.rate_hz == simulated.rate_hz == 30
    assert simulated.movie.pixel_size_um == simulated.pixel_size_um == (1.2, 1.2)
    assert simulated.footprints.shape == (96 * 112, 12)
    assert simulated.traces.shape == simulated.spikes.shape == (12, 60)
    assert simulated.shifts_px.shape == (60, 2)
    assert simulated.background.shape == (96, 112)
    assert simulated.decay_time_s == 0.7


def test_same_seed_gives_the_same_bits_whatever_the_blocks_and_threads(simulated):
    again = simulate(threads=1, memory_bytes=1)
    np.testing.assert_array_equal(simulated.movie[:], again.movie[:])
    assert np.any(simulated.movie[:] != simulate(seed=1).movie[:])


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".npy"])
def test_a_written_movie_equals_the_one_in_memory(simulated, suffix, tmp_path):
    out = tmp_path / f"movie{suffix}"
    written = simulate(out=out, memory_bytes=10_000_000)
    read = np.load(out) if suffix == ".npy" else tifffile.imread(out)
    np.testing.assert_array_equal(read, simulated.movie[:])
    np.testing.assert_array_equal(written.movie[7:9], simulated.movie[7:9])
    assert written.movie.name == out.name


def test_still_frames_are_footprints_times_traces_plus_background(still):
    cells = (still.footprints @ still.traces).T.reshape(still.movie.shape)
    background = np.einsum("mt,mrc->trc", still.background_traces, still.background_images)
    np.testing.assert_allclose(still.noiseless[:], cells + background, rtol=1e-3)


def test_noise_has_the_mean_and_variance_of_photons_and_reading():
    params = replace(STILL, n_cells=0, n_frames=200, neuropil_photons=0, bleached_fraction=0)
    simulated = simulate(params)
    light = simulated.noiseless[0]
    noise = simulated.movie[:] - params.offset - light
    assert abs(noise.mean()) < 0.1
    expected = params.gain * light + params.read_noise**2
    np.testing.assert_allclose(noise.var(axis=0).mean(), expected.mean(), rtol=0.01)
    assert np.corrcoef(noise.var(axis=0).ravel(), expected.ravel())[0, 1] > 0.8


def test_footprints_have_unit_norm_and_stay_in_view(simulated):
    images = simulated.footprints.toarray().reshape(96, 112, -1)
    np.testing.assert_allclose(np.linalg.norm(images, axis=(0, 1)), 1, rtol=1e-5)
    assert images.min() >= 0
    reach = 6
    assert images[:reach].max() == images[-reach:].max() == 0
    assert images[:, :reach].max() == images[:, -reach:].max() == 0
    mass = images / images.sum(axis=(0, 1))
    rows, cols = np.indices((96, 112))
    centers = np.stack([(mass.T * axis.T).sum(axis=(1, 2)) for axis in (rows, cols)], axis=1)
    np.testing.assert_allclose(centers, simulated.centers_px, atol=2)


def test_cells_keep_their_distance(simulated):
    gaps = simulated.centers_px[:, np.newaxis] - simulated.centers_px
    distances = np.linalg.norm(gaps, axis=-1)[~np.eye(12, dtype=bool)]
    assert distances.min() >= SMALL.min_distance_um / SMALL.pixel_size_um


def test_rings_are_dimmer_in_the_middle():
    discs, rings = (simulate(replace(STILL, ring_fraction=f)) for f in (0, 1))
    for simulated, dim in ((discs, False), (rings, True)):
        rows, cols = np.rint(simulated.centers_px).astype(int).T
        images = simulated.footprints.toarray().reshape(96, 112, -1)
        middle = images[rows, cols, np.arange(12)]
        assert np.all((middle < 0.75 * images.max(axis=(0, 1))) == dim)


def test_traces_are_spikes_filtered_and_bleached(simulated):
    fluorescence = simulated.traces / simulated.bleaching
    decay, rise = (np.exp(-1 / (30 * tau)) for tau in (0.7, 0.05))
    undone = lfilter([1, -(decay + rise), decay * rise], [1], fluorescence)
    at_rest = np.median(undone, axis=1, keepdims=True)
    for drive, spikes in zip((undone - at_rest)[:, 2:], simulated.spikes[:, 2:], strict=True):
        if spikes.any():
            assert np.corrcoef(drive, spikes)[0, 1] > 0.999


def test_each_cell_fires(simulated):
    assert simulated.spikes.sum(axis=1).min() >= 2


@pytest.mark.parametrize("rise_time_s", [0, 0.1])
def test_one_spike_gives_a_transient_of_height_one(rise_time_s):
    spikes = np.eye(1, 400, 10, dtype=int)
    transient = calcium(spikes, rate_hz=50, decay_time_s=1.0, rise_time_s=rise_time_s)[0]
    assert transient.max() == pytest.approx(1)
    assert transient[:10].max() == 0
    assert transient[260] / transient[210] == pytest.approx(np.exp(-1), rel=0.01)


def neuropil_correlations(width_um):
    """Return the correlation of the neuropil at places that are near and that are far."""
    params = replace(STILL, n_cells=0, n_frames=400, n_cols=96, bleached_fraction=0)
    params = replace(params, neuropil_width_um=width_um)
    light = (
        simulate(params).noiseless[:] - simulate(replace(params, neuropil_photons=0)).noiseless[:]
    )
    assert light.mean() == pytest.approx(params.gain * 4, rel=0.2)
    corr = np.corrcoef(light[:, 8::16, 8::16].reshape(400, -1).T)
    places = np.indices((6, 6)).reshape(2, -1)
    apart = np.hypot(*(places[:, :, np.newaxis] - places[:, np.newaxis]))
    return corr[apart == 1].mean(), corr[apart > 4].mean()


def test_local_neuropil_differs_from_place_to_place():
    near, far = neuropil_correlations(15.0)
    assert near > far + 0.2
    assert far < 0.5
    assert min(neuropil_correlations(None)) > far + 0.1


@pytest.mark.parametrize("width_um", [1.0, 1e6])
def test_impossible_neuropil_is_refused(width_um):
    with pytest.raises(ValueError, match="neuropil_width_um must be between 6.0 and 2000; got"):
        TwoPhotonParams(neuropil_width_um=width_um)


@pytest.mark.parametrize("name", TWO_PHOTON_MODES)
def test_every_mode_fits_into_its_frame(name):
    params = replace(TWO_PHOTON_MODES[name], n_frames=2)
    assert simulate(params).footprints.shape[1] == params.n_cells


def test_the_movie_bleaches():
    mean = simulate(replace(STILL, n_cells=0, neuropil_photons=0)).movie[:].mean(axis=(1, 2))
    assert (mean[-1] - 100) / (mean[0] - 100) == pytest.approx(0.9, abs=0.01)


def best_shift(image, reference, candidates):
    """Find by trial the shift that makes the reference most like the image."""
    inner = (slice(12, -12), slice(12, -12))
    errors = [np.square(ndimage.shift(reference, c) - image)[inner].sum() for c in candidates]
    return candidates[int(np.argmin(errors))]


def grid(center, step):
    return [center + step * (np.array(index) - 5) for index in np.ndindex(11, 11)]


@pytest.mark.parametrize("frame", [5, 30, 55])
def test_a_shift_is_how_far_the_content_lies_from_the_reference(frame):
    simulated = simulate(replace(SMALL, max_deviation_px=0))
    margin = simulated.scene.margin_px
    reference = simulated.scene.still(range(frame, frame + 1))[0, margin:-margin, margin:-margin]
    shift = np.zeros(2)
    for step in (1, 0.1):
        shift = best_shift(simulated.noiseless[frame], reference, grid(shift, step))
    np.testing.assert_allclose(shift, simulated.shifts_px[frame], atol=0.07)


def test_the_field_says_where_each_pixel_went(simulated):
    frame, margin = 33, simulated.scene.margin_px
    rows, cols = np.indices((96, 112)) + simulated.displacement.field_px(frame).transpose(2, 0, 1)
    image = simulated.noiseless[frame]
    undone = cv2.remap(image, cols.astype("f4"), rows.astype("f4"), cv2.INTER_CUBIC)
    truth = simulated.scene.still(range(frame, frame + 1))[0][margin:-margin, margin:-margin]
    inner = (slice(8, -8), slice(8, -8))
    error = (undone - truth)[inner].std()
    assert error < 0.03 * truth[inner].std()
    assert error < 0.1 * (image - truth)[inner].std()


def test_motion_has_the_planted_size(simulated):
    assert np.abs(simulated.shifts_px).max() == pytest.approx(4)
    fields = np.stack([simulated.displacement.field_px(frame) for frame in range(60)])
    deviation = np.abs(fields - simulated.shifts_px[:, np.newaxis, np.newaxis]).max()
    assert 0.3 < deviation <= 1.5


def test_borders_show_real_content():
    params = replace(SMALL, n_cells=0, max_deviation_px=0, neuropil_photons=0)
    simulated = simulate(params)
    assert simulated.noiseless[:].min() > 0.3 * simulated.background.min()


def test_darkness_between_cells_is_not_negative():
    simulated = simulate(replace(SMALL, background_photons=0, neuropil_photons=0))
    assert simulated.noiseless[:].min() == 0


@pytest.mark.parametrize("changes", [{"n_cells": 0}, {"n_frames": 1}, {"rise_time_s": 0}])
def test_edge_cases_are_movies_too(changes):
    params = replace(SMALL, **changes)
    assert simulate(params).movie.shape == (params.n_frames, 96, 112)


def test_progress_may_cancel():
    def cancel(phase, *_):
        raise InterruptedError(phase)

    with pytest.raises(InterruptedError, match="simulating"):
        simulate(progress=cancel)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("side", [0, 1])
def test_impossible_values_are_refused(name, side):
    value = LIMITS[name][side] + (2 * side - 1)
    with pytest.raises(ValueError, match=f"{name} must be between .*; got"):
        TwoPhotonParams(**{name: value})


def test_a_frame_too_small_for_a_cell_is_refused():
    with pytest.raises(ValueError, match="20 x 256 pixels has no room for a cell .* enlarge it"):
        TwoPhotonParams(n_rows=20)


def test_too_many_cells_are_refused():
    with pytest.raises(ValueError, match="of n_cells = 60 cells fit .* lower n_cells"):
        simulate(replace(STILL, n_cells=60, n_rows=48, n_cols=48))


def test_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match="suffix of out must be one of .*; got '.avi'"):
        simulate(out=tmp_path / "movie.avi")


def test_matches_are_one_to_one_and_scored(simulated):
    truth = simulated.footprints
    found = sparse.hstack([truth[:, [3, 1, 1]] * 7, sparse.csc_array((96 * 112, 1))]).tocsc()
    matches = match_rois(truth, found)
    assert [tuple(pair) for pair in matches.pairs[:, 0:1]] == [(1,), (3,)]
    assert matches.pairs[1, 1] == 0
    np.testing.assert_allclose(matches.cosines, 1, rtol=1e-5)
    assert (matches.precision, matches.recall) == (0.5, pytest.approx(2 / 12))
    assert matches.f1 == pytest.approx(2 * 2 / 16)


def test_matched_traces_are_correlated_pair_by_pair(simulated):
    truth = np.array(simulated.traces[:, :40], np.float64)
    found = np.stack([7 - truth[3], 5 + 2 * truth[1], np.full(40, 9.0)])
    found[0, 5] = np.nan
    found[0, 6] = 1e9
    truth[3, 6] = np.nan
    matches = match_rois(simulated.footprints, simulated.footprints[:, [3, 1, 5]])

    np.testing.assert_allclose(trace_correlations(matches, truth, found), [1, -1, 0], atol=1e-9)


def test_nothing_found_is_a_valid_score(simulated):
    none = sparse.csc_array((96 * 112, 0))
    assert match_rois(simulated.footprints, none).f1 == 0
    assert match_rois(none, none).f1 == 1


def test_a_weak_pair_does_not_displace_a_good_one():
    truth = sparse.csc_array(np.array([[1.0, 0], [0, 1], [0, 0]]))
    found = sparse.csc_array(np.array([[1.0, 0.4], [0.2, 0], [0, 0.9]]))
    assert match_rois(truth, found).pairs.tolist() == [[0, 0]]


def test_scoring_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="have 4 pixels and found ones 5; both must come"):
        match_rois(sparse.csc_array((4, 1)), sparse.csc_array((5, 1)))
    with pytest.raises(ValueError, match="min_cosine must be between 0 and 1; got 2"):
        match_rois(sparse.csc_array((4, 1)), sparse.csc_array((4, 1)), min_cosine=2)
