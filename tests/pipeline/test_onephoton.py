"""CNMF-E from movie to sources, against the planted truth."""

import gc
import shutil
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from pipeline import scratch
from pipeline.blocks import no_progress
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.methods import find_method, method_name
from pipeline.extraction.onephoton import CnmfeParams, extract_sources_one_photon
from pipeline.extraction.onephoton.asymmetry import trace_asymmetry
from pipeline.extraction.onephoton.bins import filed_bytes, plan_small
from pipeline.extraction.onephoton.inspection import inspect_seeds, seed_places_px
from pipeline.extraction.onephoton.task import prepare_task
from pipeline.movie import Movie
from pipeline.simulate import match_rois, trace_correlations
from pipeline.simulate.one_photon import simulate_one_photon
from pipeline.simulate.one_photon_params import OnePhotonParams

RATE_HZ = 20.0
SHAPE = 300, 48, 56
PARAMS = CnmfeParams()
SCENE = OnePhotonParams(n_frames=600, n_rows=88, n_cols=96, n_cells=18, n_vessels=1)


@pytest.fixture(scope="module")
def simulated():
    return simulate_one_photon(SCENE, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def sources(simulated):
    return extract_sources_one_photon(simulated.movie, PARAMS)


def blob(center, shape=SHAPE[1:], sd_px=3.0):
    rows, cols = np.indices(shape)
    distance = np.hypot(rows - center[0], cols - center[1])
    return np.exp(-((distance / sd_px) ** 2) / 2) * (distance < 3 * sd_px)


def transients(starts, n_frames=SHAPE[0]):
    trace = np.zeros(n_frames)
    for start in starts:
        trace[start:] += np.exp(-np.arange(n_frames - start) / (0.6 * RATE_HZ))
    return trace


def one_cell_movie(**movie_settings):
    """A cell at row 24 and column 20 under smooth light that varies more than the cell."""
    rng = np.random.default_rng(1)
    trace = 40 * transients([20, 90, 200])
    rows, cols = np.indices(SHAPE[1:])
    light = 200 + 100 * rng.normal(size=(SHAPE[0], 1, 1)) + 0.5 * rows
    light = light + rng.normal(size=(SHAPE[0], 1, 1)) * cols
    frames = light + trace[:, None, None] * blob((24, 20)) + rng.normal(0, 4, SHAPE)
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
        elif isinstance(a, tuple) and hasattr(a, "_fields"):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
        else:
            np.testing.assert_array_equal(a, b)


def test_most_planted_cells_are_found_and_hardly_anything_else(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints[:, sources.accepted])

    assert matches.f1 >= 0.85
    assert matches.precision >= 0.85
    assert np.median(matches.cosines) > 0.9


def test_traces_follow_the_planted_ones(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints[:, sources.accepted])
    denoised = sources.denoised[sources.accepted]
    correlation = [
        np.corrcoef(denoised[found], simulated.traces[true])[0, 1] for true, found in matches.pairs
    ]

    assert np.median(correlation) >= 0.9


def test_cells_and_background_explain_the_movie(simulated, sources):
    cells = (sources.footprints @ sources.denoised).T
    background = sources.background.temporal.T @ sources.background.spatial.T
    frames = simulated.movie[:].reshape(cells.shape).astype(float)

    rest = frames - cells - background
    noise = np.diff(frames, axis=0).std() / np.sqrt(2)
    assert rest.std() < 1.1 * noise
    assert frames.std(axis=0).mean() > 1.5 * noise


def test_dff_is_relative_to_cell_and_background_together(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints[:, sources.accepted])
    accepted = np.flatnonzero(sources.accepted)
    ratio = []
    mean = np.mean([simulated.background(frame) for frame in range(0, 600, 20)], axis=0)
    for true, found in matches.pairs:
        footprint = sources.footprints[:, [accepted[found]]].toarray().ravel()
        planted = simulated.footprints[:, [true]].toarray().ravel()
        weight = footprint / (footprint @ footprint)
        trace = simulated.traces[true]
        rise = (weight @ planted) * np.ptp(trace)
        level = weight @ (mean.ravel() + SCENE.offset) + (weight @ planted) * np.median(trace)
        dff = sources.denoised[accepted[found]]
        measured = np.percentile(sources.dff[accepted[found]], 99.8)
        ratio.append(measured / (rise / level))
        assert np.ptp(dff) > 0
    assert np.median(ratio) == pytest.approx(1, abs=0.3)


def test_every_array_has_one_row_a_component(sources):
    n_rois, n_frames = sources.footprints.shape[1], 600

    for traces in (sources.denoised, sources.residuals, sources.spikes, sources.dff, sources.raw):
        assert traces.shape == (n_rois, n_frames)
        assert traces.dtype == np.float32
    assert all(len(numbers) == n_rois for numbers in sources.quality)
    assert len(sources.accepted) == len(sources.reasons) == n_rois
    assert sources.background.spatial.shape[0] == 88 * 96
    assert sources.background.temporal.shape == (sources.background.spatial.shape[1], n_frames)
    assert sources.frame_shape == (88, 96)


def test_rejected_components_are_kept_with_reasons(simulated, sources):
    strict = extract_sources_one_photon(
        simulated.movie, replace(PARAMS, min_snr=18.0, min_asymmetry=1.5)
    )

    assert strict.footprints.shape == sources.footprints.shape
    assert 0 < strict.accepted.sum() < sources.accepted.sum()
    assert any("snr" in reason and "is below 18" in reason for reason in strict.reasons)
    assert any("asymmetry" in reason and "is below 1.5" in reason for reason in strict.reasons)
    for accepted, reason in zip(strict.accepted, strict.reasons, strict=True):
        assert accepted == (reason == "")


def test_threads_do_not_change_a_bit(simulated, sources):
    assert_equal_sources(extract_sources_one_photon(simulated.movie, PARAMS, threads=1), sources)


def test_a_few_frames_at_a_time_from_files_give_the_same(monkeypatch, simulated, sources):
    monkeypatch.setattr(scratch, "SMALLEST_BYTES", 4096)
    monkeypatch.setattr(scratch, "ROWS_BYTES", 50_000)

    filed = extract_sources_one_photon(simulated.movie, PARAMS)

    matches = match_rois(sources.footprints, filed.footprints)
    one, other = matches.pairs.T
    assert matches.f1 == 1
    np.testing.assert_array_equal(sources.accepted[one], filed.accepted[other])
    assert matches.cosines.min() > 0.9999
    for name in ("denoised", "residuals", "dff"):
        expected = getattr(sources, name)[one]
        error = getattr(filed, name)[other] - expected
        assert np.abs(error).max() < 1e-3 * np.ptp(expected), name


def test_the_copies_in_files_are_as_large_as_is_told_before(simulated):
    task = prepare_task(
        simulated.movie, PARAMS, threads=1, memory_bytes=100_000_000, progress=no_progress
    )
    copies = task.small.survey.small, task.small.survey.binned, task.small.coarse.frames

    assert all(len(copy) == 600 / 5 for copy in copies)
    size = sum(copy.nbytes for copy in copies)
    assert size <= filed_bytes(simulated.movie, task.params) < 1.25 * size
    longer = Movie(source=np.broadcast_to(np.uint16(0), (10**6, 88, 96)), rate_hz=RATE_HZ)
    assert plan_small(longer, task.params).bin_frames == task.small.grid.bin_frames


def mappings(folder):
    """Return the files of a folder, deleted ones too, that the memory holds a view of."""
    gc.collect()
    return [
        line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line
    ]


@pytest.mark.parametrize("end", ["done", "cancelled", "full"])
def test_nothing_is_left_of_the_files(monkeypatch, tmp_path, end):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "SMALLEST_BYTES", 4096)
    free = iter([10**12] * 12 + [0] * 1000)
    if end == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    seen = {}

    def look(phase, *_):
        if phase not in seen:
            seen[phase] = len(mappings(tmp_path))
        if end == "cancelled" and phase == "footprints":
            raise KeyboardInterrupt

    try:
        extract_sources_one_photon(one_cell_movie()[0], PARAMS, progress=look)
        ended = "done"
    except (KeyboardInterrupt, OSError) as error:
        ended = {KeyboardInterrupt: "cancelled", OSError: "full"}[type(error)]

    assert ended == end
    assert max(seen.values()) >= 3
    assert not mappings(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_input_is_not_changed(simulated):
    frames = np.array(simulated.movie[:100])
    frames.flags.writeable = False

    extract_sources_one_photon(Movie(source=frames, rate_hz=RATE_HZ), PARAMS)


def test_one_cell_comes_back_in_the_units_of_the_movie():
    movie, trace = one_cell_movie()

    sources = extract_sources_one_photon(movie, PARAMS)

    assert sources.accepted.tolist() == [True]
    footprint = sources.footprints.toarray()[:, 0]
    np.testing.assert_allclose((footprint**2).sum(), footprint.sum(), rtol=1e-5)
    planted = footprint @ blob((24, 20)).ravel() / footprint.sum() * trace
    found = sources.denoised[0] - sources.quality.baseline[0]
    assert np.corrcoef(found, planted)[0, 1] > 0.98
    assert np.polyfit(planted, found, 1)[0] == pytest.approx(1, abs=0.1)
    assert sources.quality.decay_time_s[0] == pytest.approx(0.6, rel=0.3)


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
    sources = extract_sources_one_photon(Movie(source=frames, rate_hz=RATE_HZ), PARAMS)

    assert not sources.accepted.any()
    n_rois = len(sources.accepted)
    assert sources.denoised.shape == sources.dff.shape == (n_rois, SHAPE[0])
    assert np.isfinite(sources.background.spatial).all()
    assert np.isfinite(sources.background.temporal).all()


def test_pixels_that_miss_often_belong_to_nothing():
    movie, trace = one_cell_movie()

    def hide_border(frames):
        frames[50:150, :, :8] = np.nan
        frames[::3, :5] = np.nan

    sources = extract_sources_one_photon(changed(movie, hide_border), PARAMS)

    hidden = np.zeros(SHAPE[1:], bool)
    hidden[:, :8] = hidden[:5] = True
    best = int(sources.quality.snr.argmax())
    assert not sources.footprints.toarray()[hidden.ravel()].any()
    assert not sources.background.spatial[hidden.ravel()].any()
    assert np.isfinite(sources.denoised).all()
    assert np.corrcoef(sources.denoised[best], trace)[0, 1] > 0.95


def test_a_frame_without_any_value_is_nan_in_every_trace():
    movie, trace = one_cell_movie()
    blank = [0, 60, 61, 299]

    def blanked(frames):
        frames[blank] = np.nan

    sources = extract_sources_one_photon(changed(movie, blanked), PARAMS)

    missing = np.isin(np.arange(SHAPE[0]), blank)
    for traces in (sources.denoised, sources.residuals, sources.spikes, sources.dff):
        np.testing.assert_array_equal(np.isnan(traces[0]), missing)
    assert np.isnan(sources.background.temporal[:, missing]).all()
    assert np.corrcoef(sources.denoised[0, ~missing], trace[~missing])[0, 1] > 0.97


def test_dead_and_saturated_pixels_belong_to_nothing():
    movie, trace = one_cell_movie()

    def break_pixels(frames):
        frames[:, 22, 19] = 0
        frames[:, 26, 22] = 65535

    sources = extract_sources_one_photon(changed(movie, break_pixels), PARAMS)

    best = int(sources.quality.snr.argmax())
    footprint = sources.footprints.toarray()[:, best].reshape(SHAPE[1:])
    assert footprint[22, 19] == footprint[26, 22] == 0
    assert np.corrcoef(sources.denoised[best], trace)[0, 1] > 0.95


def test_the_border_belongs_to_no_cell():
    movie, _ = one_cell_movie()

    sources = extract_sources_one_photon(movie, replace(PARAMS, border_px=14))

    footprint = sources.footprints.toarray().reshape(*SHAPE[1:], -1)
    assert footprint[14:-14, 14:-14].any()
    footprint[14:-14, 14:-14] = 0
    assert not footprint.any()


def test_fifty_frames_are_enough():
    movie, trace = one_cell_movie()

    sources = extract_sources_one_photon(replace(movie, source=movie[:50]), PARAMS)

    best = int(sources.quality.snr.argmax())
    assert np.corrcoef(sources.denoised[best], trace[:50])[0, 1] > 0.95


def test_blocks_of_unequal_sides_are_possible():
    movie, trace = one_cell_movie()

    sources = extract_sources_one_photon(
        movie, replace(PARAMS, gsig_px=(3.0, 5.0), background_bin_px=6)
    )

    best = int(sources.quality.snr.argmax())
    assert np.corrcoef(sources.denoised[best], trace)[0, 1] > 0.9


def test_progress_is_told_and_may_cancel(simulated):
    phases = []

    def cancel_late(phase, done, total):
        assert 0 <= done <= total
        phases.append(phase)
        if phase == "footprints":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_sources_one_photon(simulated.movie, PARAMS, progress=cancel_late)

    assert list(dict.fromkeys(phases)) == [
        "surveying the movie",
        "finding cells",
        "traces",
        "footprints",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": np.zeros((50, 2, 40, 48), np.float32)}, "works on one plane"),
        ({"rate_hz": None}, "frame rate of movie is not known"),
        ({"rate_hz": 0.2}, "decay_time_s must be between"),
        ({"source": np.zeros((9, 48, 56), np.float32)}, "movie has 9 frames"),
        ({"source": np.full(SHAPE, np.nan, np.float32)}, "has 0 frames with a finite value"),
        ({"source": np.zeros((50, 10, 56), np.float32)}, "gsig_px must be at most a quarter"),
    ],
)
def test_a_movie_that_cannot_be_worked_on_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        extract_sources_one_photon(replace(one_cell_movie()[0], **change), PARAMS)


