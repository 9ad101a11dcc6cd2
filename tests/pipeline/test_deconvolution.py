"""Deconvolution, against plain non-negative least squares and planted spikes."""

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.signal import lfilter

from pipeline.extraction.deconvolution import (
    coefficients_of,
    deconvolve,
    fit_coefficients,
    noise_level,
    slow_basis,
    time_constants_of,
)
from pipeline.extraction.oasis import oasis, spikes_of

FIRST_ORDER = coefficients_of(20, 0)
SECOND_ORDER = coefficients_of(20, 2)


def response(coefficients, n_frames):
    first, second = coefficients
    return lfilter([1], [1, -first, -second], np.eye(1, n_frames)[0])


def planted(coefficients, *, noise, n_frames=1000, seed=0):
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.02, n_frames).astype(float)
    calcium = np.convolve(spikes, response(coefficients, n_frames))[:n_frames]
    return calcium + rng.normal(0, noise, n_frames), calcium, spikes


def slow_oasis(trace, coefficients, penalty):
    """Solve ``|trace - K s|^2 / 2 + penalty * sum(s)``, s >= 0, without any trick."""
    kernel = response(coefficients, trace.size)
    shifted = [np.concatenate([np.zeros(t), kernel[: trace.size - t]]) for t in range(trace.size)]
    matrix = np.array(shifted).T
    lower = np.linalg.cholesky(matrix.T @ matrix)
    spikes = nnls(lower.T, np.linalg.solve(lower, matrix.T @ trace - penalty))[0]
    return matrix @ spikes


def objective(trace, calcium, coefficients, penalty):
    spikes = spikes_of(calcium, *coefficients)
    return np.square(trace - calcium).sum() / 2 + penalty * spikes.sum()


