"""CNMF of volumes from movie to sources, against the planted truth."""

import math
import tracemalloc
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import Background
from pipeline.extraction.patches import cut, plan_patches
from pipeline.extraction.volume import Cnmf3dParams, extract_sources_3d
from pipeline.movie import Movie
from pipeline.readers import open_movie
from pipeline.simulate import VolumeParams, match_rois, simulate_volume, trace_correlations
from pipeline.window import Window, pixels_of, window_of

RATE_HZ = 10.0
SHAPE = 120, 5, 40, 48
PARAMS = Cnmf3dParams(gsig_px=(1.2, 5, 5))
SMALL = Cnmf3dParams(gsig_px=(1.0, 3.0, 3.0))
PATCHED_BYTES = 40_000_000


@pytest.fixture(scope="module")
def simulated():
    params = VolumeParams(
        n_frames=200,
        n_planes=6,
        n_rows=96,
        n_cols=88,
        n_cells=24,
        max_shift_px=0,
        max_deviation_px=0,
        jump_rate_hz=0,
        max_plane_shift_px=0,
    )
    return simulate_volume(params, rng=np.random.default_rng(5))


@pytest.fixture(scope="module")
def sources(simulated):
    return extract_sources_3d(simulated.movie, PARAMS)


@pytest.fixture(scope="module")
def patched(simulated):
    return extract_sources_3d(simulated.movie, PARAMS, memory_bytes=PATCHED_BYTES, threads=1)


def blob(center, *, sd_px=(1.0, 3.0, 3.0), shape=SHAPE[1:]):
    away = [(np.arange(n) - at) / sd for n, at, sd in zip(shape, center, sd_px, strict=True)]
    squares = sum(np.square(axis) for axis in np.ix_(*away))
    return np.exp(-squares / 2) * (squares < 6)


def transients(starts, *, height=30.0, n_frames=SHAPE[0]):
    trace = np.zeros(n_frames)
    for start in starts:
        trace[start:] += height * np.exp(-np.arange(n_frames - start) / (0.7 * RATE_HZ))
    return trace


def movie_of(cells, *, noise=2.0, shape=SHAPE, level=100.0):
    """Plant cells, pairs of a footprint and a trace, in noise."""
    frames = np.random.default_rng(1).normal(level, noise, shape)
    for footprint, trace in cells:
        frames += trace[:, np.newaxis, np.newaxis, np.newaxis] * footprint
    return Movie(source=frames.astype(np.float32), rate_hz=RATE_HZ)


def one_cell():
    return [(blob((2, 20, 15)), transients([10, 40, 80]))]


def columns(cells):
    return sparse.csc_array(np.stack([footprint.ravel() for footprint, _ in cells], axis=1))


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


def assert_accurate(sources, simulated):
    good = sources.accepted
    matches = match_rois(simulated.footprints, sources.footprints[:, good])
    correlations = trace_correlations(matches, simulated.traces, sources.denoised[good])
    assert matches.f1 >= 0.9
    assert np.median(matches.cosines) > 0.9
    assert np.median(correlations) > 0.98


def test_nearly_all_planted_cells_are_found_with_their_traces(simulated, sources):
    assert_accurate(sources, simulated)
    assert sources.frame_shape == (6, 96, 88)
    assert sources.footprints.shape[0] == 6 * 96 * 88