def test_too_little_memory_is_refused():
    with pytest.raises(ValueError, match="memory_bytes must be at least"):
        extract_sources_one_photon(one_cell_movie()[0], PARAMS, memory_bytes=1000)


def test_the_inspection_shows_where_the_extraction_begins(simulated):
    found = inspect_seeds(simulated.movie, PARAMS)
    params = for_movie(PARAMS, simulated.movie)
    places = seed_places_px(found.images, found.bin_px, params)
    strict = seed_places_px(found.images, found.bin_px, replace(params, min_corr=0.9, min_pnr=8))

    assert found.images.corr.shape == found.images.pnr.shape == (44, 48)
    assert found.bin_px == (2, 2)
    assert found.bin_frames == 5
    assert 0 < len(strict) < len(places)
    near = np.hypot(*(strict[:, None] - simulated.centers_px).T).min(axis=0)
    assert np.median(near) < 2.5


def test_transients_are_asymmetric_and_haze_is_not():
    rng = np.random.default_rng(0)
    cell = transients([30, 400, 700, 1200], 1500) + rng.normal(0, 0.05, 1500)
    slow = np.convolve(rng.normal(size=1500), np.hanning(60), "same")
    found = trace_asymmetry(np.stack([cell, -cell, slow]), decay_frames=12)

    assert found[0] > 1.5
    assert found[1] == pytest.approx(-found[0])
    assert abs(found[2]) < 0.4


