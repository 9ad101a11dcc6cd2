"""The parts of CNMF-E, each against a known answer."""

import numpy as np
import pytest
from scipy import sparse

from pipeline import scratch
from pipeline.blocks import no_progress
from pipeline.extraction.background import find_blocks, without_noise
from pipeline.extraction.field import Field
from pipeline.extraction.onephoton.haze import find_haze
from pipeline.extraction.onephoton.images import (
    Filtered,
    SeedImages,
    high_pass,
    pick_seeds,
    seed_images,
)
from pipeline.extraction.onephoton.lattice import (
    make_lattice,
    ring_members,
    ring_offsets,
    subtract_interpolated,
)
from pipeline.extraction.onephoton.local import start_cells
from pipeline.extraction.onephoton.ring import RingBackground, fit_gain, fit_ring
from pipeline.extraction.onephoton.samples import medians, noise_of, sampled
from pipeline.extraction.onephoton.seeding import one_block
from pipeline.extraction.onephoton.small import on_blocks
from pipeline.extraction.onephoton.summary import interpolation

SHAPE = 24, 30
N_PIXELS = SHAPE[0] * SHAPE[1]


def blob(center, sd_px=2.0, shape=SHAPE):
    rows, cols = np.indices(shape)
    return np.exp(-((rows - center[0]) ** 2 + (cols - center[1]) ** 2) / (2 * sd_px**2))


def haze(n_frames, shape=SHAPE, seed=0):
    """Smooth light: three images of planes and a parabola, each with a course of its own."""
    rows, cols = np.indices(shape) / max(shape)
    images = np.stack([np.ones(shape), rows, cols]).reshape(3, -1)
    return (np.random.default_rng(seed).normal(size=(n_frames, 3)) @ images).astype(np.float32)


def background(lattice, n_frames=0, **changes):
    n_blocks = lattice.usable.size
    values = {
        "haze": None,
        "ring": None,
        "lattice": lattice,
        "level": np.zeros(N_PIXELS, np.float32),
        "gain": np.ones(N_PIXELS, np.float32),
        "coarse_level": np.zeros(n_blocks, np.float32),
        "coarse_footprints": sparse.csr_array((n_blocks, 0), dtype=np.float32),
        "calcium": np.empty((0, n_frames), np.float32),
    }
    return RingBackground(**(values | changes))


def test_block_means_are_means_over_usable_pixels():
    usable = np.random.default_rng(0).random(N_PIXELS) < 0.7
    lattice = make_lattice(SHAPE, usable, (5, 4))
    images = np.random.default_rng(1).normal(size=(3, N_PIXELS)).astype(np.float32)

    means = lattice.means(images)

    assert lattice.shape == (5, 8)
    assert means.shape == (3, 40)
    chosen = (lattice.block_of_pixel == 17) & usable
    np.testing.assert_allclose(means[:, 17], images[:, chosen].mean(axis=1), rtol=1e-4)


def test_a_block_without_usable_pixels_is_0_and_on_no_ring():
    usable = np.ones(SHAPE, bool)
    usable[:4, :4] = False
    lattice = make_lattice(SHAPE, usable.ravel(), (4, 4))

    assert not lattice.usable[0]
    assert lattice.means(np.ones((1, N_PIXELS), np.float32))[0, 0] == 0
    assert not (ring_members(lattice, ring_offsets((2, 2))) == 0).any()


def test_a_ring_has_its_radius_and_leaves_its_centre_out():
    offsets = ring_offsets((4.0, 4.0))
    distance = np.hypot(*offsets.T)

    assert distance.min() >= 3.5
    assert distance.max() <= 4.5
    assert len(np.unique(offsets, axis=0)) == len(offsets) > 20
    np.testing.assert_array_equal(np.sort(offsets, axis=0), np.sort(-offsets, axis=0))


def test_a_ring_of_unequal_radii_is_an_ellipse():
    offsets = ring_offsets((2.0, 4.0))

    assert np.abs(offsets[:, 0]).max() <= 3
    assert np.abs(offsets[:, 1]).max() >= 4


def test_what_is_linear_is_interpolated_exactly():
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (4, 5))
    rows, cols = np.indices(SHAPE)
    plane = (3.0 + 0.5 * rows - 0.25 * cols).astype(np.float32).reshape(1, -1)
    coarse = lattice.means(plane).reshape(1, *lattice.shape)

    rest = subtract_interpolated(
        plane,
        np.zeros(N_PIXELS, np.float32),
        np.ones(N_PIXELS, np.float32),
        coarse,
        (lattice.rows.first, lattice.rows.weight),
        (lattice.cols.first, lattice.cols.weight),
    ).reshape(SHAPE)

    assert np.abs(rest[3:-3, 4:-4]).max() < 1e-4