def test_patches_find_what_the_whole_volume_shows(simulated, sources, patched):
    counts = [
        len(plan_patches(simulated.movie, PARAMS, memory_bytes=memory // 2))
        for memory in (10**9, PATCHED_BYTES)
    ]
    matches = match_rois(
        sources.footprints[:, sources.accepted], patched.footprints[:, patched.accepted]
    )

    assert counts[0] == 1 < counts[1]
    assert_accurate(patched, simulated)
    assert matches.f1 > 0.95
    assert matches.cosines.min() > 0.8


def test_bits_do_not_depend_on_the_threads(simulated, patched):
    assert_equal_sources(
        extract_sources_3d(simulated.movie, PARAMS, memory_bytes=PATCHED_BYTES, threads=2), patched
    )


def test_a_cell_on_the_border_of_patches_is_found_once(patched):
    found = patched.footprints[:, patched.accepted].toarray()
    unit = found / np.linalg.norm(found, axis=0)
    alike = unit.T @ unit - np.eye(unit.shape[1])

    assert alike.max() < 0.7


def test_an_anisotropic_cell_is_found_with_its_shape():
    cells = [(blob((3, 20, 15), sd_px=(0.6, 5, 5)), transients([10, 40, 80]))]
    sources = extract_sources_3d(movie_of(cells), Cnmf3dParams(gsig_px=(0.6, 5, 5)))
    matches = match_rois(columns(cells), sources.footprints[:, sources.accepted])

    assert (matches.f1, len(matches.pairs)) == (1.0, 1)
    assert matches.cosines[0] > 0.95


def test_cells_that_touch_along_the_planes_are_told_apart():
    shape = 200, 8, 40, 48
    cells = [
        (blob((2, 20, 20), shape=shape[1:]), transients([10, 60, 130], n_frames=200)),
        (blob((5, 21, 22), shape=shape[1:]), transients([30, 90, 160], n_frames=200)),
    ]
    sources = extract_sources_3d(movie_of(cells, shape=shape), SMALL)
    good = sources.accepted
    matches = match_rois(columns(cells), sources.footprints[:, good])
    traces = np.stack([trace for _, trace in cells])

    assert (matches.f1, len(matches.pairs)) == (1.0, 2)
    assert matches.cosines.min() > 0.9
    assert trace_correlations(matches, traces, sources.denoised[good]).min() > 0.98


def test_a_cell_of_each_plane_is_one_component_of_each_plane():
    cells = [
        (blob((plane, 20, 10 + 13 * plane), sd_px=(0.1, 3, 3)), transients([10 + 9 * plane, 70]))
        for plane in range(3)
    ]
    sources = extract_sources_3d(movie_of(cells), replace(SMALL, planes="each"))
    good = sources.footprints[:, sources.accepted]
    matches = match_rois(columns(cells), good)

    assert (matches.f1, len(matches.pairs)) == (1.0, 3)
    assert [
        set(np.unique(column // (40 * 48))) for column in np.split(good.indices, good.indptr[1:-1])
    ] == [{0}, {1}, {2}]
    assert sources.background.spatial.shape == (
        5 * 40 * 48,
        len(sources.background.temporal),
    )


def test_cells_and_background_explain_the_movie(simulated, sources):
    cells = (sources.footprints @ sources.denoised).T
    background = sources.background.temporal.T @ sources.background.images.T
    rest = simulated.movie[:].reshape(cells.shape) - cells - background
    noise = np.diff(simulated.movie[:].astype(float), axis=0).std() / math.sqrt(2)

    assert rest.std() < 1.1 * noise


@pytest.mark.parametrize("planes", ["together", "each"])
def test_planes_and_edges_without_values_belong_to_no_cell(planes):
    frames = np.array(movie_of(one_cell()).source)
    frames[:, [0, -1]] = np.nan
    frames[:, :, :4] = np.nan
    frames[17] = np.nan
    sources = extract_sources_3d(
        Movie(source=frames, rate_hz=RATE_HZ), replace(SMALL, planes=planes)
    )
    lit = np.unravel_index(np.unique(sources.footprints.indices), SHAPE[1:])

    assert sources.accepted.sum() == (1 if planes == "together" else 3)
    assert (lit[0].min(), lit[0].max()) >= (1, 1)
    assert lit[0].max() <= 3
    assert lit[1].min() >= 4
    assert np.isnan(sources.denoised[:, 17]).all()
    assert np.isfinite(np.delete(sources.denoised, 17, axis=1)).all()


@pytest.mark.parametrize("planes", ["together", "each"])
def test_borders_belong_to_no_cell(planes):
    cells = [
        (blob((0, 20, 15)), transients([10, 40, 80])),
        (blob((2, 3, 30)), transients([20, 60])),
        (blob((2, 28, 30)), transients([30, 95])),
    ]
    params = replace(SMALL, planes=planes, border_planes=1, border_px=7)
    sources = extract_sources_3d(movie_of(cells), params)
    lit = np.unravel_index(np.unique(sources.footprints.indices), SHAPE[1:])

    assert sources.accepted.any()
    assert lit[0].min() >= 1
    assert lit[0].max() <= 3
    assert min(lit[1].min(), lit[2].min()) >= 7
    assert lit[1].max() <= 32


def test_a_volume_of_one_plane_is_valid():
    shape = 120, 1, 40, 48
    cells = [(blob((0, 20, 15), shape=shape[1:]), transients([10, 40, 80]))]
    for planes in ("together", "each"):
        sources = extract_sources_3d(movie_of(cells, shape=shape), replace(SMALL, planes=planes))
        assert sources.accepted.sum() == 1
        assert sources.frame_shape == (1, 40, 48)


@pytest.mark.parametrize("planes", ["together", "each"])
@pytest.mark.parametrize(
    "frames",
    [np.full((50, 3, 24, 24), 7.0, np.float32), np.zeros((50, 3, 24, 24), np.uint16)],
    ids=["constant", "dark"],
)
def test_a_constant_volume_has_no_cells(frames, planes):
    movie = Movie(source=frames, rate_hz=RATE_HZ)
    sources = extract_sources_3d(movie, replace(SMALL, planes=planes))

    assert sources.footprints.shape == (3 * 24 * 24, 0)
    assert sources.denoised.shape == sources.dff.shape == (0, 50)


def test_noise_of_fifty_frames_has_no_accepted_cells():
    frames = np.random.default_rng(0).poisson(100, (50, 4, 40, 40)).astype(np.uint16)

    assert not extract_sources_3d(Movie(source=frames, rate_hz=RATE_HZ), SMALL).accepted.any()


def test_the_movie_is_not_changed():
    movie = movie_of(one_cell())
    movie.source.flags.writeable = False

    assert extract_sources_3d(movie, SMALL).accepted.sum() == 1


def test_progress_tells_the_parts_and_may_cancel(simulated):
    phases = []

    def watch(phase, done, total):
        assert 0 <= done <= total
        phases.append(phase)
        if phase.startswith("finding cells, part 2"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        extract_sources_3d(simulated.movie, PARAMS, memory_bytes=PATCHED_BYTES, progress=watch)
    assert phases[0].startswith("surveying the movie, part 1 of ")


def test_memory_does_not_grow_with_the_frames(tmp_path):
    params, memory_bytes = replace(SMALL, decay_time_s=3.0), 40_000_000
    peaks = []
    for repeats in (1, 4):
        frames = np.tile(movie_of(one_cell()).source, (repeats, 1, 2, 2)).astype(np.uint16)
        np.save(tmp_path / f"{repeats}.npy", frames)
        frames_bytes = frames.size
        del frames
        movie = open_movie(tmp_path / f"{repeats}.npy", rate_hz=RATE_HZ)
        tracemalloc.start()
        extract_sources_3d(movie, params, memory_bytes=memory_bytes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]
    assert max(peaks) < memory_bytes < 4 * frames_bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": np.zeros((50, 40, 48), np.float32)}, r"cnmf3d works on volumes.*use cnmf"),
        ({"rate_hz": None}, "frame rate of movie is not known"),
        ({"source": np.zeros((9, 3, 40, 48), np.float32)}, "movie has 9 frames"),
        ({"source": np.zeros((50, 3, 10, 48), np.float32)}, "gsig_px must be at most a quarter"),
        ({"source": np.full((50, 3, 40, 48), np.nan, np.float32)}, "finite value"),
    ],
)
@pytest.mark.parametrize("planes", ["together", "each"])
def test_a_movie_that_cannot_be_worked_on_is_refused(change, message, planes):
    movie = replace(Movie(source=np.zeros((50, 3, 40, 48), np.float32), rate_hz=RATE_HZ), **change)

    with pytest.raises(ValueError, match=message):
        extract_sources_3d(movie, replace(SMALL, planes=planes))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gsig_px": (3.5, 3.0, 3.0)}, "gsig_px along planes must be at most 3, .*; got 3.5"),
        ({"border_planes": 2}, "border_planes must be below 2, half of the 3 planes .*; got 2"),
        ({"border_px": 20}, "border_px must be below 20"),
    ],
)
def test_settings_that_do_not_fit_the_movie_are_refused(settings, message):
    movie = Movie(source=np.zeros((50, 3, 40, 48), np.float32), rate_hz=RATE_HZ)

    with pytest.raises(ValueError, match=message):
        extract_sources_3d(movie, replace(SMALL, **settings))


def test_too_little_memory_is_refused():
    movie = Movie(source=np.zeros((50, 3, 40, 48), np.float32), rate_hz=RATE_HZ)

    with pytest.raises(ValueError, match="memory_bytes must be at least 1075200 .*; got 1000"):
        extract_sources_3d(movie, SMALL, memory_bytes=1000)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gsig_px", (5.0, 5.0), r"gsig_px must be three numbers, along planes, rows and columns"),
        ("gsig_px", (0.05, 5.0, 5.0), "gsig_px must be between 0.1 and 100; got 0.05"),
        ("gsig_px", (1.0, 0.5, 5.0), "gsig_px must be between 1 and 100; got 0.5"),
        ("planes", "both", "planes must be one of 'together', 'each'; got 'both'"),
        ("border_planes", -1, "border_planes must be between 0 and 1000; got -1"),
        ("border_planes", 0.5, "border_planes must be a whole number; got 0.5"),
        ("decay_time_s", 0.0, "decay_time_s must be between"),
    ],
)
def test_an_impossible_setting_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Cnmf3dParams(**{name: value})


