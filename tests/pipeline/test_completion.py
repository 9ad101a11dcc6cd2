"""What is taken from the movie once the components are known."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.completion import complete_sources
from pipeline.extraction.onephoton import CnmfeParams
from pipeline.extraction.raw_range import BRIGHTEST, brightest, raw_range
from pipeline.movie import Movie
from pipeline.rois.neuropil import GAP_PX, MIN_PIXELS, mean_traces, surrounds

SHAPE = (40, 50)


@pytest.fixture
def discs():
    """Two cells side by side and one in a corner, ``(n_pixels, 3)``."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    masks = [np.hypot(rows - r, cols - c) < 5 for r, c in ((20, 15), (20, 27), (2, 47))]
    return sparse.csc_array(np.stack([mask.ravel() for mask in masks], axis=1).astype(np.float32))


def test_ring_lies_around_its_cell_and_on_no_other(discs):
    rings = surrounds(discs, SHAPE, width_px=4)

    assert rings.shape == discs.shape
    assert (discs.T @ rings).nnz == 0
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for column, (r, c) in enumerate(((20, 15), (20, 27), (2, 47))):
        distance = np.hypot(rows - r, cols - c).ravel()[rings[:, [column]].indices]
        assert distance.size >= MIN_PIXELS
        assert distance.min() > 5 + GAP_PX - 1
        assert distance.max() < 5 + GAP_PX + 4 + 1


def test_a_ring_of_a_volume_has_depth():
    shape = (9, 30, 30)
    planes, rows, cols = np.mgrid[: shape[0], : shape[1], : shape[2]]
    ball = (planes - 4) ** 2 + (rows - 15) ** 2 + (cols - 12) ** 2 < 16

    ring = surrounds(sparse.csc_array(ball.reshape(-1, 1).astype(float)), shape, width_px=2)

    found = np.unravel_index(ring.indices, shape)
    distance = np.sqrt((found[0] - 4) ** 2 + (found[1] - 15) ** 2 + (found[2] - 12) ** 2)
    assert len(set(found[0])) == 9
    assert distance.min() > 4 + GAP_PX - 1
    assert distance.max() < 4 + GAP_PX + 2 + 1


def test_a_ring_without_room_is_wider_or_empty():
    full = np.ones((30, 30))
    full[0, :10] = 0
    alone = sparse.csc_array(np.stack([full.ravel()], axis=1))
    crowded = np.zeros((60, 60, 2))
    crowded[20:40, 20:40, 0] = 1
    crowded[12:48, 12:48, 1] = 1 - crowded[12:48, 12:48, 0]  # but for ring 1, free beyond 12 px
    crowd = sparse.csc_array(crowded.reshape(-1, 2))

    rings = surrounds(crowd, (60, 60), width_px=4)

    assert surrounds(alone, (30, 30), width_px=2).nnz == 0
    assert rings[:, [0]].nnz >= MIN_PIXELS


@pytest.mark.parametrize(
    ("frames", "memory_bytes"),
    [((60, *SHAPE), 2_000_000), ((60, 10, 4, 50), 100_000)],
    ids=["whole", "in slabs"],
)
def test_neuropil_is_the_mean_of_what_is_there(discs, frames, memory_bytes):
    rng = np.random.default_rng(0)
    course = rng.uniform(50, 150, 60)
    movie = np.broadcast_to(course[:, None, None], (60, *SHAPE)).copy()
    movie.reshape(60, -1)[:, discs.indices] = 1e6  # the cells themselves have no part in it
    movie[:, :, 48:] = np.nan
    movie[3] = np.nan
    movie.flags.writeable = False
    movie = movie.reshape(frames)

    found = {
        threads: mean_traces(
            Movie(source=movie, rate_hz=10.0),
            surrounds(discs, SHAPE, width_px=4),
            threads=threads,
            memory_bytes=memory_bytes,
        )
        for threads in (1, 2)
    }

    assert np.isnan(found[1][:, 3]).all()
    rest = np.delete(np.arange(60), 3)
    np.testing.assert_allclose(found[1][:, rest], np.tile(course[rest], (3, 1)), rtol=1e-6)
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize("memory_bytes", [100_000, 10_000], ids=["whole", "in slabs"])
def test_grey_levels_are_of_the_extreme_frames(discs, memory_bytes):
    movie = np.random.default_rng(1).normal(100, 5, (30, *SHAPE)).astype(np.float32)
    denoised = np.zeros((3, 30), np.float32)
    denoised[0, 7], denoised[0, 21] = 5, -3
    denoised[1, 12], denoised[1, 21] = 2, -1
    denoised[2] = np.nan
    pixels = discs[:, [0]].indices
    low, high = (np.sort(movie[frame].ravel()[pixels])[::-1] for frame in (21, 7))

    found = raw_range(Movie(source=movie, rate_hz=1.0), discs, denoised, memory_bytes=memory_bytes)

    tenth = 2 * (pixels.size // 20)
    for levels, falling in ((found.low[0], low), (found.high[0], high)):
        expected = [falling[:5].mean(), falling[:10].mean(), falling[: tenth // 2].mean()]
        expected += [falling[:tenth].mean(), falling[: tenth // 2 * 5].mean(), falling.mean()]
        np.testing.assert_allclose(levels, expected, rtol=1e-6)
    assert np.isnan(found.low[2]).all()
    assert np.isfinite(found.high[1]).all()
    assert len(BRIGHTEST) == 6


def test_few_pixels_are_all_taken():
    values = np.array([1.0, 5.0, np.nan])
    assert brightest(values).tolist() == [3.0] * 6
    assert np.isnan(brightest(values[2:])).all()


def test_sources_are_completed(simulated):
    movie = simulated[0].movie
    sources = extract_sources(movie, CnmfParams())

    plain = complete_sources(sources, movie, CnmfParams())
    whole = complete_sources(sources, movie, CnmfParams(neuropil_px=5))

    assert plain.neuropil is None
    assert (plain.raw_range.low < plain.raw_range.high).mean() > 0.8
    assert whole.neuropil.shape == whole.raw.shape
    whole_frame = movie[:].mean(axis=(1, 2))
    correlation = [np.corrcoef(trace, whole_frame)[0, 1] for trace in whole.neuropil]
    assert np.median(correlation) > 0.3


@pytest.mark.parametrize("kind", [CnmfParams, CnmfeParams])
def test_the_width_of_the_ring_is_checked(kind):
    with pytest.raises(ValueError, match="neuropil_px must be between 1 and 100; got 0"):
        kind(neuropil_px=0)