def test_the_interpolation_matrix_is_what_is_subtracted():
    rng = np.random.default_rng(0)
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (5, 7))
    gain = rng.random(N_PIXELS).astype(np.float32)
    coarse = rng.normal(size=(1, *lattice.shape)).astype(np.float32)

    rest = subtract_interpolated(
        np.zeros((1, N_PIXELS), np.float32),
        np.zeros(N_PIXELS, np.float32),
        gain,
        coarse,
        (lattice.rows.first, lattice.rows.weight),
        (lattice.cols.first, lattice.cols.weight),
    )

    np.testing.assert_allclose(interpolation(lattice, gain) @ coarse.ravel(), -rest[0], atol=1e-5)


def test_smooth_light_is_predicted_from_the_ring():
    movie = haze(300)
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (2, 2))
    coarse = lattice.means(movie)

    ring = fit_ring(coarse, lattice, (3.0, 3.0))

    assert np.abs(ring.predict(coarse) - coarse).std() < 0.02 * coarse.std()


def test_a_cell_is_not_predicted_from_the_ring_around_it():
    rng = np.random.default_rng(0)
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (2, 2))
    trace = 5 * (rng.random(400) < 0.05)
    movie = haze(400) + np.outer(trace, blob((12, 14), 1.2)).astype(np.float32)
    movie += rng.normal(0, 0.1, movie.shape).astype(np.float32)
    coarse = lattice.means(movie)
    coarse -= coarse.mean(axis=0)

    rest = coarse - fit_ring(coarse, lattice, (4.0, 4.0)).predict(coarse)

    at_cell = rest[:, lattice.block_of_pixel[12 * SHAPE[1] + 14]]
    assert np.corrcoef(at_cell, trace)[0, 1] > 0.95
    slope = np.polyfit(trace, at_cell, 1)[0]
    planted = lattice.means(blob((12, 14), 1.2).reshape(1, -1).astype(np.float32)).max()
    assert slope == pytest.approx(planted, rel=0.2)


def test_constant_blocks_predict_nothing_and_are_finite():
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (4, 4))

    nothing = np.zeros((50, lattice.usable.size), np.float32)
    ring = fit_ring(nothing, lattice, (2.0, 2.0))

    assert np.isfinite(ring.weights).all()
    assert not ring.predict(np.zeros((3, lattice.usable.size), np.float32)).any()


def noisy_blocks(n_frames=400, noise=0.1, n_cells=12):
    """Haze of three images, cells that each have their own transients, and noise, in blocks."""
    rng = np.random.default_rng(5)
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (2, 2))
    light = haze(n_frames)
    rows, cols = (rng.integers(2, length - 2, n_cells) for length in SHAPE)
    blobs = np.stack([blob(centre, 1.2).ravel() for centre in zip(rows, cols, strict=True)])
    cells = 2 * (rng.random((n_frames, n_cells)) < 0.05) @ blobs
    means = [lattice.means(part.astype(np.float32)) for part in (light, cells)]
    return lattice, *means, rng.normal(0, noise, means[0].shape).astype(np.float32)


def test_haze_is_told_from_noise():
    lattice, light, _, noise = noisy_blocks()

    found = find_haze(light + noise, lattice, (3.0, 3.0))

    assert len(found.images) == 3
    error = found.in_blocks(light + noise) - light
    assert error.std() < 0.2 * noise.std()
    np.testing.assert_allclose(found.images @ found.images.T, np.eye(3), atol=1e-3)


def test_haze_is_told_from_cells():
    lattice, light, cells, noise = noisy_blocks()

    found = find_haze(light + cells + noise, lattice, (3.0, 3.0))

    explained = found.in_blocks(cells)
    assert np.square(explained).sum() < 0.15 * np.square(cells).sum()
    assert np.square(found.in_blocks(light) - light).sum() < 0.01 * np.square(light).sum()


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_cells_and_noise_are_no_haze(noise):
    lattice, _, cells, _ = noisy_blocks()
    more = np.random.default_rng(1).normal(0, 1, cells.shape).astype(np.float32)

    found = find_haze(cells + noise * more, lattice, (3.0, 3.0))

    assert not len(found.images)
    flat = background(lattice, haze=found)
    assert not flat.predicted(cells).any()


def test_constant_blocks_have_no_haze():
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (4, 4))

    found = find_haze(np.zeros((50, lattice.usable.size), np.float32), lattice, (2.0, 2.0))

    assert found.images.shape == (0, lattice.usable.size)
    assert (found.noise > 0).all()