def test_a_constant_or_short_trace_has_no_asymmetry():
    assert trace_asymmetry(np.full((2, 100), 5.0), decay_frames=12).tolist() == [0, 0]
    assert trace_asymmetry(np.zeros((1, 3)), decay_frames=12).tolist() == [0]
    assert trace_asymmetry(np.zeros((0, 100)), decay_frames=12).shape == (0,)


def test_the_method_is_known_by_its_name():
    assert find_method("cnmfe").extract is extract_sources_one_photon
    assert method_name(PARAMS) == "cnmfe"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gsig_px", (0.5, 5.0), "gsig_px must be between 1 and 100; got 0.5"),
        ("min_corr", 1.5, "min_corr must be between 0 and 1; got 1.5"),
        ("ring_radius_factor", 0.1, "ring_radius_factor must be between 0.5 and 5; got 0.1"),
        ("background_bin_px", -1, "background_bin_px must be between 0 and 100; got -1"),
        ("background_bin_px", 1.5, "background_bin_px must be a whole number; got 1.5"),
        ("min_asymmetry", float("nan"), "min_asymmetry must be between -100 and 100; got nan"),
        ("p", 3, "p must be between 1 and 2; got 3"),
    ],
)
def test_an_impossible_setting_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        CnmfeParams(**{name: value})


