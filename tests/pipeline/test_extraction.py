"""CNMF from movie to sources, against the planted truth."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import Background, CnmfParams, extract_sources
from pipeline.extraction.methods import find_method
from pipeline.extraction.onephoton.bins import plan_small
from pipeline.extraction.survey import plan_grid
from pipeline.movie import Movie
from pipeline.simulate import match_rois, trace_correlations
from tests.pipeline.still_movie import still_movie

RATE_HZ = 30.0
SHAPE = 300, 40, 48
PARAMS = CnmfParams()


@pytest.fixture(scope="module")
def simulated():
    return still_movie()


@pytest.fixture(scope="module")
def sources(simulated):
    return extract_sources(simulated.movie, PARAMS)


def blob(center, shape=SHAPE[1:], sd_px=4.0):
    rows, cols = np.indices(shape)
    distance = np.hypot(rows - center[0], cols - center[1])
    return np.exp(-((distance / sd_px) ** 2) / 2) * (distance < 2 * sd_px)


def transients(starts, n_frames=SHAPE[0], height=1.0):
    trace = np.zeros(n_frames)
    for start in starts:
        trace[start:] += height * np.exp(-np.arange(n_frames - start) / (0.7 * RATE_HZ))
    return trace


def one_cell_movie(noise=2.0, height=30.0, **movie_settings):
    """A cell at row 20 and column 15 on a level of 100."""
    rng = np.random.default_rng(1)
    trace = transients([20, 90, 200], height=height)
    frames = 100 + trace[:, None, None] * blob((20, 15)) + rng.normal(0, noise, SHAPE)
    return Movie(source=frames.astype(np.float32), rate_hz=RATE_HZ, **movie_settings), trace


def changed(movie, change):
    frames = np.array(movie.source)
    change(frames)
    return replace(movie, source=frames)


def assert_equal_sources(one, other):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, sparse.csc_array):
            assert (a != b).nnz == 0
        elif isinstance(a, Background):
            assert (a.images != b.images).nnz == 0
            np.testing.assert_array_equal(a.temporal, b.temporal)
        elif isinstance(a, tuple) and hasattr(a, "_fields"):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
        else:
            np.testing.assert_array_equal(a, b)


def test_nearly_all_planted_cells_are_found_and_nothing_else(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints[:, sources.accepted])

    assert matches.f1 >= 0.95
    assert np.median(matches.cosines) > 0.95


def test_traces_follow_the_planted_ones(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints)
    correlation = [
        np.corrcoef(sources.denoised[found], simulated.traces[true])[0, 1]
        for true, found in matches.pairs
    ]

    assert np.median(correlation) >= 0.97


def test_spikes_follow_the_planted_ones(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints)
    smooth = np.ones(7)
    correlation = [
        np.corrcoef(
            np.convolve(sources.spikes[found], smooth),
            np.convolve(simulated.spikes[true], smooth),
        )[0, 1]
        for true, found in matches.pairs
    ]

    assert np.median(correlation) >= 0.8


def test_cells_and_background_explain_the_movie(simulated, sources):
    cells = (sources.footprints @ sources.denoised).T
    background = sources.background.temporal.T @ sources.background.images.T
    rest = simulated.movie[:].reshape(cells.shape) - cells - background

    noise = np.diff(simulated.movie[:].astype(float), axis=0).std() / np.sqrt(2)
    assert rest.std() < 1.02 * noise
    assert abs(rest.mean()) < 0.01 * noise


def test_every_array_has_one_row_a_component(sources):
    n_rois = sources.footprints.shape[1]
    n_frames = sources.denoised.shape[1]

    for traces in (sources.denoised, sources.residuals, sources.spikes, sources.dff, sources.raw):
        assert traces.shape == (n_rois, n_frames)
        assert traces.dtype == np.float32
    assert all(len(numbers) == n_rois for numbers in sources.quality)
    assert len(sources.accepted) == len(sources.reasons) == n_rois
    n_courses = len(sources.background.temporal)
    assert sources.background.spatial.shape == (96 * 112, n_courses)
    assert sources.background.temporal.shape == (n_courses, n_frames)
    assert sources.frame_shape == (96, 112)


def test_rejected_components_are_kept_with_reasons(simulated, sources):
    strict = extract_sources(simulated.movie, replace(PARAMS, min_snr=12.0, min_rval=0.9))

    assert strict.footprints.shape == sources.footprints.shape
    assert 0 < strict.accepted.sum() < sources.accepted.sum()
    for accepted, reason, snr in zip(
        strict.accepted, strict.reasons, strict.quality.snr, strict=True
    ):
        assert accepted == (reason == "")
        assert (snr < 12) == (f"snr {snr:.2f} is below 12" in reason)


def test_threads_do_not_change_a_bit(simulated, sources):
    assert_equal_sources(extract_sources(simulated.movie, PARAMS, threads=1), sources)


def test_little_memory_gives_nearly_the_same(simulated, sources):
    little = extract_sources(simulated.movie, PARAMS, memory_bytes=20_000_000)

    matches = match_rois(
        sources.footprints[:, sources.accepted], little.footprints[:, little.accepted]
    )
    assert matches.f1 > 0.95


def test_the_input_is_not_changed(simulated):
    frames = np.array(simulated.movie[:100])
    frames.flags.writeable = False

    extract_sources(Movie(source=frames, rate_hz=RATE_HZ), PARAMS)


def test_one_cell_comes_back_in_the_units_of_the_movie():
    movie, trace = one_cell_movie()

    sources = extract_sources(movie, PARAMS)

    assert sources.accepted.tolist() == [True]
    footprint = sources.footprints.toarray()[:, 0]
    np.testing.assert_allclose((footprint**2).sum(), footprint.sum(), rtol=1e-5)
    # the trace is the weighted mean over the footprint of the cell's own light
    planted = footprint @ blob((20, 15)).ravel() / footprint.sum() * trace
    raw = sources.raw[0] - sources.quality.baseline[0]
    assert np.abs(raw - planted).std() < 2
    assert sources.quality.decay_time_s[0] == pytest.approx(0.7, rel=0.3)
    assert sources.quality.noise[0] == pytest.approx(
        2.0 * np.sqrt((footprint**2).sum()) / footprint.sum(), rel=0.15
    )


def test_an_integer_movie_gives_what_a_float_movie_gives(simulated, sources):
    as_float = replace(simulated.movie, source=simulated.movie[:].astype(np.float32))

    assert_equal_sources(extract_sources(as_float, PARAMS), sources)


@pytest.mark.parametrize(
    "frames",
    [
        np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32),
        np.random.default_rng(0).poisson(20, SHAPE).astype(np.uint16),
        np.full(SHAPE, 7, np.uint16),
        np.zeros(SHAPE, np.float32),
    ],
    ids=["normal", "poisson", "constant", "zero"],
)
def test_no_component_is_a_valid_result(frames):
    sources = extract_sources(Movie(source=frames, rate_hz=RATE_HZ), PARAMS)

    assert sources.footprints.shape == (40 * 48, 0)
    assert sources.denoised.shape == sources.dff.shape == sources.raw.shape == (0, SHAPE[0])
    assert sources.background.spatial.shape == (40 * 48, len(sources.background.temporal))
    assert np.isfinite(sources.background.images.data).all()
    assert sources.accepted.shape == sources.quality.snr.shape == (0,)
    assert sources.reasons == ()


def test_pixels_that_miss_often_belong_to_nothing():
    movie, _ = one_cell_movie()

    def hide_border(frames):
        frames[50:150, :, :12] = np.nan

    sources = extract_sources(changed(movie, hide_border), PARAMS)

    hidden = np.zeros(SHAPE[1:], bool)
    hidden[:, :12] = True
    footprint = sources.footprints.toarray()[:, 0].reshape(SHAPE[1:])
    assert sources.footprints.shape[1] == 1
    assert footprint[hidden].max() == 0
    assert not sources.background.images.toarray()[hidden.ravel()].any()
    assert np.isfinite(sources.denoised).all()


def test_a_pixel_that_misses_rarely_counts_as_its_mean():
    movie, trace = one_cell_movie()

    def hide_few(frames):
        frames[150:160, 15:25, 10:20] = np.nan

    sources = extract_sources(changed(movie, hide_few), PARAMS)

    assert np.corrcoef(sources.denoised[0], trace)[0, 1] > 0.99


def test_a_frame_without_any_value_is_nan_in_every_trace():
    movie, trace = one_cell_movie()

    def blank(frames):
        frames[[0, 60, 61, 299]] = np.nan

    sources = extract_sources(changed(movie, blank), PARAMS)

    blanked = np.isin(np.arange(SHAPE[0]), [0, 60, 61, 299])
    for traces in (sources.denoised, sources.residuals, sources.spikes, sources.dff):
        np.testing.assert_array_equal(np.isnan(traces[0]), blanked)
    assert np.isnan(sources.background.temporal[0, blanked]).all()
    assert np.corrcoef(sources.denoised[0, ~blanked], trace[~blanked])[0, 1] > 0.99


def test_clean_data_give_the_same_with_and_without_support_for_nan():
    movie, _ = one_cell_movie()
    whole = np.rint(movie[:]).astype(np.uint16)

    assert_equal_sources(
        extract_sources(Movie(source=whole, rate_hz=RATE_HZ), PARAMS),
        extract_sources(Movie(source=whole.astype(np.float64), rate_hz=RATE_HZ), PARAMS),
    )


def test_dead_and_saturated_pixels_belong_to_nothing():
    movie, trace = one_cell_movie()

    def break_pixels(frames):
        frames[:, 18, 14] = 0
        frames[:, 22, 16] = 65535

    sources = extract_sources(changed(movie, break_pixels), PARAMS)

    footprint = sources.footprints.toarray()[:, 0].reshape(SHAPE[1:])
    assert footprint[18, 14] == footprint[22, 16] == 0
    assert np.corrcoef(sources.denoised[0], trace)[0, 1] > 0.99


def test_the_border_belongs_to_no_cell():
    movie, _ = one_cell_movie()

    sources = extract_sources(movie, replace(PARAMS, border_px=9))

    footprint = sources.footprints.toarray().reshape(*SHAPE[1:], -1)
    assert footprint[9:-9, 9:-9].any()
    footprint[9:-9, 9:-9] = 0
    assert not footprint.any()


def test_fifty_frames_are_enough():
    movie, trace = one_cell_movie()

    sources = extract_sources(replace(movie, source=movie[:50]), PARAMS)

    (cell,) = np.flatnonzero(sources.accepted)
    assert np.corrcoef(sources.denoised[cell], trace[:50])[0, 1] > 0.99
    assert sources.dff_window_frames == 50


def test_overlapping_cells_are_told_apart():
    rng = np.random.default_rng(2)
    planted = np.stack([blob((20, 18)).ravel(), blob((20, 26)).ravel()], axis=1)
    traces = np.stack([transients([20, 150, 230]), transients([60, 160, 200])]) * 30
    frames = 100 + (planted @ traces).T.reshape(SHAPE) + rng.normal(0, 2, SHAPE)

    sources = extract_sources(
        Movie(source=frames.astype(np.float32), rate_hz=RATE_HZ), replace(PARAMS, gnb=1)
    )

    matches = match_rois(sparse.csc_array(planted), sources.footprints)
    assert matches.f1 == 1
    for true, found in matches.pairs:
        assert np.corrcoef(sources.denoised[found], traces[true])[0, 1] > 0.98


def test_progress_is_told_and_may_cancel(simulated):
    phases = []

    def cancel_late(phase, done, total):
        assert 0 <= done <= total
        phases.append(phase)
        if phase == "traces":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_sources(simulated.movie, PARAMS, progress=cancel_late)

    assert list(dict.fromkeys(phases)) == [
        "surveying the movie",
        "finding cells",
        "traces",
    ]


def test_a_movie_of_planes_is_refused():
    movie = Movie(source=np.zeros((50, 2, 40, 48), np.float32), rate_hz=RATE_HZ)

    with pytest.raises(ValueError, match=r"works on one plane.*\(50, 2, 40, 48\).*cnmf3d"):
        extract_sources(movie, PARAMS)


def test_a_movie_without_rate_is_refused():
    movie = Movie(source=np.zeros(SHAPE, np.float32))

    with pytest.raises(ValueError, match="frame rate of movie is not known"):
        extract_sources(movie, PARAMS)


def test_a_decay_shorter_than_a_frame_is_refused():
    movie, _ = one_cell_movie()

    with pytest.raises(ValueError, match="decay_time_s must be between 0.2 and inf; got 0.1"):
        extract_sources(replace(movie, rate_hz=1.0), replace(PARAMS, decay_time_s=0.1))


def test_a_cell_that_does_not_fit_into_the_frame_is_refused():
    movie, _ = one_cell_movie()

    with pytest.raises(ValueError, match=r"gsig_px must be at most .* 10 of 40 pixels.*got 11"):
        extract_sources(movie, replace(PARAMS, gsig_px=(11, 5)))


def test_a_border_that_leaves_nothing_is_refused():
    movie, _ = one_cell_movie()

    with pytest.raises(ValueError, match="border_px must be below 20, .* 40 x 48 .*; got 20"):
        extract_sources(movie, replace(PARAMS, border_px=20))


def test_too_few_frames_are_refused():
    movie, _ = one_cell_movie()

    with pytest.raises(ValueError, match="movie has 9 frames; CNMF needs at least 10"):
        extract_sources(replace(movie, source=movie[:9]), PARAMS)


def test_a_movie_without_finite_frames_is_refused():
    movie = Movie(source=np.full(SHAPE, np.nan, np.float32), rate_hz=RATE_HZ)

    with pytest.raises(ValueError, match="movie has 0 frames with a finite value"):
        extract_sources(movie, PARAMS)


def test_too_little_memory_is_refused():
    movie, _ = one_cell_movie()

    with pytest.raises(ValueError, match="memory_bytes must be at least 491520 .*; got 1000"):
        extract_sources(movie, PARAMS, memory_bytes=1000)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gsig_px", (0.5, 5.0), "gsig_px must be between 1 and 100; got 0.5"),
        (
            "gsig_px",
            (5.0,),
            r"gsig_px must be two numbers, along rows and columns, .*; got \(5.0,\)",
        ),
        ("decay_time_s", 0.0, "decay_time_s must be between 0.01 and 60; got 0.0"),
        ("min_corr", 1.5, "min_corr must be between 0 and 1; got 1.5"),
        ("min_pnr", -1.0, "min_pnr must be between 0 and 1000; got -1.0"),
        ("gnb", 0, "gnb must be between 1 and 20; got 0"),
        ("gnb", 1.5, "gnb must be a whole number; got 1.5"),
        ("p", 3, "p must be between 0 and 2; got 3"),
        ("merge_corr", float("nan"), "merge_corr must be between 0 and 1; got nan"),
        ("min_snr", -1.0, "min_snr must be between 0 and 1000; got -1.0"),
        ("min_rval", -2.0, "min_rval must be between -1 and 1; got -2.0"),
        ("border_px", -1, "border_px must be between 0 and 1000; got -1"),
        ("border_px", 0.5, "border_px must be a whole number; got 0.5"),
        ("dff_window_s", 0.0, "dff_window_s must be between 0.1 and 36000; got 0.0"),
        ("dff_percentile", 101.0, "dff_percentile must be between 0 and 100; got 101.0"),
    ],
)
def test_an_impossible_setting_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        CnmfParams(**{name: value})


def test_seeds_take_the_place_of_the_search(simulated):
    masks = sparse.csc_array(simulated.footprints[:, :5] > 0, dtype=np.float32)

    seeded = extract_sources(simulated.movie, PARAMS, seeds=masks)

    matches = match_rois(simulated.footprints[:, :5], seeded.footprints)
    assert matches.f1 == 1
    assert np.median(matches.cosines) > 0.95
    assert np.median(trace_correlations(matches, simulated.traces, seeded.denoised)) > 0.95


def test_no_seeds_give_no_components(simulated):
    none = sparse.csc_array((96 * 112, 0), dtype=np.float32)

    assert extract_sources(simulated.movie, PARAMS, seeds=none).raw.shape == (0, 600)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (sparse.csc_array((7, 2)), "the seeds have 7 pixels and the frames of movie 1920"),
        (sparse.csc_array(-np.eye(1920, 1)), "the seeds must have finite weights of at least 0"),
    ],
)
def test_seeds_that_do_not_fit_are_refused(seeds, message):
    with pytest.raises(ValueError, match=message):
        extract_sources(one_cell_movie()[0], PARAMS, seeds=seeds)


def test_without_a_model_calcium_is_what_exceeds_the_baseline():
    movie, trace = one_cell_movie()

    sources = extract_sources(movie, replace(PARAMS, p=0))

    assert sources.accepted.tolist() == [True]
    assert np.corrcoef(sources.denoised[0], trace)[0, 1] > 0.99
    assert not sources.spikes.any()
    assert np.isnan(sources.quality.decay_time_s[0])


def test_the_background_under_a_cell_is_that_of_its_place():
    movie, _ = one_cell_movie()

    sources = extract_sources(movie, PARAMS)

    assert sources.under[0].mean() == pytest.approx(100, abs=1)


def test_settings_of_caiman_are_taken_over():
    params = CnmfParams.from_caiman(
        {
            "cnmf_kwargs": {"gSig": (6, 7), "gSiz": (25, 25), "K": 10, "rf": 50, "nb": 2, "p": 1},
            "eval_kwargs": {"decay_time": 1.5, "min_SNR": 3, "rval_thr": 0.8, "use_cnn": False},
            "refit": True,
            "merge_thr": 0.7,
        }
    )

    expected = CnmfParams(
        gsig_px=(6, 7), p=1, decay_time_s=1.5, min_snr=3, min_rval=0.8, merge_corr=0.7
    )
    assert params == expected
    assert CnmfParams.from_caiman({"gSig": 4}).gsig_px == (4, 4)
    assert CnmfParams.from_caiman({"quality": {"min_SNR": 4}}).min_snr == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gsig": 3}, "'gsig' is no setting of CNMF in CaImAn .* leave it out"),
        ({"Ain": [1]}, "give the footprints as seeds"),
        ({"p": 5}, "p must be between 0 and 2; got 5"),
    ],
)
def test_settings_that_are_not_caimans_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        CnmfParams.from_caiman(values)


@pytest.mark.parametrize(
    ("method", "frame_shape", "plan"),
    [
        ("cnmf", (40, 40), plan_grid),
        ("cnmf3d", (4, 40, 40), plan_grid),
        ("cnmfe", (40, 40), lambda movie, params, **_: plan_small(movie, params)),
    ],
)
def test_defect_17_the_decay_time_acts_in_every_method(method, frame_shape, plan):
    movie = Movie(source=np.zeros((600, *frame_shape), np.float32), rate_hz=20.0)
    gsig_px = (1, 4, 4)[-len(frame_shape) :]
    decays_s = (0.5, 2.0)
    params = [find_method(method).params(gsig_px=gsig_px, decay_time_s=s) for s in decays_s]

    grids = [plan(movie, each, memory_bytes=1 << 30) for each in params]

    assert grids[1].bin_frames > grids[0].bin_frames
    assert [grid.decay_bins * grid.bin_frames for grid in grids] == pytest.approx([10, 40])
    taken_over = [find_method(method).params.from_caiman({"decay_time": s}) for s in decays_s]
    assert [each.decay_time_s for each in taken_over] == list(decays_s)