def test_the_gain_is_the_transmission_of_what_is_above():
    rng = np.random.default_rng(3)
    course = rng.normal(size=400).astype(np.float32)
    through = np.ones(SHAPE, np.float32)
    through[:, 13:15] = 0.6
    movie = np.outer(course, through).astype(np.float32)
    movie += rng.normal(0, 0.05, movie.shape).astype(np.float32)
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (3, 3))
    coarse = lattice.means(movie)
    shared = find_haze(coarse, lattice, (3.0, 3.0))
    known = {"ring": fit_ring(coarse, lattice, (3.0, 3.0)), "haze": shared}

    flat = background(lattice, 400, **known)
    gain = fit_gain(movie, flat, sparse.csc_array((N_PIXELS, 0), dtype=np.float32))

    left = [
        np.abs(course @ background(lattice, 400, gain=g, **known).subtract(slice(0, 400), movie))
        / (course @ course)
        for g in (flat.gain, gain)
    ]
    assert left[0].max() > 0.1
    assert left[1].max() < 0.03


def test_known_cells_are_left_in_the_movie_and_out_of_the_background():
    trace = 8 * (np.random.default_rng(1).random((1, 300)) < 0.1).astype(np.float32)
    footprint = sparse.csc_array(blob((12, 14), 2.5).reshape(-1, 1).astype(np.float32))
    light = haze(300)
    movie = light + (footprint @ trace).T
    lattice = make_lattice(SHAPE, np.ones(N_PIXELS, bool), (2, 2))
    mean = movie.mean(axis=0)
    known = {
        "level": (mean - footprint @ trace.mean(axis=1)).astype(np.float32),
        "coarse_level": lattice.means(mean[np.newaxis])[0],
        "coarse_footprints": on_blocks(footprint, lattice),
        "calcium": trace - trace.mean(),
    }
    flat = background(lattice, **known)
    coarse = flat.without_cells(lattice.means(movie), slice(0, 300))
    shared = find_haze(coarse, lattice, (2.0, 2.0))

    rest = background(lattice, haze=shared, **known).subtract(slice(0, 300), movie)

    expected = (footprint @ trace).T
    assert np.abs(rest - expected).std() < 0.05 * light.std()


def test_the_filter_takes_away_planes_and_keeps_cells():
    rows, cols = np.indices(SHAPE).astype(np.float32)
    plane = 50 + 2 * rows - cols
    out = np.empty(SHAPE, np.float32)

    high_pass(plane, (2.0, 2.0), out=out)
    assert np.abs(out[4:-4, 4:-4]).max() < 1e-3
    high_pass(plane + 10 * blob((12, 14)).astype(np.float32), (2.0, 2.0), out=out)

    assert np.unravel_index(out[4:-4, 4:-4].argmax(), (16, 22)) == (8, 10)


def test_noise_is_told_apart_from_transients():
    rng = np.random.default_rng(0)
    movie = rng.normal(0, 3.0, (500, 40)).astype(np.float32)
    movie[100:110] += 100

    np.testing.assert_allclose(noise_of(movie), 3.0, rtol=0.2)
    assert not noise_of(movie[:1]).any()


def test_a_planted_cell_stands_out_in_both_images():
    rng = np.random.default_rng(0)
    trace = 10.0 * (rng.random(400) < 0.05)
    movie = rng.normal(0, 1, (400, *SHAPE)) + trace[:, None, None] * blob((9, 17))

    images, filtered = seed_images(movie.astype(np.float32), (2.0, 2.0))

    peak = np.unravel_index(images.pnr.argmax(), SHAPE)
    assert np.abs(np.subtract(peak, (9, 17))).max() <= 1
    assert images.corr[9, 17] > 0.9
    assert np.median(images.corr) < 0.3
    assert images.corr.max() <= 1.0001
    assert np.corrcoef(filtered[:400][:, 9, 17], trace)[0, 1] > 0.9
    (seed,) = pick_seeds(images, (2.0, 2.0), min_corr=0.8, min_pnr=8)
    assert np.abs(seed - (9, 17)).max() <= 1


def plain_correlation(filtered, noise):
    """Return the correlation image, pair by pair and with all frames at once."""
    cut = np.where(filtered >= 3 * noise, filtered, 0).astype(float)
    corr = np.full(SHAPE, np.nan)
    for row, col in np.ndindex(SHAPE):
        around = cut[:, max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].reshape(len(cut), -1)
        with np.errstate(invalid="ignore"):
            each = np.nan_to_num([np.corrcoef(cut[:, row, col], other)[0, 1] for other in around.T])
        corr[row, col] = (each.sum() - each.max()) / (len(each) - 1)  # without itself
    return corr


