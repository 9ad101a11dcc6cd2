import threading
import tracemalloc
import warnings

import numpy as np
import pytest

from pipeline.movie import Movie
from pipeline.projections import Projections, project

TOLERANCE = 2e-5  # of float32 images of traces a hundred frames long


def plain_correlation(a, b):
    """Pearson over the frames in which both are finite; None with fewer than two."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 2:
        return None
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return (a * b).sum() / scale if scale > 0 else 0.0


def plain_local_correlation(frames):
    """The slow truth, one pixel and neighbour at a time, for one plane."""
    _, n_rows, n_cols = frames.shape
    image = np.zeros((n_rows, n_cols))
    for row in range(n_rows):
        for col in range(n_cols):
            neighbours = [
                (r, c)
                for r in range(max(0, row - 1), min(n_rows, row + 2))
                for c in range(max(0, col - 1), min(n_cols, col + 2))
                if (r, c) != (row, col)
            ]
            found = [plain_correlation(frames[:, row, col], frames[:, r, c]) for r, c in neighbours]
            found = [value for value in found if value is not None]
            image[row, col] = np.mean(found) if found else 0
    return image


def plain_project(movie):
    frames = np.where(np.isfinite(movie), movie, np.nan).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels that are never finite
        images = [f(frames, axis=0) for f in (np.nanmean, np.nanmax, np.nanstd)]
    planes = frames[:, np.newaxis] if frames.ndim == 3 else frames
    local = [plain_local_correlation(planes[:, plane]) for plane in range(planes.shape[1])]
    return Projections(*images, np.reshape(local, frames.shape[1:]))


def noise(shape=(100, 7, 5), *, offset=0.0, scale=20.0, dtype=np.float32, seed=0):
    """Correlated noise: neighbours share half of their variance."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(shape[0],) + (1,) * (len(shape) - 1))
    return (offset + scale * (shared + rng.normal(size=shape))).astype(dtype)


def assert_agree(found, truth, tolerance=TOLERANCE):
    for name, image, expected in zip(Projections._fields, found, truth, strict=True):
        assert image.dtype == np.float32
        assert image.shape == expected.shape
        np.testing.assert_allclose(image, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("dtype", "offset"),
    [
        (np.uint8, 120),
        (np.uint16, 60000),
        (np.int16, -30000),
        (np.int32, 10**8),
        (np.float32, 1e4),
        (np.float64, 1e9),
        (np.float16, 100),
        (">u2", 60000),
    ],
)
def test_project_agrees_with_the_slow_truth(dtype, offset):
    movie = noise(offset=offset, dtype=dtype)

    assert_agree(project(Movie(source=movie)), plain_project(movie))


def test_large_offset_costs_no_precision():
    movie = np.random.default_rng(1).integers(60000, 60002, (400, 6, 6)).astype(np.uint16)

    assert_agree(project(Movie(source=movie)), plain_project(movie))


def test_drift_far_from_the_first_frame_costs_no_precision():
    drift = np.linspace(0, 1e6, 300)[:, np.newaxis, np.newaxis]
    movie = noise((300, 5, 6), dtype=np.float64) + drift

    assert_agree(project(Movie(source=movie)), plain_project(movie))


@pytest.mark.parametrize("memory_bytes", [10**9, 60_000], ids=["whole", "in slabs"])
def test_planes_of_a_volume_are_projected_one_by_one(memory_bytes):
    movie = noise((60, 3, 5, 4))
    found = project(Movie(source=movie), memory_bytes=memory_bytes)

    assert_agree(found, plain_project(movie))
    np.testing.assert_array_equal(
        found.local_correlation[1], project(Movie(source=movie[:, 1])).local_correlation
    )


@pytest.mark.parametrize("shape", [(1, 4, 3), (2, 4, 3), (50, 1, 1), (50, 1, 6), (50, 6, 1)])
def test_short_and_narrow_movies_are_projected(shape):
    movie = noise(shape)

    assert_agree(project(Movie(source=movie)), plain_project(movie))


def test_pixels_that_follow_their_neighbours_have_correlation_one():
    trace = np.random.default_rng(0).normal(size=(200, 1, 1))
    found = project(Movie(source=60000 + trace * np.linspace(1, 3, 30).reshape(5, 6)))

    np.testing.assert_allclose(found.local_correlation, 1, atol=1e-6)


@pytest.mark.parametrize("value", [0.1, 60000.3, -1e6])
def test_constant_pixels_have_correlation_zero(value):
    movie = noise((100, 6, 6), dtype=np.float64)
    movie[:, 2, 3] = value
    found = project(Movie(source=movie))

    assert found.local_correlation[2, 3] == 0
    assert found.std[2, 3] == 0
    assert_agree(found, plain_project(movie))


