"""Dendrites and axons from movie to sources, against the planted truth."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.merging import merge_components
from pipeline.extraction.spatial import connected
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.movie import Movie
from pipeline.params import params_from_dict, params_hash, params_to_dict
from pipeline.simulate import (
    ProcessParams,
    match_rois,
    simulate_processes,
    trace_correlations,
)

PARAMS = CnmfParams(method_init="sparse_nmf")
SCENE = ProcessParams(n_frames=800, n_rows=96, n_cols=104, n_processes=10)


@pytest.fixture(scope="module")
def simulated():
    return simulate_processes(SCENE, rng=np.random.default_rng(4))


@pytest.fixture(scope="module")
def sources(simulated):
    return extract_sources(simulated.movie, PARAMS)


def test_planted_processes_are_found_whole(simulated, sources):
    matches = match_rois(simulated.footprints, sources.footprints[:, sources.accepted])

    assert matches.f1 > 0.85
    assert np.median(matches.cosines) > 0.95
    denoised = sources.denoised[sources.accepted]
    assert np.median(trace_correlations(matches, simulated.traces, denoised)) > 0.97


def test_no_process_is_rejected_for_its_shape(sources):
    said = " ".join(sources.reasons)

    assert sources.quality.solidity[sources.accepted].min() < CnmfParams().min_solidity
    assert not any(word in said for word in ("solidity", "area"))


def test_one_thread_and_two_give_the_same_bits(simulated, sources):
    again = extract_sources(simulated.movie, PARAMS, threads=1)

    np.testing.assert_array_equal(sources.denoised, again.denoised)
    assert (sources.footprints != again.footprints).nnz == 0


def test_noise_holds_no_process():
    noise = np.random.default_rng(0).normal(100, 5, (400, 64, 64)).astype(np.float32)

    sources = extract_sources(Movie(source=noise, rate_hz=30.0, pixel_size_um=(0.8, 0.8)), PARAMS)

    assert sources.accepted.sum() == 0


def test_cells_are_processes_too():
    rows, cols = np.indices((48, 56))
    blob = np.exp(-((rows - 24) ** 2 + (cols - 20) ** 2) / 18)
    trace = np.zeros(400)
    for start in (40, 150, 300):
        trace[start:] += 60 * np.exp(-np.arange(400 - start) / 21)
    frames = np.random.default_rng(1).normal(100, 5, (400, 48, 56)) + trace[:, None, None] * blob
    movie = Movie(source=frames.astype(np.float32), rate_hz=30.0, pixel_size_um=(1.0, 1.0))

    sources = extract_sources(movie, PARAMS)

    matches = match_rois(sparse.csc_array(blob.reshape(-1, 1)), sources.footprints)
    assert matches.f1 == 1
    assert np.corrcoef(sources.denoised[0], trace)[0, 1] > 0.95


def test_parts_in_reach_of_each_other_that_follow_one_course_are_one():
    footprints = sparse.csc_array(np.eye(6, dtype=np.float32)[:, [0, 2, 5]])
    reach = sparse.csc_array(
        np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], np.float32)
    )
    course = np.random.default_rng(0).gamma(1, size=300).astype(np.float32)
    calcium = np.stack([course, 2 * course, course])

    apart, _ = merge_components(footprints, calcium, merge_corr=0.9)
    joined, _ = merge_components(footprints, calcium, merge_corr=0.9, reach=reach)

    assert apart.shape[1] == 3
    assert sorted(np.diff(joined.indptr)) == [1, 2]  # the third follows, but far away


def test_a_footprint_in_pieces_loses_specks_alone():
    image = np.zeros((8, 12))
    image[1, 1:6], image[4, 3:8], image[7, 11] = 1.0, 0.5, 0.8

    footprint = sparse.csc_array(image.reshape(-1, 1))
    pieces = connected(footprint, frame_shape=(8, 12), in_pieces=True)
    whole = connected(footprint, frame_shape=(8, 12))

    assert (pieces.nnz, whole.nnz) == (10, 5)


def test_the_way_of_seeking_is_a_setting_that_leaves_old_names_alone():
    assert params_hash(CnmfParams()) == params_hash(replace(PARAMS, method_init="greedy_roi"))
    assert params_hash(PARAMS) != params_hash(CnmfParams())
    assert params_from_dict(CnmfParams, params_to_dict(PARAMS)) == PARAMS
    assert CnmfParams.from_caiman({"method_init": "sparse_nmf"}) == PARAMS
    assert CnmfParams.from_caiman({"method_init": "local_nmf"}) == CnmfParams()
    assert Cnmf3dParams(method_init="sparse_nmf", gsig_px=(1, 4, 4)).of_plane.of_processes
    with pytest.raises(ValueError, match="method_init must be .*greedy_roi.*sparse_nmf"):
        CnmfParams(method_init="dendrites")


def test_the_simulated_processes_are_thin_and_the_movie_is_their_sum(simulated):
    again = simulate_processes(SCENE, rng=np.random.default_rng(4))

    np.testing.assert_array_equal(simulated.movie[:], again.movie[:])
    assert simulated.footprints.shape == (96 * 104, 10)
    assert simulated.traces.shape == (10, 800)
    bright = (simulated.footprints > 0.3).sum(axis=0)
    assert 30 < np.median(bright) < 400
    where = np.asarray(simulated.footprints.sum(axis=1)).ravel() == 0
    mean = simulated.movie[:].mean(axis=0).ravel()
    assert mean[~where].mean() > 1.1 * mean[where].mean()


@pytest.mark.parametrize("name", ["n_processes", "length_um", "width_um", "varicosity"])
def test_impossible_scenes_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be between"):
        ProcessParams(**{name: -1})
    assert name in {field.name for field in fields(ProcessParams)}
