"""Two thousand cells in one movie."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.movie import Movie
from pipeline.simulate import match_rois, trace_correlations

pytestmark = pytest.mark.slow
RATE_HZ = 20.0
SIDE = 45
"""Cells along rows and columns."""


def blobs(pitch_px):
    """Return footprints on a lattice, ``(n_pixels, n_cells)``."""
    reach = np.arange(-3, 4)
    shape = np.exp(-(reach[:, None] ** 2 + reach**2) / (2 * 1.5**2)).ravel()
    centres = (np.indices((SIDE, SIDE)).reshape(2, -1).T + 0.5) * pitch_px
    length = SIDE * pitch_px
    rows, cols = np.repeat(reach, reach.size), np.tile(reach, reach.size)
    pixels = [(int(r) + rows) * length + int(c) + cols for r, c in centres]
    indptr = np.arange(len(pixels) + 1) * shape.size
    weights = np.tile(shape, len(pixels)).astype(np.float32)
    return sparse.csc_array(
        (weights, np.concatenate(pixels), indptr), shape=(length**2, len(pixels))
    )


def lattice_movie(pitch_px, *, n_frames):
    rng = np.random.default_rng(0)
    footprints = blobs(pitch_px)
    spikes = rng.random((footprints.shape[1], n_frames)) < 4 / n_frames
    traces = np.zeros(spikes.shape, np.float32)
    for frame in range(n_frames):
        traces[:, frame] = 40 * spikes[:, frame] + np.exp(-1 / 14) * traces[:, frame - 1]
    frames = (footprints @ traces).T.reshape(n_frames, SIDE * pitch_px, -1)
    frames += rng.normal(100, 4, frames.shape).astype(np.float32)
    return Movie(source=frames, rate_hz=RATE_HZ), footprints, traces


def test_two_thousand_cells_are_found():
    movie, footprints, traces = lattice_movie(8, n_frames=300)

    sources = extract_sources(movie, CnmfParams(gsig_px=(1.5, 1.5)))

    active = traces.max(axis=1) > 0
    kept = sources.accepted
    matches = match_rois(footprints[:, active], sources.footprints[:, kept])
    assert matches.f1 > 0.95
    assert np.median(trace_correlations(matches, traces[active], sources.denoised[kept])) > 0.95