def test_settings_of_caiman_are_taken_over():
    params = Cnmf3dParams.from_caiman(
        {
            "cnmf_kwargs": {"gSig": [1, 4, 4], "p": 1, "is3D": True, "rf": 25, "merge_thr": 0.7},
            "eval_kwargs": {"decay_time": 2.0, "min_SNR": 3, "rval_thr": 0.6},
        }
    )

    assert params == Cnmf3dParams(
        gsig_px=(1, 4, 4), p=1, merge_corr=0.7, decay_time_s=2.0, min_snr=3, min_rval=0.6
    )
    assert Cnmf3dParams.from_caiman({"gSig": 3}).gsig_px == (3, 3, 3)
    with pytest.raises(ValueError, match="three numbers, along planes, rows and columns"):
        Cnmf3dParams.from_caiman({"gSig": [4, 4]})


def test_every_pixel_lies_in_one_core_and_is_seen_with_a_cell_around_it():
    frame_shape = 7, 90, 61
    count = np.zeros(frame_shape, int)
    for patch in cut(frame_shape, [2, 3, 2], SMALL):
        count[patch.core] += 1
        for core, seen, length, reach in zip(
            patch.core, patch.seen, frame_shape, (3, 9, 9), strict=True
        ):
            assert seen.start == max(0, core.start - reach)
            assert seen.stop == min(length, core.stop + reach)

    assert (count == 1).all()