def test_seeds_are_rated_a_few_frames_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    trace = 10.0 * (rng.random(200) < 0.1)
    movie = (rng.normal(0, 1, (200, *SHAPE)) + trace[:, None, None] * blob((9, 17))).astype("f4")
    whole, _ = seed_images(movie, (2.0, 2.0))

    monkeypatch.setattr(scratch, "ROWS_BYTES", 20_000)
    images, filtered = seed_images(movie, (2.0, 2.0), threads=2)

    noise = noise_of(filtered).reshape(SHAPE)
    np.testing.assert_allclose(images.corr, plain_correlation(filtered[:200], noise), atol=1e-4)
    np.testing.assert_allclose(images.pnr, filtered[:200].max(axis=0) / noise, rtol=1e-5)
    np.testing.assert_allclose(images.corr, whole.corr, atol=1e-6)
    np.testing.assert_array_equal(images.pnr, whole.pnr)


def test_noise_and_level_come_from_frames_all_over_the_movie():
    rng = np.random.default_rng(0)
    movie = rng.normal(5, 1, (4000, 30)).astype(np.float32)
    movie[2000:] += 1000

    sample = sampled(movie)

    assert len(sample.first) == len(sample.following) == 400
    np.testing.assert_array_equal(sample.following[7], movie[7 * 10 + 1])
    np.testing.assert_allclose(medians(sample.first, threads=2), np.median(movie[::10], axis=0))
    np.testing.assert_allclose(noise_of(movie), 1, rtol=0.25)


def test_a_cell_is_started_with_what_follows_its_seed(monkeypatch):
    monkeypatch.setattr(scratch, "ROWS_BYTES", 20_000)
    rng = np.random.default_rng(0)
    trace = 10.0 * (rng.random(200) < 0.1)
    rest = (rng.normal(0, 0.5, (200, *SHAPE)) + trace[:, None, None] * blob((9, 17))).astype("f4")
    field = Field(SHAPE, np.ones(N_PIXELS, bool), (2.0, 2.0))
    filtered = Filtered(movie=rest, gsig_px=(2.0, 2.0))
    seeds = np.array([[9, 17], [20, 5]])

    some = start_cells(
        filtered, seeds, field, least=np.float32([5, 5]), threads=1, progress=no_progress
    )

    course = np.maximum(filtered[:200][:, 9, 17], 0)
    around = course - course.mean()
    expected = np.einsum("t,trc->rc", around, rest) / (around @ around)
    expected[:4], expected[15:], expected[:, :12], expected[:, 23:] = 0, 0, 0, 0
    expected[expected < 0.2 * expected.max()] = 0
    assert some.calcium.shape == (1, 200)  # nothing shines at the other seed
    np.testing.assert_array_equal(some.calcium[0], course)
    np.testing.assert_allclose(some.footprints.toarray().reshape(SHAPE), expected, atol=1e-4)


def test_constant_pixels_are_no_seeds():
    images, _ = seed_images(np.full((50, *SHAPE), 7, np.float32), (2.0, 2.0))

    assert not images.corr.any()
    assert not images.pnr.any()
    assert not len(pick_seeds(images, (2.0, 2.0), min_corr=0, min_pnr=0))


def test_seeds_are_local_maxima_above_both_thresholds_the_best_first():
    corr, pnr = np.zeros((2, 12, 12), np.float32)
    for place, values in {(2, 2): (0.9, 10), (8, 8): (0.95, 20), (2, 9): (0.9, 3)}.items():
        corr[place], pnr[place] = values
    corr[8, 9], pnr[8, 9] = 0.9, 19  # in the shade of its neighbour

    seeds = pick_seeds(SeedImages(corr, pnr), (1.5, 1.5), min_corr=0.5, min_pnr=5)

    np.testing.assert_array_equal(seeds, [[8, 8], [2, 2]])


def test_one_block_covers_a_field_of_any_size():
    field = one_block(Field(SHAPE, np.ones(N_PIXELS, bool), (2.0, 2.0)))

    blocks = find_blocks(sparse.csc_array((N_PIXELS, 0), dtype=np.float32), field)

    assert blocks.average.shape == blocks.spread.shape == (N_PIXELS, 1)


def test_one_block_of_one_component_is_constant_and_takes_nothing_from_cells():
    course = np.random.default_rng(0).normal(3, 1, (1, 50)).astype(np.float32)

    kept = without_noise(course, 1)

    np.testing.assert_allclose(kept, np.full((1, 50), course.mean()), rtol=1e-6)