def test_the_names_of_caiman_are_understood():
    params = CnmfeParams.from_caiman(
        {
            "cnmfe_kwargs": {
                "gSig": (4, 4),
                "gSiz": (17, 17),
                "min_corr": 0.85,
                "min_pnr": 9,
                "rf": 50,
                "stride": 30,
                "gnb": 0,
                "nb_patch": 0,
                "K": None,
                "ssub": 1,
                "tsub": 1,
                "ring_size_factor": 1.4,
                "low_rank_background": False,
                "method_deconvolution": "oasis",
                "merge_thresh": 0.75,
                "p": 1,
            },
            "eval_kwargs": {"min_SNR": 3.0, "rval_thr": 0.7, "decay_time": 0.4, "fr": 20},
            "border_pix": 5,
        }
    )

    assert params == CnmfeParams(
        gsig_px=(4.0, 4.0),
        min_corr=0.85,
        min_pnr=9,
        ring_radius_factor=1.4 * 17 / 16,
        merge_corr=0.75,
        p=1,
        min_snr=3.0,
        min_rval=0.7,
        decay_time_s=0.4,
        border_px=5,
    )


def test_what_has_no_effect_is_told():
    with pytest.warns(UserWarning, match=r"without effect here: K \(the number of cells is found"):
        CnmfeParams.from_caiman({"gSig": 3, "K": 10})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gsig": 3}, "'gsig' is no setting of CNMF-E in CaImAn"),
        ({"p": 0}, "leaves deconvolution out"),
        ({"method_deconvolution": "SKIP"}, "leaves deconvolution out"),
        ({"Ain": "a-uuid"}, "give the footprints as seeds of the extraction"),
        ({"ring_size_factor": 1.5}, "give gSig as well"),
        ({"gSig": (3, 3, 3)}, "one or two numbers"),
        ({"min_corr": 2}, "min_corr must be between 0 and 1"),
    ],
)
def test_what_cannot_be_had_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        CnmfeParams.from_caiman(values)