def test_a_window_shows_a_part_of_each_frame(tmp_path):
    frames = np.random.default_rng(0).integers(0, 99, (12, 3, 8, 9), np.uint16)
    np.save(tmp_path / "movie.npy", frames)
    part = (slice(1, 2), slice(2, 7), slice(0, 4))
    expected = frames[:, 1:2, 2:7, :4]

    class Frames:
        shape, dtype = frames.shape, frames.dtype

        def __getitem__(self, frame):
            return frames[int(frame)]

    for source in (frames, open_movie(tmp_path / "movie.npy", rate_hz=1).source, Frames()):
        window = Window(source=source, part=part)
        np.testing.assert_array_equal(window[2:9:3], expected[2:9:3])
        np.testing.assert_array_equal(window[-1], expected[-1])
        plane = window_of(Movie(source=source), part, drops_planes=True)
        np.testing.assert_array_equal(plane[:5], expected[:5, 0])
    np.testing.assert_array_equal(
        frames.reshape(12, -1)[:, pixels_of(part, frames.shape[1:])], expected.reshape(12, -1)
    )


@pytest.mark.parametrize("memory_bytes", [10**9, PATCHED_BYTES])
def test_masks_take_the_place_of_the_search(simulated, memory_bytes):
    planted = simulated.footprints.toarray()
    masks = sparse.csc_array((planted > 0.3 * planted.max(axis=0)).astype(np.float32))

    found = extract_sources_3d(simulated.movie, PARAMS, seeds=masks, memory_bytes=memory_bytes)

    matches = match_rois(simulated.footprints, found.footprints)
    correlation = trace_correlations(matches, simulated.traces, found.denoised)
    assert planted.shape[1] - 1 <= found.footprints.shape[1] <= planted.shape[1]
    assert matches.f1 > 0.9
    assert np.median(matches.cosines) > 0.9
    assert np.median(correlation) > 0.95


def test_each_plane_begins_with_its_part_of_the_masks():
    cells = [(blob((1, 12, 15), sd_px=(0.2, 3, 3)), transients([10, 60]))]
    cells += [(blob((3, 28, 35), sd_px=(0.2, 3, 3)), transients([30, 90]))]
    masks = sparse.csc_array(np.stack([(mask > 0.2).ravel() for mask, _ in cells], axis=1) * 1.0)

    found = extract_sources_3d(movie_of(cells), replace(SMALL, planes="each"), seeds=masks)

    planted = sparse.csc_array(np.stack([mask.ravel() for mask, _ in cells], axis=1))
    assert len(match_rois(planted, found.footprints).pairs) == found.footprints.shape[1] == 2
