"""The preview of a motion correction shows what was planted."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline.motion.preview import preview_motion
from pipeline.movie import Movie


def moving(n_frames=240, shape=(96, 128), step=4):
    """Return a bright square that jumps, and the same one at rest."""
    rng = np.random.default_rng(0)
    still = rng.normal(100, 2, (n_frames, *shape)).astype(np.float32)
    still[:, 40:60, 50:80] += 100
    moved = still.copy()
    moved[::2] = np.roll(moved[::2], step, axis=-1)
    return Movie(source=moved, name="moved"), Movie(source=still, name="still")


def frames_of(video):
    """Return the frames of a video in grey, ``(n_frames, n_rows, n_cols)``."""
    with Image.open(BytesIO(video)) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("L")))
    return np.stack(frames)


def test_projections_are_those_of_the_corrected_movie():
    before, after = moving()

    preview = preview_motion(before, after)

    np.testing.assert_allclose(preview.projections.mean, after[:].mean(0), rtol=1e-5)
    np.testing.assert_allclose(preview.projections.maximum, after[:].max(0), rtol=1e-5)
    np.testing.assert_allclose(preview.projections.std, after[:].std(0), rtol=1e-3)


def test_video_shows_before_beside_after():
    before, after = moving()

    frames = frames_of(preview_motion(before, after).video)

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

    frames = frames_of(preview_motion(movie, movie).video)

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
    assert frames_of(preview.video).shape[1] == shape[-2]


def test_missing_pixels_are_black():
    before, after = moving()
    after[:][:, :10] = np.nan

    frames = frames_of(preview_motion(before, after).video)

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


def test_movies_of_different_shapes_are_refused():
    before, _ = moving(n_frames=10)
    with pytest.raises(ValueError, match="cannot be compared frame by frame"):
        preview_motion(before, Movie(source=before[:][:9]))
