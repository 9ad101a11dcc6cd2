"""Traces of ROIs that are given, against plain numpy."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.measured import counted, measure_rois, sources_of_traces
from pipeline.extraction.methods import why_not
from pipeline.movie import Movie
from pipeline.rois import GivenRois, Polygon, rois_of_shapes
from pipeline.rois.neuropil import surrounds

FRAME = (30, 40)


@pytest.fixture
def movie():
    frames = np.random.default_rng(0).normal(100, 5, (60, *FRAME)).astype(np.float32)
    frames.flags.writeable = False
    return Movie(source=frames, rate_hz=10.0)


def random_rois(rng, frame_shape=FRAME, n_rois=7):
    dense = np.zeros((*frame_shape, n_rois))
    for roi in range(n_rois):
        row, col = rng.integers(0, frame_shape[-2] - 6), rng.integers(0, frame_shape[-1] - 6)
        dense[..., row : row + 6, col : col + 6, roi] = rng.uniform(0, 3, (6, 6))
    return sparse.csc_array(dense.reshape(-1, n_rois))


@pytest.mark.parametrize("weighted", [True, False])
def test_the_raw_trace_is_the_mean_over_the_roi(movie, weighted):
    rois = random_rois(np.random.default_rng(1))
    sources = measure_rois(movie, ManualParams(weighted=weighted), seeds=rois)

    weights = rois.toarray()
    if not weighted:
        weights = (weights >= weights.max(axis=0) / 2).astype(float)
    plain = weights.T @ movie[:].reshape(60, -1).T / weights.sum(axis=0)[:, np.newaxis]
    np.testing.assert_allclose(sources.raw, plain, rtol=1e-5)
    power, total = sources.footprints.power(2).sum(axis=0), sources.footprints.sum(axis=0)
    np.testing.assert_allclose(power, total, rtol=1e-5)
    assert sources.accepted.all()


def test_the_neuropil_is_subtracted_with_its_coefficient(movie):
    rois = random_rois(np.random.default_rng(2), n_rois=2)
    params = ManualParams(neuropil_px=4, neuropil_coefficient=0.6)
    sources = measure_rois(movie, params, seeds=rois)

    frames = movie[:].reshape(60, -1)
    rings = surrounds(rois, FRAME, width_px=4).toarray().astype(bool)
    ring = np.stack([frames[:, each].mean(axis=1) for each in rings.T])
    bare = measure_rois(movie, ManualParams(), seeds=rois).raw
    np.testing.assert_allclose(sources.neuropil, ring, rtol=1e-5)
    np.testing.assert_allclose(sources.raw, bare - 0.6 * ring, rtol=1e-4)
    np.testing.assert_allclose(sources.raw + sources.under, bare, rtol=1e-5)


def test_planted_transients_are_found():
    rng = np.random.default_rng(4)
    trace = np.full(300, 50.0)
    for onset in (40, 150, 220):
        trace[onset:] += 60 * np.exp(-np.arange(300 - onset) / 7)
    frames = np.full((300, *FRAME), 20.0)
    frames[:, 10:16, 12:18] += trace[:, np.newaxis, np.newaxis] - 20
    movie = Movie(source=(frames + rng.normal(0, 8, frames.shape)).astype(np.float32), rate_hz=10.0)
    square = Polygon(parts_px=([[9.5, 11.5], [9.5, 17.5], [15.5, 17.5], [15.5, 11.5]],))

    sources = measure_rois(movie, ManualParams(), seeds=rois_of_shapes([square], FRAME).footprints)

    assert np.corrcoef(sources.denoised[0], trace)[0, 1] > 0.98
    assert sources.quality.area_px[0] == 36
    assert sources.quality.snr[0] > 20
    spikes = sources.spikes[0]
    assert sorted(np.argsort(spikes)[-3:]) == [40, 150, 220]
    assert 0.8 < np.nanmax(sources.dff[0]) < 1.5
    np.testing.assert_allclose(sources.denoised + sources.residuals, sources.raw)


def test_one_thread_and_small_blocks_give_the_same_bits(movie):
    rois = random_rois(np.random.default_rng(1))
    params = ManualParams(neuropil_px=3)
    one = measure_rois(movie, params, seeds=rois, threads=1, memory_bytes=100_000)
    two = measure_rois(movie, params, seeds=rois, threads=2)
    for name in ("raw", "denoised", "spikes", "dff", "neuropil"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_pixels_and_frames_that_are_not_finite_are_left_out():
    frames = np.random.default_rng(0).normal(100, 5, (60, *FRAME)).astype(np.float32)
    frames[7] = np.nan
    frames[:, 0, 0] = np.nan
    rois = sparse.lil_array((1200, 2))
    rois[[0, 1, 40], 0] = 1
    rois[[0], 1] = 1
    sources = measure_rois(Movie(source=frames, rate_hz=10.0), ManualParams(), seeds=rois.tocsc())

    flat = frames.reshape(60, -1)
    np.testing.assert_allclose(sources.raw[0], flat[:, [1, 40]].mean(axis=1), rtol=1e-6)
    assert np.isnan(sources.dff[0]).tolist() == (np.arange(60) == 7).tolist()
    assert np.isnan(sources.raw[1]).all()
    assert np.isnan(sources.spikes[1]).all()


def test_a_roi_in_a_volume_is_measured_on_its_plane():
    frames = np.random.default_rng(0).normal(100, 5, (20, 3, 10, 12)).astype(np.float32)
    square = Polygon(parts_px=([[1.5, 1.5], [1.5, 5.5], [4.5, 5.5], [4.5, 1.5]],), plane=1)
    rois = rois_of_shapes([square], (3, 10, 12))
    sources = measure_rois(Movie(source=frames, rate_hz=5.0), ManualParams(), seeds=rois.footprints)
    np.testing.assert_allclose(sources.raw[0], frames[:, 1, 2:5, 2:6].mean(axis=(1, 2)), rtol=1e-5)
    assert why_not("manual", n_planes=3) is why_not("manual", n_planes=1) is None


def test_traces_that_are_given_stay_as_they_are():
    rng = np.random.default_rng(0)
    given = {name: rng.normal(50, 1, (2, 40)).astype(np.float32) for name in ("raw", "spikes")}
    footprints = counted(random_rois(rng, n_rois=2), weighted=True)
    sources = sources_of_traces(footprints, given, ManualParams(), rate_hz=10.0, frame_shape=FRAME)
    np.testing.assert_array_equal(sources.raw, sources.denoised + sources.residuals)
    np.testing.assert_allclose(sources.raw, given["raw"], rtol=1e-6)
    np.testing.assert_array_equal(sources.spikes, given["spikes"])
    assert np.isfinite(sources.dff).all()


def test_no_rois_are_a_valid_answer(movie):
    sources = measure_rois(movie, ManualParams(), seeds=sparse.csc_array((1200, 0)))
    assert sources.raw.shape == sources.dff.shape == (0, 60)


def test_what_cannot_be_measured_is_refused(movie):
    with pytest.raises(ValueError, match="must be given"):
        measure_rois(movie, ManualParams())
    with pytest.raises(ValueError, match="ROI 1 has no pixel in the movie"):
        measure_rois(movie, ManualParams(), seeds=sparse.csc_array(np.eye(1200, 2) * [1, 0]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("neuropil_px", 0.5),
        ("neuropil_coefficient", -0.1),
        ("decay_time_s", 0),
        ("dff_window_s", np.nan),
        ("dff_percentile", 101),
        ("p", 3),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        ManualParams(**{name: value})


EYE = sparse.csc_array(np.eye(4, 2, dtype=np.float32))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"frame_shape": (3, 3)}, "one weight for each pixel"),
        ({"footprints": sparse.csc_array((4, 2))}, "ROI 0 has no pixels"),
        ({"footprints": -EYE}, "at least 0"),
        ({"footprints": EYE * np.nan}, "finite"),
        ({"names": ("a",)}, "names must have one entry for each of 2"),
        ({"accepted": np.ones(3, bool)}, "accepted must have one entry"),
        ({"numbers": {"snr": np.ones(3)}}, "snr must be a number for each"),
        ({"traces": {"spikes": np.ones((2, 5))}}, "raw must be one"),
        ({"traces": {"raw": np.ones((2, 5)), "dff": np.ones((2, 4))}}, "equally long"),
        ({"traces": {"raw": np.ones((3, 5))}}, "of 2 ROIs"),
        ({"traces": {"raw": np.ones((2, 5)), "F": np.ones((2, 5))}}, "name of a trace"),
    ],
)
def test_rois_whose_parts_do_not_fit_are_refused(parts, says):
    with pytest.raises(ValueError, match=says):
        GivenRois(**{"footprints": EYE, "frame_shape": (2, 2), **parts})
