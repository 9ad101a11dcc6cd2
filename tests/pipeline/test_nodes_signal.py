"""Nodes of signal and math against libraries, plain implementations and known numbers."""

import numpy as np
import pytest
from scipy import fftpack, integrate, signal, stats

from pipeline.nodes.calculus import TvDiffParams, tv_derivative
from tests.pipeline.node_tables import noise, run, table_of


def made(name, traces, rate_hz=10.0, column=None, **params):
    """Return what a node makes of traces, stacked."""
    table = run(name, table_of(traces, rate_hz=rate_hz), **params)
    return table.array(column or table.last_output).stacked()


@pytest.mark.parametrize("rate_hz", [10.0, 30.0])
def test_reference_4_butterworth_halves_the_amplitude_at_the_cutoff_whatever_the_rate(rate_hz):
    """The divisor 2 of the original means 0.25 Hz; forwards and backwards that is -6 dB."""
    time_s = np.arange(0, 200, 1 / rate_hz)
    wave = np.sin(2 * np.pi * 0.25 * time_s)[np.newaxis]
    filtered = made("butterworth", wave, rate_hz, cutoff_hz=0.25, order=2)[0]
    middle = slice(len(wave[0]) // 4, -len(wave[0]) // 4)
    assert np.std(filtered[middle]) / np.std(wave[0, middle]) == pytest.approx(0.5, rel=2e-3)
    b, a = signal.butter(2, 0.5 / rate_hz)
    np.testing.assert_allclose(filtered[middle], signal.filtfilt(b, a, wave)[0, middle], atol=1e-3)


@pytest.mark.parametrize(
    ("params", "kept_hz", "lost_hz"),
    [
        ({"band": "lowpass", "cutoff_hz": 1.0}, 0.2, 3.0),
        ({"band": "highpass", "cutoff_hz": 1.0}, 3.0, 0.2),
        ({"band": "bandpass", "cutoff_hz": 1.0, "upper_hz": 2.0}, 1.4, 4.0),
        ({"band": "bandstop", "cutoff_hz": 1.0, "upper_hz": 2.0}, 0.2, 1.4),
    ],
)
def test_butterworth_keeps_its_band(params, kept_hz, lost_hz):
    time_s = np.arange(600) / 10
    waves = np.sin(2 * np.pi * np.array([[kept_hz], [lost_hz]]) * time_s)
    kept, lost = made("butterworth", waves, order=4, **params)[:, 200:400].std(axis=1)
    assert kept > 0.65 and lost < 0.05


def test_butterworth_is_shift_and_scale_free_and_refuses_what_the_rate_cannot_carry():
    traces = noise(3, 100)
    np.testing.assert_allclose(
        made("butterworth", 3 * traces + 7), 3 * made("butterworth", traces) + 7, atol=1e-9
    )
    with pytest.raises(ValueError, match="below half of the sampling rate of 10 Hz; got 5 Hz"):
        made("butterworth", traces, cutoff_hz=5.0)
    with pytest.raises(ValueError, match="a bandpass filter needs upper_hz"):
        made("butterworth", traces, band="bandpass")
    with pytest.raises(ValueError, match="sampling rate of row 0 must be above 0 Hz; got 0"):
        made("butterworth", traces, rate_hz=0.0)


def test_a_trace_that_is_too_short_for_its_filter_is_nan_and_counted():
    table = run("butterworth", table_of([np.arange(5.0), noise(1, 50)[0]]))
    assert np.isnan(table.array("_BUTTERWORTH").row(0)).all()
    assert table.provenance(1)[-1].notes == {"invalid_rows": 1}


def test_savitzky_golay_is_that_of_scipy_and_leaves_its_polynomial():
    traces = noise(3, 50)
    np.testing.assert_array_equal(
        made("savitzky_golay", traces, window_frames=7, polyorder=2),
        signal.savgol_filter(traces, 7, 2),
    )
    parabola = (np.arange(40.0) ** 2)[np.newaxis]
    np.testing.assert_allclose(
        made("savitzky_golay", parabola, window_frames=9, polyorder=2), parabola, atol=1e-9
    )
    with pytest.raises(ValueError, match="window_frames must be odd"):
        made("savitzky_golay", traces, window_frames=4)
    with pytest.raises(ValueError, match="polyorder must be below window_frames"):
        made("savitzky_golay", traces, polyorder=3)


@pytest.mark.parametrize(
    ("n_samples", "wanted_hz", "n_new"), [(100, 25.0, 250), (2999, 4.0, 1199), (30, 1.0, 3)]
)
def test_reference_5_resample_keeps_whole_samples_and_tells_the_true_rate(
    n_samples, wanted_hz, n_new
):
    table = run("resample", table_of(noise(1, n_samples)), rate_hz=wanted_hz)
    column = table.array("_RESAMPLE")
    assert column.lengths.tolist() == [n_new]
    assert n_new / column.rate_hz[0] == pytest.approx(n_samples / 10)


@pytest.mark.parametrize("method", ["fourier", "polyphase"])
def test_resample_keeps_a_wave_and_its_time(method):
    time_s = np.arange(200) / 10
    wave = np.sin(2 * np.pi * 0.5 * time_s)[np.newaxis]
    table = run("resample", table_of(wave, start_s=3.0), rate_hz=25.0, method=method)
    column = table.array("_RESAMPLE")
    expected = np.sin(2 * np.pi * 0.5 * (column.positions(0) - 3.0))
    middle = slice(50, -50)
    np.testing.assert_allclose(column.row(0)[middle], expected[middle], atol=0.01)


def test_defect_3_what_follows_resampling_uses_the_new_rate():
    wave = np.sin(2 * np.pi * 1.0 * np.arange(400) / 10)[np.newaxis]
    resampled = run("resample", table_of(wave), rate_hz=8.0)
    spectrum = run("power_spectral_density", resampled).array("_POWER_SPECTRAL_DENSITY")
    assert spectrum.positions(0)[spectrum.row(0).argmax()] == pytest.approx(1.0)


def test_defect_3_rates_are_not_cut_to_whole_hertz():
    column = run("rfft", table_of(noise(1, 100), rate_hz=9.8)).array("_RFFT")
    assert column.positions(0).max() == pytest.approx(4.9)


@pytest.mark.parametrize("window", ["boxcar", "hann"])
def test_power_is_that_of_scipy_and_sums_up_to_the_variance(window):
    traces = noise(3, 101)
    power = made("power_spectral_density", traces, window=window)
    np.testing.assert_allclose(power, signal.periodogram(traces, 10.0, window)[1], rtol=1e-12)
    if window == "boxcar":
        np.testing.assert_allclose(power.sum(axis=1) * 10 / 101, traces.var(axis=1), rtol=1e-9)


def test_welch_averages_segments():
    traces = noise(2, 1000)
    power = made("power_spectral_density", traces, method="welch", segment_s=10.0, window="hann")
    np.testing.assert_allclose(power, signal.welch(traces, 10.0, nperseg=100)[1], rtol=1e-12)


def test_reference_6_the_packed_spectrum_and_its_frequencies():
    table = run("rfft", table_of([[1.0, 2, 3, 4], [1, 2, 3, 4, 5]]))
    column = table.array("_RFFT")
    np.testing.assert_allclose(column.row(0), [10, -2, 2, -2], atol=1e-12)
    np.testing.assert_allclose(column.positions(0), [0, 2.5, 2.5, 5])
    np.testing.assert_allclose(column.positions(1), [0, 2, 2, 4, 4])
    magnitude = table.array("_RFFT_MAGNITUDE")
    np.testing.assert_allclose(magnitude.row(0), [10, np.sqrt(8), 2])
    np.testing.assert_allclose(magnitude.positions(0), [0, 2.5, 5])


@pytest.mark.parametrize("n_samples", [50, 51])
def test_the_inverse_brings_the_trace_back_or_smooths_it(n_samples):
    traces = noise(2, n_samples)
    spectrum = run("rfft", table_of(traces))
    back = run("irfft", spectrum)
    np.testing.assert_allclose(back.array("_IRFFT").stacked(), traces, atol=1e-12)
    assert back.array("_IRFFT").rate_hz == pytest.approx(10.0)
    cut = run("splice_arrays", spectrum, start=0, stop=11, unit="samples")
    smooth = run("irfft", cut, n_samples=n_samples).array("_IRFFT").stacked()
    whole = fftpack.rfft(traces)
    whole[:, 11:] = 0
    np.testing.assert_allclose(smooth, fftpack.irfft(whole), atol=1e-12)


def test_normalize_goes_from_0_to_1_and_marks_what_is_constant():
    traces = noise(3, 20)
    traces[1], traces[2, 4] = 5.0, np.nan
    scaled = made("normalize", traces)
    assert scaled[0].min() == 0 and scaled[0].max() == 1
    assert np.isnan(scaled[1]).all()
    assert np.isnan(scaled[2]).sum() == 1 and np.nanmax(scaled[2]) == 1
    np.testing.assert_allclose(made("normalize", -2 * traces + 1)[0], 1 - scaled[0], atol=1e-12)


def test_scaled_arrays_are_flat_and_have_the_wanted_moments():
    traces = noise(3, 50)
    traces[2] = 0.1
    scaled = made("scaler_mean_variance", traces, mean=-2.0, std=3.0)
    np.testing.assert_allclose(scaled[:2].mean(axis=1), -2)
    np.testing.assert_allclose(scaled[:2].std(axis=1), 3)
    np.testing.assert_allclose(scaled[2], -2)


def test_sigma_mad_is_the_median_distance():
    traces = noise(3, 1001)
    table = run("sigmamad", table_of(traces))
    np.testing.assert_allclose(
        table.scalar("_SIGMAMAD"), stats.median_abs_deviation(traces, axis=1)
    )
    sigma = run("sigmamad", table_of(traces), as_sigma=True).scalar("_SIGMAMAD")
    np.testing.assert_allclose(sigma, 1, rtol=0.1)


def test_the_derivative_is_per_second():
    np.testing.assert_allclose(made("derivative", [np.arange(9.0)]), 10.0)
    traces = noise(2, 30)
    np.testing.assert_allclose(made("derivative", traces), np.gradient(traces, 0.1, axis=1))


@pytest.mark.parametrize("method", ["trapezoid", "simpson"])
def test_the_integral_undoes_the_derivative(method):
    time_s = np.arange(100) / 10
    area = made("integrate", np.cos(time_s)[np.newaxis], method=method)[0]
    np.testing.assert_allclose(area, np.sin(time_s), atol=1e-3)
    assert area[0] == 0
    if method == "simpson":
        last = integrate.simpson(np.cos(time_s), dx=0.1)
        assert area[-1] == pytest.approx(last, abs=1e-5)


def tv_plain(trace, rate_hz, params):
    """Return the derivative by full matrices, as the paper writes it."""
    n = len(trace)
    sums = np.tril(np.ones((n, n)))
    differences = (np.eye(n, k=1) - np.eye(n)) * rate_hz
    differences[-1] = 0
    data = trace - trace[0]
    u = np.diff(data, prepend=0.0)
    for _ in range(params.iterations):
        q = np.diag(1 / np.sqrt((differences @ u) ** 2 + params.epsilon))
        penalty = params.alpha * differences.T @ q @ differences
        gradient = sums.T @ (sums @ u - data) + penalty @ u
        u = u - np.linalg.solve(penalty + sums.T @ sums, gradient)
    return u * rate_hz


@pytest.mark.parametrize("alpha", [1e-4, 0.1, 10.0])
def test_tv_derivative_is_that_of_full_matrices(alpha):
    trace = np.cumsum(noise(1, 40)[0])
    params = TvDiffParams(alpha=alpha, iterations=30)
    fast = tv_derivative(trace[np.newaxis], rate_hz=20.0, params=params)[0]
    plain = tv_plain(trace, 20.0, params)
    np.testing.assert_allclose(fast, plain, atol=1e-6 * np.abs(plain).max())


def test_tv_derivative_finds_the_corner_of_a_noisy_trace():
    time_s = np.arange(400) / 20
    trace = np.abs(time_s - 10) + 0.05 * noise(1, 400)[0]
    slope = made("tvdiff", trace[np.newaxis], rate_hz=20.0, alpha=0.02)[0]
    truth = np.sign(time_s - 10)
    away = np.abs(time_s - 10) > 1
    assert np.abs(slope - truth)[away].mean() < 0.1
    assert np.abs(np.gradient(trace, 1 / 20) - truth)[away].mean() > 0.4


def test_powers_and_absolute_values_are_those_of_numpy():
    traces = noise(2, 9)
    np.testing.assert_array_equal(made("x_power_y", traces, exponent=3.0), traces**3.0)
    np.testing.assert_array_equal(made("absolute_value", traces), np.abs(traces))
    assert np.isnan(made("x_power_y", [[-1.0, 4.0]], exponent=0.5)[0, 0])


def test_reference_9_modified_logarithms():
    values = np.array([[-2.0, 3.0, 0.0]])
    np.testing.assert_allclose(
        made("log_transform", values, transform="modlog10")[0, 0], -0.4771, atol=1e-4
    )
    modln = made("log_transform", values, transform="modln")[0]
    np.testing.assert_allclose(modln[1:], [1.3863, 0], atol=1e-4)
    assert np.isnan(made("log_transform", values, transform="ln")[0, [0, 2]]).all()


@pytest.mark.parametrize("n_samples", [2, 3, 40])
def test_the_line_is_that_of_scipy_with_time_in_seconds(n_samples):
    traces = noise(4, n_samples)
    traces[3] = 2.5
    table = run("linreg", table_of(traces))
    for row, trace in enumerate(traces):
        line = stats.linregress(np.arange(n_samples) / 10, trace)
        for name, value in zip(
            ("_SLOPE", "_INTERCEPT", "_R-VALUE", "_P-VALUE", "_STDERR"), line[:5], strict=True
        ):
            known = {"_R-VALUE": np.nan, "_P-VALUE": np.nan, "_INTERCEPT": 2.5}
            expected = known.get(name, 0.0) if row == 3 else value
            assert table.scalar(name)[row] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


FUNCTIONS = "amin amax ptp median mean std var nanmin nanmax nanmedian nanmean nanstd nanvar"


@pytest.mark.parametrize("function", FUNCTIONS.split())
def test_statistics_of_arrays_are_those_of_numpy(function):
    traces = noise(3, 20)
    traces[1, 3] = np.nan
    made_of = run("array_stats", table_of(traces), function=function, output_column="_X")
    expected = getattr(np, function)(traces, axis=1)
    np.testing.assert_allclose(made_of.scalar("_X"), expected)


@pytest.mark.parametrize("name", ["MEAN", "_", "", "_{unit}"])
def test_a_bad_name_of_a_new_column_is_refused(name):
    with pytest.raises(ValueError, match="a new column must be named like _MEAN"):
        run("array_stats", table_of(noise(1, 5)), output_column=name)


def test_groups_have_one_array_each_and_nothing_of_a_single_row():
    traces = noise(6, 8)
    table = table_of(traces, tag=["b", "a", "b", "a", None, "c"], drug=list("xxyxxx"))
    made_of = run("group_stats", table, group_by="tag", output_column="_MEAN")
    assert made_of.scalar("tag").tolist() == ["a", "b", "c"]
    assert made_of.scalar("N_ROWS").tolist() == [2, 2, 1]
    np.testing.assert_allclose(made_of.array("_MEAN").row(0), traces[[1, 3]].mean(axis=0))
    assert made_of.array("_MEAN").rate_hz.tolist() == [10.0] * 3
    assert set(made_of.columns()) == {"row_id", "tag", "N_ROWS", "_MEAN"}
    both = run("group_stats", table, group_by="tag", group_by_second="drug")
    assert both.row_ids.tolist() == ["a/x", "b/x", "b/y", "c/x"]
    with pytest.raises(ValueError, match="name group_by first"):
        run("group_stats", table, group_by_second="drug")


def test_groups_of_unequal_rates_are_refused():
    table = table_of(noise(2, 8), rate_hz=[10, 20])
    with pytest.raises(ValueError, match="rates go from 10 to 20 Hz. Resample"):
        run("group_stats", table)


def test_the_row_with_the_largest_value_of_each_group_stays():
    table = table_of(noise(5, 4), tag=list("aabbc"), size=[1.0, 3, 2, 2, np.nan])
    made_of = run("arg_group_stat", table, data_column="size", group_by="tag")
    assert made_of.row_ids.tolist() == ["roi1", "roi2"]
    least = run("arg_group_stat", table, data_column="size", stat="min")
    assert least.row_ids.tolist() == ["roi0"]


def test_zscore_of_an_array_and_of_a_group():
    traces = noise(4, 20) * 3 + 5
    np.testing.assert_allclose(made("zscore", traces), stats.zscore(traces, axis=1))
    table = table_of(traces, tag=list("abab"))
    grouped = run("group_zscore", table, group_by="tag").array("_ZSCORE").stacked()
    for rows in ([0, 2], [1, 3]):
        np.testing.assert_allclose(grouped[rows], stats.zscore(traces[rows], axis=None))
    permuted = run("group_zscore", table.take(np.array([3, 1, 0, 2])), group_by="tag")
    np.testing.assert_allclose(permuted.array("_ZSCORE").row(2), grouped[0], atol=1e-12)


def test_zscore_of_a_group_takes_unequal_lengths_nan_and_missing_groups():
    table = table_of([[1.0, 2, np.nan], [3.0], [9.0, 9]], tag=["a", "a", None])
    column = run("group_zscore", table, group_by="tag").array("_ZSCORE")
    expected = stats.zscore([1.0, 2, 3])
    np.testing.assert_allclose(column.row(0), [*expected[:2], np.nan])
    np.testing.assert_allclose(column.row(1), expected[2:])
    assert np.isnan(column.row(2)).all()