@pytest.mark.parametrize("penalty", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_first_order_is_the_exact_minimum(penalty, seed):
    trace, *_ = planted(FIRST_ORDER, noise=0.4, n_frames=150, seed=seed)

    calcium = oasis(trace, *FIRST_ORDER, penalty)

    np.testing.assert_allclose(calcium, slow_oasis(trace, FIRST_ORDER, penalty), atol=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_second_order_is_close_to_the_minimum(penalty, seed):
    trace, *_ = planted(SECOND_ORDER, noise=0.4, n_frames=150, seed=seed)

    calcium = oasis(trace, *SECOND_ORDER, penalty)

    best = slow_oasis(trace, SECOND_ORDER, penalty)
    reached = objective(trace, calcium, SECOND_ORDER, penalty)
    assert reached <= 1.05 * objective(trace, best, SECOND_ORDER, penalty)
    assert np.corrcoef(calcium, best)[0, 1] > 0.995


@pytest.mark.parametrize("coefficients", [FIRST_ORDER, SECOND_ORDER])
def test_a_trace_without_noise_comes_back(coefficients):
    _, calcium, spikes = planted(coefficients, noise=0)

    found = oasis(calcium, *coefficients, 0.0)

    np.testing.assert_allclose(found, calcium, atol=1e-8)
    np.testing.assert_allclose(spikes_of(found, *coefficients), spikes, atol=1e-8)


@pytest.mark.parametrize("coefficients", [FIRST_ORDER, SECOND_ORDER])
def test_deconvolution_finds_calcium_baseline_and_noise(coefficients):
    trace, calcium, spikes = planted(coefficients, noise=0.3)

    found = deconvolve(trace + 7, coefficients=coefficients, noise=0.3)

    assert np.corrcoef(found.calcium, calcium)[0, 1] > 0.98
    assert abs(found.fit.baseline - 7) < 0.15
    rest = trace + 7 - found.calcium - found.fit.baseline
    assert abs(rest.std() - 0.3) < 0.02
    np.testing.assert_allclose(found.spikes.sum(), spikes.sum(), rtol=0.2)


def test_calcium_and_spikes_are_never_negative():
    trace = np.random.default_rng(0).normal(-5, 1, 400)

    found = deconvolve(trace, coefficients=SECOND_ORDER, noise=1.0)

    assert found.calcium.min() >= 0
    assert found.spikes.min() >= 0


@pytest.mark.parametrize("n_frames", [1, 2, 3, 12])
def test_short_traces_are_taken_apart(n_frames):
    trace = np.arange(n_frames, dtype=float)

    coefficients = fit_coefficients(trace, order=2, noise=noise_level(trace), decay_frames=20)
    found = deconvolve(trace, coefficients=coefficients, noise=noise_level(trace))

    assert found.calcium.shape == found.spikes.shape == (n_frames,)
    assert np.isfinite(found.calcium).all()


def test_a_constant_trace_is_all_baseline():
    found = deconvolve(np.full(100, 3.0), coefficients=SECOND_ORDER, noise=0.0)

    np.testing.assert_allclose(found.calcium + found.fit.baseline, 3.0, atol=1e-6)
    assert found.spikes.max() < 1e-6


def test_deconvolution_does_not_change_its_input():
    trace, *_ = planted(SECOND_ORDER, noise=0.3)
    trace.flags.writeable = False

    deconvolve(trace, coefficients=SECOND_ORDER, noise=0.3)


@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_noise_level_does_not_see_slow_signal(noise):
    trace, *_ = planted(FIRST_ORDER, noise=noise, n_frames=4000)

    assert noise_level(trace) == pytest.approx(noise, rel=0.07)


def test_noise_level_does_not_see_large_onsets():
    trace, *_ = planted(FIRST_ORDER, noise=0.05)

    assert noise_level(trace) == pytest.approx(0.05, rel=0.1)


def test_noise_level_of_a_straight_line_or_of_few_frames_is_zero():
    assert noise_level(np.arange(50.0)) == 0
    assert noise_level(np.array([4.0, 7.0])) == 0


@pytest.mark.parametrize("constants", [(20, 0), (20, 2), (8, 3)])
def test_time_constants_and_coefficients_are_inverse(constants):
    found = time_constants_of(coefficients_of(*constants))

    assert found == pytest.approx(constants, abs=1e-6)


def test_fit_finds_the_planted_decay():
    trace, *_ = planted(FIRST_ORDER, noise=0.2)

    fitted = fit_coefficients(trace, order=1, noise=0.2, decay_frames=14)

    assert time_constants_of(fitted)[0] == pytest.approx(20, rel=0.15)


def test_fit_of_second_order_finds_decay_and_rise():
    trace, *_ = planted(SECOND_ORDER, noise=0.2)

    fitted = fit_coefficients(trace, order=2, noise=0.2, decay_frames=14)

    decay, rise = time_constants_of(fitted)
    assert decay == pytest.approx(20, rel=0.15)
    assert rise == pytest.approx(2, abs=1)


def test_fit_of_second_order_finds_that_there_is_no_rise():
    trace, *_ = planted(FIRST_ORDER, noise=0.2)

    fitted = fit_coefficients(trace, order=2, noise=0.2, decay_frames=20)

    assert time_constants_of(fitted) == pytest.approx((20, 0), rel=0.15)


def test_fit_of_noise_is_the_expected_decay():
    trace = np.random.default_rng(0).normal(size=500)

    decay, _ = time_constants_of(fit_coefficients(trace, order=2, noise=1.0, decay_frames=20))

    assert decay == pytest.approx(20)


def test_a_slow_baseline_is_told_from_calcium():
    rng = np.random.default_rng(3)
    calcium = np.zeros(3000)
    for start in range(100, 3000, 250):
        calcium[start:] += 5 * np.exp(-np.arange(3000 - start) / 20)
    drift = 100 * 0.9 ** np.linspace(0, 1, 3000)
    basis = slow_basis(3000, 20)

    parts = deconvolve(
        calcium + drift + rng.normal(0, 0.5, 3000),
        coefficients=coefficients_of(20, 0),
        noise=0.5,
        basis=basis,
    )

    assert len(basis) == 4
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-12)
    assert np.abs(parts.slow - drift).max() < 0.7
    assert np.corrcoef(parts.calcium, calcium)[0, 1] > 0.99
    assert parts.fit.baseline == pytest.approx(parts.slow.mean(), abs=1e-3)


def test_a_short_trace_has_a_constant_baseline():
    assert slow_basis(100, 20).tolist() == [pytest.approx([0.1] * 100)]


@pytest.mark.parametrize(
    ("noise", "least_spikes", "least_calcium", "most_off"),
    [(0.1, 0.97, 0.995, 1.3), (0.3, 0.9, 0.98, 1.3), (0.8, 0.65, 0.92, 1.7)],
)
def test_spikes_and_time_constants_at_three_levels_of_noise(
    noise, least_spikes, least_calcium, most_off
):
    width = np.ones(7)  # a spike counts as found within three frames
    spike_corr, calcium_corr, factors = [], [], []
    for seed in range(6):
        trace, calcium, spikes = planted(SECOND_ORDER, noise=noise, n_frames=3000, seed=seed)
        level = noise_level(trace)
        coefficients = fit_coefficients(trace, order=2, noise=level, decay_frames=28)
        found = deconvolve(trace, coefficients=coefficients, noise=level)
        wide = (np.convolve(values, width, "same") for values in (found.spikes, spikes))
        spike_corr.append(np.corrcoef(*wide)[0, 1])
        calcium_corr.append(np.corrcoef(found.calcium, calcium)[0, 1])
        factors.append(time_constants_of(coefficients)[0] / 20)

    assert np.mean(spike_corr) > least_spikes
    assert np.mean(calcium_corr) > least_calcium
    assert np.exp(np.abs(np.log(factors)).max()) < most_off
