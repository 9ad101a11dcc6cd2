"""Simulated one-photon movies: the truth that they plant is the truth that they show."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse.linalg import norm

from pipeline.simulate.one_photon import simulate_one_photon
from pipeline.simulate.one_photon_params import LIMITS, OnePhotonParams
from pipeline.simulate.one_photon_tissue import draw_transmission, vignette

SMALL = OnePhotonParams(n_frames=80, n_rows=96, n_cols=112, n_cells=12)


def simulate(params=SMALL, seed=0, **settings):
    return simulate_one_photon(params, rng=np.random.default_rng(seed), **settings)


@pytest.fixture(scope="module")
def simulated():
    return simulate()


def test_shapes_follow_the_vocabulary(simulated):
    assert simulated.movie.shape == (80, 96, 112)
    assert simulated.movie.dtype == np.uint16
    assert simulated.movie.rate_hz == simulated.rate_hz == 20
    assert simulated.movie.pixel_size_um == simulated.pixel_size_um == (1.6, 1.6)
    assert simulated.footprints.shape == (96 * 112, 12)
    assert simulated.traces.shape == simulated.spikes.shape == (12, 80)
    assert simulated.background(3).shape == (96, 112)
    assert simulated.peak_to_noise().shape == simulated.centers_px[:, 0].shape == (12,)
    assert simulated.decay_time_s == 0.6


def test_same_seed_gives_the_same_bits_whatever_the_blocks_and_threads(simulated):
    again = simulate(threads=1, memory_bytes=1)

    np.testing.assert_array_equal(simulated.movie[:], again.movie[:])
    assert np.any(simulated.movie[:] != simulate(seed=1).movie[:])


def test_still_frames_are_cells_plus_background(simulated):
    cells = simulated.footprints @ simulated.traces
    for frame in (0, 41):
        planted = cells[:, frame].reshape(96, 112) + simulated.background(frame)
        np.testing.assert_allclose(simulated.noiseless[frame], planted, rtol=1e-4)


def test_footprints_have_norm_1_and_stay_at_their_centres(simulated):
    np.testing.assert_allclose(norm(simulated.footprints, axis=0), 1, rtol=1e-6)
    for roi, center in enumerate(simulated.centers_px):
        image = simulated.footprints[:, [roi]].toarray().reshape(96, 112)
        assert np.hypot(*(ndimage.center_of_mass(image) - center)) < 2.5


def test_the_noise_is_that_of_photons_and_read_out(simulated):
    params = simulated.params
    light = simulated.noiseless[:].astype(float)
    noise = simulated.movie[:] - params.offset - light
    sigma = np.sqrt(params.gain * light + params.read_noise**2)

    assert abs(noise.mean()) < 0.2
    assert np.std(noise / sigma) == pytest.approx(1, abs=0.01)


def test_cells_out_of_focus_are_wider_and_dimmer():
    sharp, blurred = (
        simulate(replace(SMALL, focus_spread_um=spread)).footprints for spread in (0, 12)
    )

    assert blurred.max(axis=0).mean() < 0.8 * sharp.max(axis=0).mean()
    assert blurred.nnz > 1.3 * sharp.nnz


def test_the_haze_varies_more_than_the_cells_and_is_smooth(simulated):
    haze = np.stack([simulated.background(frame) for frame in range(0, 80, 5)])
    fluctuation = haze - haze.mean(axis=0)

    assert fluctuation.std() > 20
    steps = np.diff(fluctuation, axis=2).std()
    assert steps < 0.2 * fluctuation.std()


def test_vessels_are_dark_and_winding():
    through = draw_transmission(SMALL, (96, 112), np.random.default_rng(0))

    assert 1 - SMALL.vessel_absorption <= through.min() < 0.7
    assert 0.05 < (through < 0.9).mean() < 0.7
    assert np.all(draw_transmission(replace(SMALL, n_vessels=0), (9, 9), None) == 1)


def test_the_shade_darkens_the_corners():
    shade = vignette(replace(SMALL, vignetting=0.4))

    assert shade[0, 0] == pytest.approx(0.6)
    assert shade.max() == pytest.approx(1, abs=1e-3)


def test_motion_moves_the_tissue_but_not_the_shade():
    params = replace(SMALL, max_shift_px=5.0, jump_rate_hz=0.5, vignetting=0.9)
    moving = simulate(params)
    frame = int(np.abs(moving.shifts_px).max(axis=1).argmax())

    assert np.abs(moving.shifts_px).max() == pytest.approx(5)
    unshaded = moving.tissue.scene[frame]
    np.testing.assert_allclose(moving.noiseless[frame], unshaded * vignette(params), rtol=1e-6)


def test_the_hard_scene_is_harder_than_the_moderate_one():
    small = {"n_frames": 100, "n_rows": 96, "n_cols": 96, "n_cells": 20}
    hard = simulate(replace(OnePhotonParams.hard(), **small))
    moderate = simulate(replace(OnePhotonParams.moderate(), **small))

    assert OnePhotonParams.hard().n_cells == 165
    assert OnePhotonParams.moderate().n_cells == 190
    assert np.median(hard.peak_to_noise()) < 0.7 * np.median(moderate.peak_to_noise())


def test_no_cells_give_a_movie_of_background():
    empty = simulate(replace(SMALL, n_cells=0))

    assert empty.footprints.shape == (96 * 112, 0)
    assert empty.movie[0].mean() > 500


@pytest.mark.parametrize("name", LIMITS)
def test_an_impossible_setting_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be between .*; got -1"):
        OnePhotonParams(**{name: -1})


def test_what_both_microscopes_have_is_checked_too():
    with pytest.raises(ValueError, match="rate_hz must be between"):
        OnePhotonParams(rate_hz=0)
