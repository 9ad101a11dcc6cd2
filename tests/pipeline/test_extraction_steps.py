"""The steps of CNMF, each against a slow plain version or a known answer."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from pipeline.blocks import no_progress
from pipeline.extraction import CnmfParams, Quality, background
from pipeline.extraction.background import (
    LocalBackground,
    at_entries,
    find_blocks,
    median_courses,
    under_footprints,
    without_noise,
)
from pipeline.extraction.blobs import seed_images
from pipeline.extraction.dff import delta_f_over_f, mode_percentile
from pipeline.extraction.evaluation import (
    active_frames,
    judge,
    spatial_correlation,
    transient_snr,
)
from pipeline.extraction.field import Field
from pipeline.extraction.merging import merge_components
from pipeline.extraction.seeding import averaged, enlarged, stretched
from pipeline.extraction.spatial import connected, dilated, rescaled, update_footprints
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import plan_grid, survey_movie
from pipeline.movie import Movie

SHAPE = 60, 12, 16
N_PIXELS = 12 * 16
FIELD = Field((12, 16), np.ones(N_PIXELS, bool), (2.0, 2.0))
IN_SLABS = pytest.mark.parametrize(
    "memory_bytes", [200_000, 6_000], ids=["whole frames", "slabs of rows"]
)


def make_stream(frames, *, fill=None, kept=None, memory_bytes=200_000, threads=2):
    return Stream(
        movie=Movie(source=frames, rate_hz=10.0),
        fill=fill,
        kept=np.ones(len(frames), bool) if kept is None else kept,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=no_progress,
        in_slabs=True,
    )


def square(rows, cols, shape=SHAPE[1:]):
    image = np.zeros(shape, np.float32)
    image[rows, cols] = 1
    return image.ravel()


def no_cells(n_pixels):
    return sparse.csc_array((n_pixels, 0), dtype=np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def frames(rng):
    return rng.normal(100, 3, SHAPE).astype(np.float32)


@pytest.fixture
def footprints():
    columns = [square(slice(2, 6), slice(2, 6)), square(slice(5, 9), slice(4, 9))]
    return sparse.csc_array(np.stack(columns, axis=1))


@IN_SLABS
def test_projection_is_the_plain_product(frames, footprints, memory_bytes):
    stream = make_stream(frames, memory_bytes=memory_bytes)
    projected = stream.project(footprints, phase="")

    plain = footprints.toarray().T @ frames.reshape(len(frames), -1).T
    np.testing.assert_allclose(projected, plain, rtol=1e-6)


@IN_SLABS
def test_weighing_is_the_plain_product(frames, footprints, rng, memory_bytes):
    traces = rng.normal(size=(2, 60)).astype(np.float32)

    local = make_stream(frames, memory_bytes=memory_bytes).weigh(footprints, traces, phase="")

    flat = frames.reshape(60, -1).T.astype(np.float64)
    roi = np.repeat([0, 1], np.diff(footprints.indptr))
    np.testing.assert_allclose(local, (flat @ traces.T)[footprints.indices, roi], rtol=1e-5)


def test_blocks_do_not_depend_on_threads(frames, footprints, rng):
    traces = rng.normal(size=(2, 60)).astype(np.float32)

    one = make_stream(frames, threads=1).weigh(footprints, traces, phase="")
    many = make_stream(frames, threads=7).weigh(footprints, traces, phase="")

    np.testing.assert_array_equal(one, many)


@IN_SLABS
def test_missing_values_count_as_the_fill_and_lost_frames_as_nothing(
    frames, footprints, memory_bytes
):
    kept = np.arange(60) != 7
    broken = frames.copy()
    broken[7] = np.nan
    broken[3, 4, 4] = np.inf
    fill = np.full(N_PIXELS, 50, np.float32)

    stream = make_stream(broken, fill=fill, kept=kept, memory_bytes=memory_bytes)
    projected = stream.project(footprints, phase="")

    frames[3, 4, 4] = 50
    whole = make_stream(frames).project(footprints, phase="")
    np.testing.assert_allclose(projected, whole[:, kept], rtol=1e-6)


@pytest.mark.parametrize("memory_bytes", [200_000, 10_000_000])
def test_survey_is_the_plain_statistics(frames, memory_bytes):
    movie = Movie(source=frames, rate_hz=10.0)
    grid = plan_grid(
        movie, CnmfParams(gsig_px=(5.0, 2.5), decay_time_s=2.0), memory_bytes=10_000_000
    )

    survey = survey_movie(movie, grid, threads=2, memory_bytes=memory_bytes, progress=no_progress)

    assert (grid.bin_frames, grid.bin_px, grid.shape) == (1, (2, 1), (6, 16))
    np.testing.assert_allclose(survey.mean, frames.mean(axis=0).ravel(), rtol=1e-6)
    np.testing.assert_allclose(survey.noise.mean(), 3, rtol=0.05)
    plain = frames.reshape(60, 6, 2, 16).mean(axis=2).reshape(60, -1)
    np.testing.assert_allclose(survey.small, plain, rtol=1e-6)
    assert survey.usable.all()
    assert survey.kept.all()


def test_survey_leaves_out_what_is_constant_or_missing(frames):
    frames[:, 0, 0] = 5
    frames[10:30, 1, 1] = np.nan
    frames[10:12, 2, 2] = np.nan
    frames[50] = np.nan
    movie = Movie(source=frames, rate_hz=10.0)
    grid = plan_grid(movie, CnmfParams(gsig_px=(2, 2)), memory_bytes=10_000_000)

    survey = survey_movie(movie, grid, threads=1, memory_bytes=50_000, progress=no_progress)

    assert np.flatnonzero(~survey.usable).tolist() == [0, 17]
    assert np.flatnonzero(~survey.kept).tolist() == [50]
    assert np.isfinite(survey.small).all()
    np.testing.assert_allclose(survey.mean, np.nanmean(frames, axis=0).ravel(), rtol=1e-6)


def test_a_long_movie_is_binned_to_fit_the_memory():
    movie = Movie(source=np.broadcast_to(np.float32(0), (100_000, 64, 64)), rate_hz=30.0)

    with pytest.warns(UserWarning, match="in bins of .* frames, longer than a transient of 21"):
        grid = plan_grid(movie, CnmfParams(gsig_px=(5, 5)), memory_bytes=10_000_000)

    n_bins = -(-100_000 // grid.bin_frames)
    assert n_bins * grid.shape[0] * grid.shape[1] * 4 * 8 <= 10_000_000


def test_footprints_are_the_non_negative_least_squares(rng, footprints):
    calcium = rng.gamma(1, size=(2, 400)).astype(np.float32) * 10
    blocks = find_blocks(footprints, FIELD)
    background = LocalBackground(blocks.spread, rng.normal(0, 3, (6, 400)).astype(np.float32))
    planted = footprints.toarray() * rng.uniform(0.5, 1.5, (N_PIXELS, 1))
    noise = rng.normal(0, 0.5, (N_PIXELS, 400))
    flat = planted @ calcium + 100 + noise + background.spread.at() @ background.courses
    stream = make_stream(flat.T.reshape(400, 12, 16).astype(np.float32))

    found, scaled = update_footprints(
        stream, dilated(footprints, FIELD), calcium, background, noise=np.full(N_PIXELS, 0.5)
    )

    centred = calcium - calcium.mean(axis=1, keepdims=True)
    rest = flat - background.spread.at() @ background.courses
    plain = np.array([nnls(centred.T, pixel - pixel.mean())[0] for pixel in rest])
    inside = found.toarray() > 0
    np.testing.assert_array_equal(inside, planted > 0)
    scale = np.linalg.norm(calcium, axis=1) / np.linalg.norm(scaled, axis=1)
    np.testing.assert_allclose((found.toarray() / scale)[inside], plain[inside], rtol=0.02)


def test_footprints_and_calcium_are_scaled_against_each_other(rng, footprints):
    calcium = rng.gamma(1, size=(2, 9)).astype(np.float32)

    scaled, traces = rescaled(sparse.csc_array(footprints * 3.0), calcium)

    np.testing.assert_allclose(scaled.power(2).sum(axis=0), scaled.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaled @ traces, 3 * footprints @ calcium, rtol=1e-5)


def test_the_heaviest_piece_is_kept():
    image = np.zeros((12, 16), np.float32)
    image[1, 1:5] = 1
    image[8, 8] = 3
    image[10, 3:9] = 1
    image[11, 15] = 0.01

    kept = connected(sparse.csc_array(image.reshape(-1, 1)), frame_shape=(12, 16))

    assert kept.toarray().reshape(12, 16).nonzero()[0].tolist() == [10] * 6


def test_dilation_stays_in_the_frame_and_on_usable_pixels():
    usable = np.ones(N_PIXELS, bool)
    usable[1] = False
    corner = sparse.csc_array(square(0, 0)[:, np.newaxis])

    wide = dilated(corner, Field((12, 16), usable, (2.0, 2.0)))

    assert sorted(wide.indices.tolist()) == [0, 16]
    assert wide.sum() == 1


def test_blocks_average_what_is_outside_the_cells(footprints):
    field = Field((12, 16), np.ones(N_PIXELS, bool), (2.4, 3.2))

    blocks = find_blocks(footprints, field)

    average = blocks.average.at().toarray()
    assert average.shape == (N_PIXELS, 4)
    np.testing.assert_allclose(average.sum(axis=0), 1, rtol=1e-5)
    assert not average[np.unique(footprints.indices)].any()


def test_a_background_that_is_straight_in_space_is_carried_everywhere():
    rows, cols = np.indices((24, 32))
    image = (3 + 0.5 * rows - 0.2 * cols).ravel()
    blocks = find_blocks(no_cells(24 * 32), Field((24, 32), np.ones(24 * 32, bool), (2.0, 3.0)))

    assert blocks.average.shape[1] == 5 * 4
    np.testing.assert_allclose(
        blocks.spread.at() @ (blocks.average.at().T @ image), image, atol=1e-4
    )


def test_what_is_not_usable_has_no_background_and_gives_none():
    usable = np.ones((24, 32), bool)
    usable[:9] = False
    field = Field((24, 32), usable.ravel(), (2.0, 2.0))

    blocks = find_blocks(no_cells(24 * 32), field)

    total = np.asarray(blocks.spread.at().sum(axis=1)).ravel()
    np.testing.assert_allclose(total, usable.ravel(), atol=1e-5)
    assert not blocks.average.at().toarray()[~usable.ravel()].any()


def test_a_block_under_one_cell_takes_the_pixels_of_its_neighbours():
    covered = square(slice(4, 9), slice(5, 11), (12, 16))[:, np.newaxis]
    field = Field((12, 16), np.ones(N_PIXELS, bool), (1.6, 2.13))

    average = find_blocks(sparse.csc_array(covered), field).average.at().toarray()

    assert average.shape[1] == 9
    assert average[:, 4].sum() == pytest.approx(1)
    assert not average[covered.ravel() > 0].any()


def test_a_block_under_several_cells_is_taken_whole():
    halves = [square(slice(4, 8), slice(5, 8)), square(slice(4, 8), slice(8, 11))]
    field = Field((12, 16), np.ones(N_PIXELS, bool), (1.6, 2.13))

    average = find_blocks(sparse.csc_array(np.stack(halves, 1)), field).average.at().toarray()

    assert average[square(slice(5, 7), slice(6, 10)) > 0, 4].all()


def test_a_frame_without_usable_pixels_has_no_block():
    blocks = find_blocks(no_cells(N_PIXELS), Field((12, 16), np.zeros(N_PIXELS, bool), (2.0, 2.0)))

    assert blocks.average.shape == blocks.spread.shape == (N_PIXELS, 0)
    assert median_courses(np.zeros((5, N_PIXELS), np.float32), blocks).shape == (0, 5)


def test_a_cell_in_less_than_half_of_a_block_leaves_its_median_alone(rng):
    movie = np.tile(rng.normal(size=(30, 1)), N_PIXELS).astype(np.float32)
    blocks = find_blocks(no_cells(N_PIXELS), Field((12, 16), np.ones(N_PIXELS, bool), (2.4, 3.2)))
    movie[3, : 16 * 2] += 100

    np.testing.assert_allclose(median_courses(movie, blocks), np.tile(movie[:, -1], (4, 1)))


@pytest.mark.parametrize("max_dense", [100, 7], ids=["few blocks", "many blocks"])
def test_the_rank_of_the_background_can_be_bounded(rng, monkeypatch, max_dense):
    monkeypatch.setattr(background, "MAX_DENSE", max_dense)
    planted = 5 + rng.normal(size=(8, 2)) @ rng.normal(size=(2, 100))
    courses = (planted + rng.normal(0, 0.01, (8, 100))).astype(np.float32)

    np.testing.assert_array_equal(without_noise(courses, None), courses)
    np.testing.assert_allclose(without_noise(courses, 3), planted, atol=0.05)
    mean = courses.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(without_noise(courses, 1), np.tile(mean, 100), rtol=1e-5)


def test_a_part_of_the_pixels_has_the_weights_of_the_whole(footprints):
    blocks = find_blocks(footprints, Field((12, 16), np.ones(N_PIXELS, bool), (2.4, 3.2)))
    some = np.array([191, 3, 77])
    for images in blocks:
        whole = images.at().toarray()
        np.testing.assert_array_equal(images.at(slice(31, 150)).toarray(), whole[31:150])
        np.testing.assert_array_equal(images.at(some).toarray(), whole[some])
        under = under_footprints(footprints, images).toarray()
        np.testing.assert_allclose(under, footprints.T @ whole, rtol=1e-6)


def test_numbers_of_blocks_at_entries_are_the_plain_product(footprints, rng):
    spread = find_blocks(footprints, FIELD).spread
    by_block = rng.normal(size=(spread.shape[1], 2))

    found = at_entries(spread, footprints, by_block)

    plain = (spread.at() @ by_block)[
        footprints.indices, np.repeat([0, 1], np.diff(footprints.indptr))
    ]
    np.testing.assert_allclose(found, plain)


def test_components_of_one_cell_are_merged(footprints, rng):
    trace = rng.gamma(1, size=200).astype(np.float32)
    far = sparse.csc_array(square(slice(9, 12), slice(12, 16))[:, np.newaxis])
    three = sparse.csc_array(sparse.hstack([footprints, far]))
    calcium = np.stack([trace, 2 * trace, trace])

    merged, traces = merge_components(three, calcium, merge_corr=0.8)

    assert merged.shape[1] == 2
    whole = np.sort(np.asarray(merged.sum(axis=0)))
    assert whole[0] == 12
    cosine = np.corrcoef(traces[:, :], trace)[-1, :-1]
    np.testing.assert_allclose(cosine, 1, rtol=1e-5)


def test_neighbours_with_their_own_traces_are_not_merged(footprints, rng):
    calcium = rng.gamma(1, size=(2, 200)).astype(np.float32)

    merged, traces = merge_components(footprints, calcium, merge_corr=0.8)

    np.testing.assert_array_equal(merged.toarray(), footprints.toarray())
    np.testing.assert_allclose(traces, calcium, rtol=1e-6)


def test_one_place_holds_one_cell(rng):
    twice = sparse.csc_array(
        np.stack([square(slice(2, 7), slice(2, 7)), square(slice(2, 7), slice(3, 8))], axis=1)
    )

    merged, _ = merge_components(
        twice, rng.gamma(1, size=(2, 200)).astype(np.float32), merge_corr=0.8
    )

    assert merged.shape[1] == 1


def test_dff_of_a_step_is_known():
    signal = np.zeros((1, 100))
    signal[0, 50:60] = 5
    background = np.full((1, 100), 10.0)

    found = delta_f_over_f(signal, background, window_frames=1000, percentile=20)

    np.testing.assert_allclose(found.dff[0], np.where(signal[0] > 0, 0.5, 0), rtol=1e-6)
    assert found.window_frames == 100
    assert found.percentile.tolist() == [20]


def test_dff_is_the_plain_running_percentile(rng):
    signal, background = rng.gamma(2, size=(2, 1, 80)), rng.gamma(9, size=(1, 80))

    found = delta_f_over_f(signal[0], background, window_frames=21, percentile=30)

    def running(trace):
        padded = np.pad(trace, 10, mode="symmetric")
        return [np.sort(padded[t : t + 21])[6] for t in range(80)]

    at_rest = np.array(running(signal[0, 0]))
    expected = (signal[0, 0] - at_rest) / (at_rest + running(background[0]))
    np.testing.assert_allclose(found.dff[0], expected, rtol=1e-5)


def test_dff_is_nan_where_the_baseline_is_not_above_zero():
    signal = np.ones((1, 40))
    background = np.concatenate([np.full((1, 20), -5.0), np.full((1, 20), 4.0)], axis=1)

    found = delta_f_over_f(signal, background, window_frames=5, percentile=50)

    assert np.isnan(found.dff[0, :20]).all()
    np.testing.assert_array_equal(found.dff[0, 20:], 0)


def test_mode_percentile_lies_at_the_resting_level(rng):
    trace = rng.normal(10, 0.1, 1000)
    trace[800:] += rng.uniform(5, 20, 200)

    assert mode_percentile(trace) == pytest.approx(40, abs=8)
    assert mode_percentile(np.full(10, 3.0)) == 50


def test_snr_is_the_mean_of_the_highest_window_over_the_noise():
    raw = np.full((2, 100), 3.0, np.float32)
    raw[0, 40:50] += 8

    snr = transient_snr(raw, np.full(2, 3.0), np.array([2.0, 0.0]), window_frames=20)

    np.testing.assert_allclose(snr, [8 * 10 / 20 / 2, 0])


def test_active_frames_average_to_the_difference_from_the_mean():
    calcium = np.zeros((2, 100), np.float32)
    calcium[0, [10, 60]] = 5

    weights = active_frames(calcium)

    assert weights[0, 10] == pytest.approx(0.5 - 0.01)
    np.testing.assert_allclose(weights[0].sum(), 0, atol=1e-5)
    assert not weights[1].any()


def test_spatial_correlation_is_pearsons(footprints, rng):
    support = dilated(footprints, FIELD)
    images = rng.normal(size=support.data.size)

    rval = spatial_correlation(images, support)

    for roi in range(2):
        column = slice(*support.indptr[roi : roi + 2])
        assert rval[roi] == pytest.approx(
            np.corrcoef(images[column], support.data[column])[0, 1], abs=1e-6
        )


def test_reasons_name_value_and_limit():
    numbers = np.array([9.0, 0.5], np.float32)
    quality = Quality(
        snr=numbers,
        solidity=np.array([0.9, 0.4], np.float32),
        rval=np.array([0.9, np.nan], np.float32),
        area_px=np.array([100, 3]),
        noise=numbers,
        baseline=numbers,
        decay_time_s=numbers,
        rise_time_s=numbers,
        dff_percentile=numbers,
    )

    verdict = judge(quality, CnmfParams(gsig_px=(5, 5)))

    assert verdict.accepted.tolist() == [True, False]
    assert verdict.reasons == (
        "",
        "snr 0.50 is below 2.5; rval nan is below 0.75; solidity 0.40 is below 0.6; "
        "area_px 3.00 is below 19.635",
    )


def test_seed_images_peak_at_a_cell(rng):
    rest = rng.normal(0, 1, (200, 12, 16)).astype(np.float32)
    rows, cols = np.indices((12, 16))
    cell = np.exp(-((rows - 6) ** 2 + (cols - 9) ** 2) / 8)
    rest[::20] += 20 * cell

    images = seed_images(rest.reshape(200, -1), FIELD)

    for image in (images.corr, images.pnr):
        row, col = np.unravel_index(image.argmax(), image.shape)
        assert np.hypot(row - 6, col - 9) < 2
    assert images.pnr.max() > 10


def test_bins_are_stretched_to_frames():
    traces = stretched(np.array([[1.0, 3.0]], np.float32), bin_frames=4, n_frames=7)

    np.testing.assert_allclose(traces, [[1, 1, 1.25, 1.75, 2.25, 2.75, 3]])


def test_small_footprints_are_enlarged():
    movie = Movie(source=np.zeros((20, 5, 6), np.float32), rate_hz=10.0)
    grid = plan_grid(movie, CnmfParams(gsig_px=(5, 5)), memory_bytes=10**7)

    large = enlarged(sparse.csc_array(np.arange(9.0)[:, np.newaxis]), grid)

    expected = np.kron(np.arange(9).reshape(3, 3), np.ones((2, 2)))[:5]
    np.testing.assert_array_equal(large.toarray()[:, 0].reshape(5, 6), expected)


def test_traces_are_averaged_over_the_kept_frames_of_each_bin():
    kept = np.array([True, True, False, True, False, False, True])

    means = averaged(np.array([[1.0, 3.0, 5.0, 7.0]], np.float32), kept=kept, bin_frames=2)

    np.testing.assert_allclose(means, [[2, 5, 0, 7]])


def test_bins_across_blocks_are_those_of_one_block(frames):
    movie = Movie(source=frames, rate_hz=30.0)
    grid = plan_grid(movie, CnmfParams(gsig_px=(2, 2)), memory_bytes=10**9)
    grid = grid._replace(bin_frames=7)
    whole, cut = (
        survey_movie(movie, grid, threads=2, memory_bytes=memory, progress=no_progress)
        for memory in (10**9, 6 * 3 * 4 * frames[0].size * 5)
    )

    np.testing.assert_allclose(cut.binned, whole.binned, rtol=1e-6)
    np.testing.assert_allclose(cut.small, whole.small, rtol=1e-6)
    plain = [frames[start : start + 7].mean(axis=0) for start in range(0, len(frames), 7)]
    np.testing.assert_allclose(whole.binned, np.reshape(plain, whole.binned.shape), rtol=1e-5)
