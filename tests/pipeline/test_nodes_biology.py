"""Nodes of stimuli, dF/F and peaks: reference numbers, planted answers, plain implementations."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, signal, stats

from pipeline.nodes.peak_kernels import simpson
from pipeline.transmission import ArrayColumn
from tests.pipeline.node_tables import noise, periods, run, table_of

EVENTS = ("_PB_IX", "_PB_IS_PEAK")
TWO_PEAKS = [0, 1, 3, 2, 0, 0.5, 2, 6, 4, 1, 0, 0.2]


def stimulated(traces, *rows, **options):
    """Return a table of traces with stimulus periods."""
    return replace(table_of(traces, **options), stimuli=periods(*rows))


@pytest.mark.parametrize(
    ("zero", "expected"),
    [("start_offset", (80, 230)), ("stim_end", (200, 230)), ("stim_center", (130, 230))],
)
def test_reference_8_parts_by_stimuli(zero, expected):
    table = stimulated(np.arange(1000.0)[np.newaxis], ("t", "A", 10.0, 20.0))
    made = run(
        "extract_stim", table, stimulus_type="t", start_offset_s=-2.0, end_offset_s=3.0,
        zero_position=zero,
    )  # fmt: skip
    assert (made.scalar("_ST_START_IX")[0], made.scalar("_ST_END_IX")[0]) == expected
    assert made.array("_ST_CURVE").row(0).tolist() == list(range(*expected))


def test_reference_8_the_last_frame_is_not_lost():
    table = stimulated(np.arange(1000.0)[np.newaxis], ("t", "A", 95.0, 110.0))
    made = run("extract_stim", table, stimulus_type="t")
    assert made.scalar("_ST_END_IX").tolist() == [1000]
    assert made.array("_ST_CURVE").row(0)[-1] == 999
    filled = run("extract_stim", table, stimulus_type="t", fill=True).array("_ST_CURVE")
    assert filled.lengths.tolist() == [150] and np.isnan(filled.row(0)[50:]).all()


def test_defect_5_a_begin_before_the_recording_does_not_wrap():
    table = stimulated(np.arange(100.0)[np.newaxis], ("t", "A", 0.5, 1.0))
    made = run("extract_stim", table, stimulus_type="t", start_offset_s=-2.0)
    assert made.array("_ST_CURVE").row(0).tolist() == list(range(10))
    filled = run("extract_stim", table, stimulus_type="t", start_offset_s=-2.0, fill=True)
    column = filled.array("_ST_CURVE")
    assert np.isnan(column.row(0)[:15]).all() and column.row(0)[15] == 0
    assert column.positions(0)[15] == pytest.approx(-0.5)


def test_defect_5_rows_that_were_multiplied_stay_apart():
    table = stimulated(noise(2, 100), ("t", "A", 1, 8), ("u", "X", 2, 3), ("u", "X", 4, 5))
    first = run("merge", [table, run("extract_stim", table, stimulus_type="t")])
    twice = run(
        "extract_stim", first.take(slice(0, 2)), data_column="_RAW_CURVE", stimulus_type="u"
    )
    assert twice.n_rows == 4 and len(set(twice.row_ids)) == 4
    assert twice.scalar("parent_id").tolist() == ["roi0", "roi0", "roi1", "roi1"]
    assert twice.scalar("_ST_TRIAL").tolist() == [1, 2, 1, 2]
    assert twice.row_ids[1] == "roi0/u/2" and twice.scalar("ST_uuid")[1] == "r1/u/2"


def test_parts_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 90, 20))
    rows = [("t", f"s{i % 3}", s, s + rng.uniform(0.5, 4)) for i, s in enumerate(starts)]
    traces, rates, begins = noise(4, 1000), np.array([10, 10.5, 11, 30]), np.array([0, 1, 5, 0.0])
    table = stimulated(traces, *rows, rate_hz=rates, start_s=begins)
    made = run("extract_stim", table, stimulus_type="t", start_offset_s=-0.5, end_offset_s=1.0)
    column = made.array("_ST_CURVE")
    place = 0
    for trace, rate, begin in zip(traces, rates, begins, strict=True):
        for _, name, start, end in rows:
            first = int(np.floor((start - 0.5 - begin) * rate + 0.5))
            stop = int(np.floor((end + 1.0 - begin) * rate + 0.5))
            np.testing.assert_array_equal(column.row(place), trace[max(first, 0) : max(stop, 0)])
            assert made.scalar("ST_NAME")[place] == name
            place += 1
    assert place == made.n_rows


def test_parts_have_the_time_of_the_stimulus_and_less_their_baseline():
    trace = np.where(np.arange(100) < 50, 3.0, 7.0)[np.newaxis]
    table = stimulated(trace, ("t", "A", 5.0, 6.0))
    made = run("extract_stim", table, stimulus_type="t", start_offset_s=-1.0, baseline_s=2.0)
    column = made.array("_ST_CURVE")
    assert column.start_s[0] == pytest.approx(-1)
    np.testing.assert_allclose(column.row(0), [0] * 10 + [4] * 10)


def test_parts_of_one_duration_have_one_length_at_any_begin():
    rows = [("t", "A", start, start + 0.5) for start in (1.01, 2.04, 3.06, 4.099)]
    made = run("extract_stim", stimulated(noise(2, 100), *rows), stimulus_type="t", duration_s=2.0)
    assert made.array("_ST_CURVE").stacked().shape == (8, 20)


def test_recordings_without_stimuli_are_counted_and_none_at_all_is_refused():
    table = stimulated(noise(2, 100), ("t", "A", 1.0, 2.0))
    table.frame.loc[1, "recording_id"] = "other"
    made = run("extract_stim", table, stimulus_type="t")
    assert made.scalar("parent_id").tolist() == ["roi0"]
    assert made.provenance(0)[-1].notes == {"rows_in": 2, "rows_out": 1}
    with pytest.raises(ValueError, match="no stimuli of the type 'x' .* the types are: 't'"):
        run("extract_stim", table, stimulus_type="x")


def test_tuning_finds_the_planted_answers():
    rng = np.random.default_rng(1)
    traces = rng.normal(0, 0.1, (2, 2000))
    rows, answers = [], {"0": 1.0, "90": 3.0, "blank": 0.0}
    for trial in range(18):
        name = ["0", "90", "blank"][trial % 3]
        start = 5.0 + trial * 10
        rows.append(("ori", name, start, start + 2))
        traces[0, int(start * 10) : int(start * 10) + 20] += answers[name]
    made = run("tuning_curves", stimulated(traces, *rows), stimulus_type="ori", baseline_s=2.0)
    assert made.array("TUNE_CURVE_ori_xlabels").row(0).tolist() == ["blank", "0", "90"]
    np.testing.assert_allclose(made.array("_TUNE_CURVE_ori_yvals").row(0), [0, 1, 3], atol=0.05)
    assert made.array("_TUNE_CURVE_ori_n").row(0).tolist() == [6, 6, 6]
    assert (made.array("_TUNE_CURVE_ori_sem").row(0) < 0.05).all()
    assert made.scalar("TUNE_MAX_ori").tolist()[0] == "90"
    assert made.scalar("TUNE_MIN_ori").tolist()[0] == "blank"
    chance = made.scalar("_TUNE_P_ori")
    assert chance[0] < 0.001 and chance[1] > 0.05
    assert made.scalar("_TUNE_SELECTIVITY_ori")[0] == pytest.approx(5 / 7, abs=0.03)


@pytest.mark.parametrize("method", ["mean", "median", "max", "min"])
def test_tuning_is_that_of_a_plain_loop(method):
    trace = noise(1, 300)
    rows = [("t", "2.0", 1, 3), ("t", "10", 5, 9), ("t", "2.0", 10, 12), ("t", "b", 20, 22.5)]
    made = run("tuning_curves", stimulated(trace, *rows), stimulus_type="t", method=method)
    reduce = getattr(np, method)
    two = [reduce(trace[0, 10:30]), reduce(trace[0, 100:120])]
    expected = [reduce(trace[0, 200:225]), np.mean(two), reduce(trace[0, 50:90])]
    assert made.array("TUNE_CURVE_t_xlabels").row(0).tolist() == ["b", "2.0", "10"]
    np.testing.assert_allclose(made.array("_TUNE_CURVE_t_yvals").row(0), expected)
    assert made.array("_TUNE_CURVE_t_sem").row(0)[1] == pytest.approx(stats.sem(two))


def test_samples_without_label_may_be_one_more_stimulus():
    trace = np.where(np.arange(100) < 50, 1.0, 5.0)[np.newaxis]
    table = stimulated(trace, ("t", "A", 5.0, 10.0))
    made = run("tuning_curves", table, stimulus_type="t", include_unlabelled=True)
    assert made.array("TUNE_CURVE_t_xlabels").row(0).tolist() == ["A", "unlabelled"]
    assert made.array("_TUNE_CURVE_t_yvals").row(0).tolist() == [5, 1]


def test_static_and_manual_dfof_know_their_baseline():
    traces = [[2.0, 4, 6, 2], [-1, 0, 1, 2], [0, 1, 2, 3]]
    made = run("static_df_o_f", table_of(traces)).array("_STATIC_DF_O_F").stacked()
    np.testing.assert_allclose(made[0], [0, 1, 2, 0])
    assert np.isnan(made[1:]).all()
    half = run("static_df_o_f", table_of(traces), percentile=50.0).array("_STATIC_DF_O_F")
    np.testing.assert_allclose(half.row(0), (np.array(traces[0]) - 3) / 3)
    table = table_of(traces, start_s=-0.2)
    manual = run("manual_df_o_f", table, start_s=-0.2, stop_s=0.0).array("_MANUAL_DF_O_F")
    np.testing.assert_allclose(manual.row(0), (np.array(traces[0]) - 3) / 3)
    assert np.isnan(manual.row(1)).all()
    np.testing.assert_allclose(manual.row(2), [-1, 1, 3, 5])


@pytest.mark.parametrize("baseline", ["percentile", "gaussian_min_max"])
def test_detrended_dfof_follows_a_slow_baseline(baseline):
    time_s = np.arange(3000) / 10
    slow = 100 + 20 * np.sin(2 * np.pi * time_s / 300)
    events = np.zeros(3000)
    events[::300] = 1.0
    active = signal.lfilter([1], [1, -0.9], events)
    trace = slow * (1 + active) + np.random.default_rng(0).normal(0, 0.5, 3000)
    made = run("detrend_df_o_f", table_of(trace[np.newaxis]), baseline=baseline)
    dff = made.array("_DETREND_DF_O_F").row(0)
    assert np.corrcoef(dff, active)[0, 1] > 0.98
    assert dff[0::300][1:].mean() == pytest.approx(1, abs=0.15)
    alone = run("detrend_df_o_f", table_of(trace[np.newaxis]), detrend_only=True)
    assert alone.array("_DETREND_DF_O_F").row(0).max() > 50


def events_of(trace, rate_hz=1.0, **params):
    """Return the events of one trace: samples, and which are peaks."""
    table = run("peak_detect", table_of([trace], rate_hz=rate_hz), **params)
    return [table.array(name).row(0).tolist() for name in EVENTS]


def test_reference_1_peaks_and_bases():
    assert events_of(TWO_PEAKS) == [[0, 2, 4, 7, 10], [0, 1, 0, 1, 0]]
    assert events_of(TWO_PEAKS, min_amplitude_rel=2.99)[0] == [0, 2, 4, 7, 10]
    assert events_of(TWO_PEAKS, min_amplitude_rel=3.0)[0] == [4, 7, 10]
    assert events_of(TWO_PEAKS, max_curvature=-1.5)[0] == [0, 2, 4, 7, 10]
    assert events_of(TWO_PEAKS, max_curvature=-1.51)[0] == [4, 7, 10]
    assert events_of(TWO_PEAKS, min_amplitude_abs=3.5)[0] == [4, 7, 10]
    assert events_of(TWO_PEAKS, rate_hz=10.0, max_curvature=-151.0)[0] == [4, 7, 10]


def test_reference_2_features_of_peaks():
    table = run("peak_detect", table_of([TWO_PEAKS], rate_hz=1.0))
    made = run("peak_features", table)
    expected = {
        "_pf_ampl_rel_b_mean": [3, 6],
        "_pf_rising_slope_avg": [1.5, 2.0],
        "_pf_falling_slope_avg": [1.5, 2.0],
        "_pf_duration_base": [4, 6],
        "_pf_area_rel_zero": [5.0833, 13.9167],
        "_pf_p_ix": [2, 7],
        "_pf_interval_s": [np.nan, 5],
        "_pf_rate": [10, 10],
        "_pf_prominence": [3, 6],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(made.scalar(name), values, atol=1e-4, err_msg=name)
    assert made.array("_pf_peak_curve").row(1).tolist() == TWO_PEAKS[4:10]
    assert made.row_ids.tolist() == ["roi0/peak:2", "roi0/peak:7"]


def test_reference_3_a_plateau_is_one_peak():
    assert events_of([0, 1, 2, 3, 2, 1, 0, 0.5, 1, 0])[0][:2] == [0, 3]
    assert events_of([0, 1, 3, 3, 3, 1, 0.0]) == [[0, 3, 6], [0, 1, 0]]


def test_defect_2_rejecting_a_peak_deletes_nothing_else():
    bumps = np.concatenate([[0, h, 2 * h, h] for h in (5.0, 0.1, 5.0, 0.1, 5.0)] + [[0.0]])
    kept = events_of(bumps, min_amplitude_rel=1.0)
    assert [ix for ix, is_peak in zip(*kept, strict=True) if is_peak] == [2, 10, 18]


def test_defect_2_the_maximum_is_that_of_the_own_window():
    trace = np.concatenate([[0, 4, 8, 4, 0], [4, 8, 7.5, 4, 0], [0.0]])
    peaks = [ix for ix, is_peak in zip(*events_of(trace), strict=True) if is_peak]
    assert peaks == [2, 6]


def test_defect_2_a_trace_that_ends_in_a_peak_is_no_error():
    trace = [0, 1, 3, 1, 0, 1, 3, 1, 0.5]
    assert events_of(trace, fictional_bases=False) == [[], []]
    assert events_of(trace, fictional_bases=True)[0] == [0, 2, 4, 6, 8]


def test_a_trace_without_peaks_goes_through():
    table = run("peak_detect", table_of([np.arange(9.0), TWO_PEAKS[:9], [np.nan] * 9]))
    assert table.array("_PB_IX").lengths.tolist() == [0, 5, 0]
    made = run("peak_features", table)
    assert set(made.scalar("parent_id")) == {"roi1"}


def test_every_event_between_two_bases_is_the_largest_sample_there():
    table = run("butterworth", table_of(noise(5, 2000)), cutoff_hz=1.0)
    table = run("derivative", table)
    made = run(
        "peak_detect", table, data_column="_BUTTERWORTH", derivative_column="_DERIVATIVE",
        min_amplitude_rel=0.1,
    )  # fmt: skip
    for row in range(5):
        places, flags = (made.array(name).row(row) for name in EVENTS)
        trace = made.array("_BUTTERWORTH").row(row)
        peaks = np.flatnonzero(flags)
        assert len(peaks) > 50 and (np.diff(places) > 0).all()
        for peak in peaks:
            left, right = places[peak - 1], places[peak + 1]
            assert flags[peak - 1] == flags[peak + 1] == 0
            assert trace[places[peak]] == trace[left : right + 1].max()
            assert trace[places[peak]] - (trace[left] + trace[right]) / 2 > 0.1


def test_peaks_move_with_the_trace_and_do_not_depend_on_its_scale():
    trace = run("butterworth", table_of(noise(1, 500)), cutoff_hz=1.0).array("_BUTTERWORTH").row(0)
    plain = events_of(trace)
    assert events_of(3 * trace + 100) == plain
    later = events_of(np.concatenate([np.full(7, trace[0]), trace]))
    assert [ix - 7 for ix in later[0][2:-1]] == plain[0][2:-1]


def test_columns_of_other_rates_are_refused():
    table = run("resample", table_of(noise(2, 100)), rate_hz=5.0)
    with pytest.raises(ValueError, match="as many samples at the same rate"):
        run("peak_detect", table, data_column="_RAW_CURVE", derivative_column="_RESAMPLE")
    peaks = run("peak_detect", table, data_column="_RAW_CURVE")
    with pytest.raises(ValueError, match="another length or rate in row 0"):
        run("peak_features", peaks, data_column="_RESAMPLE")


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 10, 11])
def test_areas_are_those_of_scipy(n_samples):
    values = noise(1, n_samples)[0]
    assert simpson(values) == pytest.approx(integrate.simpson(values))


def test_widths_decay_and_seconds():
    time_s = np.arange(400) / 20
    trace = np.where(time_s < 5, 0, np.exp(-(time_s - 5) / 2.0))
    table = table_of([trace], rate_hz=20.0)
    made = run("peak_features", run("peak_detect", table, min_amplitude_rel=0.1))
    assert made.n_rows == 1
    assert made.scalar("_pf_time_s")[0] == pytest.approx(5.0)
    assert made.scalar("_pf_decay_time_s")[0] == pytest.approx(2.0, rel=0.02)
    assert made.scalar("_pf_half_width_s")[0] == pytest.approx(2 * np.log(2), rel=0.05)
    assert made.scalar("_pf_area_rel_zero_s")[0] == pytest.approx(2.0, rel=0.03)
    duration = made.scalar("_pf_duration_base")[0]
    assert made.scalar("_pf_duration_base_s")[0] == pytest.approx(duration / 20)
    assert made.infos["_pf_rising_slope_avg_s"].unit == "a.u./s"


def test_edits_of_peaks_are_parameters_and_found_in_the_history():
    table = run("peak_detect", table_of([TWO_PEAKS, TWO_PEAKS], rate_hz=1.0))
    edits = [
        ["roi0", "delete", 2, None],
        ["roi0", "move", 7, 8],
        ["roi1", "add_peak", 5, None],
        ["roi1", "add_base", 11, None],
    ]
    made = run("peak_edit", table, edits=tuple(edits))
    assert made.array("_PB_IX").row(0).tolist() == [0, 4, 8, 10]
    assert made.array("_PB_IS_PEAK").row(0).tolist() == [0, 0, 1, 0]
    assert made.array("_PB_IX").row(1).tolist() == [0, 2, 4, 5, 7, 10, 11]
    assert made.provenance(0)[-1].parameters["edits"] == edits
    assert made.last_output == "_RAW_CURVE"
    for wrong, message in (
        (["roi9", "delete", 2, None], "'roi9' is there 0 times"),
        (["roi0", "delete", 3, None], "no event at sample 3 of row 'roi0'"),
        (["roi0", "add_peak", 12, None], "the trace has 12 samples"),
        (["roi0", "raise", 2, None], "an edit must be the name of a row"),
        (["roi0", "move", 2, None], "a sample must be a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            run("peak_edit", table, edits=(wrong,))


def test_defect_3_events_of_cut_traces_keep_their_time():
    table = run("splice_arrays", table_of([[9.0] * 10 + TWO_PEAKS], rate_hz=2.0), start=5.0)
    made = run("peak_features", run("peak_detect", table))
    np.testing.assert_allclose(made.scalar("_pf_time_s"), [6.0, 8.5])


def test_many_rows_share_one_copy_of_their_traces():
    table = run("peak_detect", table_of(noise(3, 1000)))
    made = run("peak_features", table)
    assert set(made.arrays) == {"_pf_peak_curve"}
    assert isinstance(made.array("_pf_peak_curve"), ArrayColumn)
