"""CNMF of a movie of one plane whose bins do not fit the memory: in patches."""

import warnings

import numpy as np
import pytest

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.patches import holds_transients, plan_patches
from pipeline.movie import Movie
from pipeline.simulate import match_rois, trace_correlations
from tests.pipeline.still_movie import still_movie

PARAMS = CnmfParams()
LITTLE_BYTES = 4_500_000


@pytest.fixture(scope="module")
def simulated():
    return still_movie()


@pytest.fixture(scope="module")
def patched(simulated):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no bin is longer than a transient
        return extract_sources(simulated.movie, PARAMS, memory_bytes=LITTLE_BYTES)


def known():
    """Return settings with the size of a cell, which planning needs."""
    return CnmfParams(gsig_px=(5.0, 5.0))


def test_little_memory_means_patches(simulated):
    assert holds_transients(simulated.movie, known(), memory_bytes=10**7)
    assert not holds_transients(simulated.movie, known(), memory_bytes=LITTLE_BYTES // 2)
    assert len(plan_patches(simulated.movie, known(), memory_bytes=LITTLE_BYTES // 2)) == 4


def accuracy(sources, simulated):
    """Return F1, and the medians of the cosines and of the correlations of raw traces."""
    kept = sources.accepted
    matches = match_rois(simulated.footprints, sources.footprints[:, kept])
    r = trace_correlations(matches, simulated.traces, sources.raw[kept])
    return matches.f1, np.median(matches.cosines), np.median(r)


def test_the_planted_cells_are_found_as_in_whole_frames(simulated, patched):
    whole = extract_sources(simulated.movie, PARAMS)

    found = np.array([accuracy(sources, simulated) for sources in (whole, patched)])
    assert found[1, 0] >= 0.9, found
    assert (np.abs(found[1] - found[0]) <= [0.06, 0.01, 0.02]).all(), found


def test_bits_do_not_depend_on_the_threads(simulated, patched):
    other = extract_sources(simulated.movie, PARAMS, memory_bytes=LITTLE_BYTES, threads=1)

    assert (other.footprints != patched.footprints).nnz == 0
    for name in ("denoised", "residuals", "spikes", "dff", "under"):
        np.testing.assert_array_equal(getattr(other, name), getattr(patched, name))


def test_a_frame_and_an_edge_without_values_are_left_out(simulated):
    frames = np.array(simulated.movie[:], np.float32)
    frames[100] = np.nan
    frames[:, :, :4] = np.nan

    found = extract_sources(
        Movie(source=frames, rate_hz=simulated.movie.rate_hz), PARAMS, memory_bytes=LITTLE_BYTES
    )

    rows, cols = np.unravel_index(found.footprints.indices, frames.shape[1:])
    assert found.accepted.sum() >= 12
    assert cols.min() >= 4 and rows.min() >= 0
    assert np.isnan(found.denoised[:, 100]).all()
    assert np.isfinite(np.delete(found.denoised, 100, axis=1)).all()


def test_masks_take_the_place_of_the_search(simulated):
    masks = (simulated.footprints > 0).astype(np.float32)

    found = extract_sources(simulated.movie, PARAMS, seeds=masks, memory_bytes=LITTLE_BYTES)

    assert match_rois(simulated.footprints, found.footprints).f1 >= 0.9


def test_a_movie_without_cells_gives_none():
    frames = np.random.default_rng(0).normal(100, 3, (600, 96, 112)).astype(np.float32)

    found = extract_sources(Movie(source=frames, rate_hz=30.0), PARAMS, memory_bytes=LITTLE_BYTES)

    assert not found.accepted.any()
    assert found.denoised.shape[1] == 600