def test_constant_pixel_that_is_missing_at_first_has_correlation_zero():
    movie = noise((100, 6, 6), dtype=np.float64)
    movie[:, 2, 3] = 12345.678
    movie[:10, 2, 3] = np.nan

    assert project(Movie(source=movie)).local_correlation[2, 3] == 0


def test_border_that_motion_correction_leaves_nan_counts_only_its_finite_frames():
    movie = noise((80, 8, 7), offset=500)
    rng = np.random.default_rng(3)
    for frame in movie:
        frame[: rng.integers(0, 3)] = np.nan
        frame[:, 7 - rng.integers(0, 3) :] = np.nan

    assert_agree(project(Movie(source=movie)), plain_project(movie))


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_scattered_values_that_are_not_finite_are_left_out(missing):
    movie = noise((60, 7, 6), offset=500)
    movie[np.random.default_rng(4).random(movie.shape) < 0.2] = missing

    assert_agree(project(Movie(source=movie)), plain_project(movie))


def test_missing_values_in_volumes_stay_in_their_plane():
    movie = noise((40, 2, 5, 4))
    movie[::3, 1, 2, 2] = np.nan

    assert_agree(project(Movie(source=movie)), plain_project(movie))


def test_frame_and_pixel_that_are_never_seen():
    movie = noise((30, 5, 5))
    movie[7] = np.nan
    movie[:, 2, 2] = np.nan
    found = project(Movie(source=movie))

    assert_agree(found, plain_project(movie))
    assert np.isnan([found.mean[2, 2], found.maximum[2, 2], found.std[2, 2]]).all()
    assert found.local_correlation[2, 2] == 0


def test_support_for_nan_changes_no_bit_of_clean_pixels():
    clean = noise((50, 6, 6))
    torn = clean.copy()
    torn[3, 0, 0] = np.nan
    found, expected = project(Movie(source=torn)), project(Movie(source=clean))

    for image, truth in zip(found, expected, strict=True):
        np.testing.assert_array_equal(image[2:, 2:], truth[2:, 2:])


@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_same_bits_on_any_number_of_threads(holes):
    movie = noise((1000, 9, 8), offset=3000)
    movie[np.random.default_rng(5).random(movie.shape) < holes] = np.nan
    first, *others = [project(Movie(source=movie), threads=n) for n in (1, 2, 3, 16)]

    for other in others:
        for image, expected in zip(other, first, strict=True):
            np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("memory_bytes", [1, 10_000, 100_000, 10**9])
def test_any_budget_gives_the_same_images(memory_bytes):
    movie = noise((300, 9, 8), offset=3000)

    found = project(Movie(source=movie), memory_bytes=memory_bytes)

    assert_agree(found, project(Movie(source=movie)), 1e-6)


class Generated:
    """Frames made when they are read, so that memory shows what the work takes."""

    dtype = np.dtype(np.uint16)

    def __init__(self, n_frames):
        self.shape = (n_frames, 64, 64)
        self.readers = set()

    def __getitem__(self, frames):
        self.readers.add(threading.get_ident())
        numbers = np.arange(self.shape[0], dtype=np.uint16)[frames]
        return np.broadcast_to(numbers[..., None, None], (*numbers.shape, 64, 64)).copy()


def peak_bytes(n_frames, memory_bytes):
    source = Generated(n_frames)
    tracemalloc.start()
    project(Movie(source=source), memory_bytes=memory_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.readers == {threading.get_ident()}
    return peak


def test_memory_keeps_to_the_budget_whatever_the_length():
    peak_bytes(10, 4_000_000)  # compiles

    assert peak_bytes(2_000, 4_000_000) < 4_000_000
    assert peak_bytes(20_000, 4_000_000) < 4_000_000


def test_progress_is_told_and_can_cancel():
    told = []
    project(Movie(source=noise()), progress=lambda *step: told.append(step))

    assert told[0] == ("projections", 0, 100)
    assert told[-1] == ("projections", 100, 100)

    def cancel(*_):
        raise InterruptedError("cancelled")

    with pytest.raises(InterruptedError, match="cancelled"):
        project(Movie(source=noise()), progress=cancel)


def test_input_is_not_changed():
    movie = noise()
    movie[3, 2, 2] = np.nan
    before = movie.copy()
    movie.flags.writeable = False

    project(Movie(source=movie))

    np.testing.assert_array_equal(movie, before)