def test_masks_take_the_place_of_the_search(simulated):
    planted = simulated.footprints.toarray()
    masks = sparse.csc_array((planted > 0.3 * planted.max(axis=0)).astype(np.float32))

    found = extract_sources_one_photon(simulated.movie, PARAMS, seeds=masks)
    again = extract_sources_one_photon(simulated.movie, PARAMS, seeds=masks, threads=1)

    assert_equal_sources(found, again)
    matches = match_rois(simulated.footprints, found.footprints)
    correlation = trace_correlations(matches, simulated.traces, found.denoised)
    assert found.footprints.shape[1] == masks.shape[1]
    assert matches.f1 > 0.85
    assert np.median(matches.cosines) > 0.9
    assert np.median(correlation) > 0.85


def test_seeds_without_any_light_are_no_cells(simulated):
    nothing = sparse.csc_array((88 * 96, 0), dtype=np.float32)

    assert extract_sources_one_photon(simulated.movie, PARAMS, seeds=nothing).accepted.size == 0
    with pytest.raises(ValueError, match="the seeds have 9 pixels and the frames of .* 8448"):
        seeds = sparse.csc_array(np.eye(9))
        extract_sources_one_photon(simulated.movie, PARAMS, seeds=seeds)


class Counted:
    """Frames that count how many of them were read."""

    def __init__(self, frames):
        self.frames, self.shape, self.dtype, self.n_read = frames, frames.shape, frames.dtype, 0

    def __getitem__(self, frames):
        block = self.frames[frames]
        self.n_read += len(block)
        return block


def test_a_movie_is_read_three_times(simulated):
    counted = Counted(simulated.movie[:])

    extract_sources_one_photon(replace(simulated.movie, source=counted), PARAMS)

    assert counted.n_read <= 3 * counted.shape[0]
