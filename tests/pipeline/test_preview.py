"""The preview of a motion correction shows what was planted."""

import numpy as np
import pytest

from pipeline.motion.preview import preview_motion, video_frames, video_planes, video_starts
from pipeline.movie import Movie


def moving(n_frames=240, shape=(96, 128), step=4):
    """Return a bright square that jumps, and the same one at rest."""
    rng = np.random.default_rng(0)
    still = rng.normal(100, 2, (n_frames, *shape)).astype(np.float32)
    still[:, 40:60, 50:80] += 100
    moved = still.copy()
    moved[::2] = np.roll(moved[::2], step, axis=-1)
    return Movie(source=moved, name="moved"), Movie(source=still, name="still")


def test_projections_are_those_of_the_corrected_movie():
    before, after = moving()

    preview = preview_motion(before, after)

    np.testing.assert_allclose(preview.projections.mean, after[:].mean(0), rtol=1e-5)
    np.testing.assert_allclose(preview.projections.maximum, after[:].max(0), rtol=1e-5)
    np.testing.assert_allclose(preview.projections.std, after[:].std(0), rtol=1e-3)


def test_video_shows_before_beside_after():
    before, after = moving()

    frames = video_frames(preview_motion(before, after).video)

    assert frames.shape == (60, 96, 2 * 128 + 4)
    left, right = frames[:, 50, :128].astype(int), frames[:, 50, 132:].astype(int)
    assert right[:, 55:75].min() > 150  # the square, at rest
    assert right[:, :45].max() < 100
    edges = left[:, 81:83].mean(axis=1)  # where the square only is when it has moved
    assert np.ptp(edges) > 30
    assert np.ptp(right[:, 83:].mean(axis=1)) < 10


def test_a_long_and_large_movie_gets_a_short_and_small_video():
    rng = np.random.default_rng(0)
    movie = Movie(source=rng.poisson(20, (320, 520, 260)).astype(np.uint8))

    frames = video_frames(preview_motion(movie, movie).video)

    assert frames.shape == (60, 256, 2 * 128 + 4)


def test_memory_does_not_grow_with_the_movie():
    largest = 0

    class Endless:
        shape, dtype = (100_000, 64, 64), np.dtype(np.uint16)

        def __getitem__(self, frames):
            nonlocal largest
            count = 1 if isinstance(frames, int) else frames.stop - frames.start
            largest = max(largest, count)
            block = np.zeros((count, 64, 64), np.uint16)
            return block[0] if isinstance(frames, int) else block

    preview = preview_motion(Movie(source=Endless()), Movie(source=Endless()))

    assert largest <= 256
    assert preview.crop is None


@pytest.mark.parametrize("shape", [(1, 32, 40), (2, 32, 40), (3, 1, 9), (5, 3, 24, 30)])
def test_short_movies_and_volumes_are_shown(shape):
    movie = Movie(source=np.random.default_rng(0).poisson(20, shape).astype(np.uint16))

    preview = preview_motion(movie, movie)

    assert preview.projections.mean.shape == shape[1:]
    assert video_frames(preview.video).shape[1] == shape[-2]


def test_the_video_of_a_volume_shows_one_plane_after_the_other():
    before, after = (movie[:] for movie in moving(n_frames=30))
    empty = np.random.default_rng(1).normal(100, 2, after.shape).astype(np.float32)
    recorded, corrected = (
        Movie(source=np.stack([empty, movie, empty], axis=1)) for movie in (before, after)
    )

    frames = video_frames(preview_motion(recorded, corrected).video)

    n_shown = len(video_starts(30))
    assert frames.shape == (3 * n_shown, 96, 2 * 128 + 4)
    assert video_planes(3) == [0, 1, 2]
    _, middle, last = frames.reshape(3, n_shown, 96, -1)
    assert middle[:, 50, 132 + 55 : 132 + 75].min() > 150
    assert np.ptp(last[:, 40:60, 132:].mean(axis=(0, 1))) < 60


def test_a_deep_volume_takes_no_more_room_than_a_few_planes():
    noise = np.random.default_rng(0).poisson(20, (9, 40, 200, 260)).astype(np.uint16)

    frames = video_frames(preview_motion(Movie(source=noise), Movie(source=noise)).video)

    assert len(frames) == 12 * len(video_starts(9))
    assert frames[0].size < 1.1 * 2 * 256**2 * 4 / 12
    assert [video_planes(40)[place] for place in (0, -1)] == [0, 39]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 100, 100_000])
def test_the_video_is_spread_over_the_movie(n_frames):
    starts = np.array(video_starts(n_frames))

    assert 0 <= starts[0] <= starts[-1] <= max(n_frames - 3, 0)
    assert len(starts) == 1 or (starts[0], starts[-1]) == (0, n_frames - 3)
    assert (np.diff(starts) >= 3).all()


@pytest.mark.parametrize("cut", [np.s_[:, 5:-5, 5:-5], np.s_[:, 2:-2, 7:-7]])
def test_a_movie_whose_edges_were_cut_off_is_compared_with_what_is_left(cut):
    before, after = moving()

    preview = preview_motion(before, Movie(source=after[:][cut]))

    expected = preview_motion(Movie(source=before[:][cut]), Movie(source=after[:][cut]))
    assert preview.video == expected.video


def test_missing_pixels_are_black():
    before, after = moving()
    after[:][:, :10] = np.nan

    frames = video_frames(preview_motion(before, after).video)

    assert frames[:, :6, 136:].max() < 30
    nothing = Movie(source=np.full((4, 20, 20), np.nan, np.float32))
    with np.errstate(invalid="ignore"):
        assert preview_motion(nothing, nothing).crop is None


def test_the_crop_holds_what_varies():
    _, after = moving()
    after[:][:, 45:55, 55:70] += 50 * np.random.default_rng(1).random((240, 1, 1), np.float32)

    crop = preview_motion(after, after).crop

    assert crop.rows[0] <= 45
    assert crop.rows[1] >= 55
    assert crop.cols[0] <= 55
    assert 70 <= crop.cols[1] < 128


def test_the_number_of_threads_changes_nothing():
    before, after = moving()

    one, two = (preview_motion(before, after, threads=threads) for threads in (1, 2))

    assert one.video == two.video
    np.testing.assert_array_equal(one.projections.std, two.projections.std)


def test_progress_is_told_and_cancels():
    before, after = moving()
    phases = []

    def cancel(phase, done, _):
        phases.append(phase)
        if phase == "video" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preview_motion(before, after, progress=cancel)
    assert set(phases) == {"projections", "video"}


@pytest.mark.parametrize("other", [np.s_[:9], np.s_[:, 1:], np.s_[:, np.newaxis]])
def test_movies_of_different_shapes_are_refused(other):
    before, _ = moving(n_frames=10)
    with pytest.raises(ValueError, match="cannot be compared frame by frame"):
        preview_motion(before, Movie(source=before[:][other]))


def test_a_movie_larger_than_recorded_is_refused():
    before, _ = moving(n_frames=10)
    with pytest.raises(ValueError, match="cannot be compared frame by frame"):
        preview_motion(Movie(source=before[:][:, 2:-2]), before)
