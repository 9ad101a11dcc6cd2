"""CaImAn as a second engine: the real runner with a stand-in, and with CaImAn where it is."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy import sparse

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.caiman_engine import CaimanParams, Host, extract_with_caiman
from pipeline.extraction.caiman_engine.guest import GuestError
from pipeline.extraction.caiman_engine.settings import to_caiman_names
from pipeline.movie import Movie
from pipeline.simulate import (
    OnePhotonParams,
    TwoPhotonParams,
    match_rois,
    simulate_one_photon,
    simulate_two_photon,
    trace_correlations,
)
from tests.caiman_stand_in import write_stand_in

CAIMAN_VARIABLE = "MESMERIZE_TEST_CAIMAN"
ROOT = Path(__file__).parents[2]

RUN = """
import sys
from pathlib import Path
import numpy as np
from pipeline.extraction.caiman_engine import CaimanParams, Host, extract_with_caiman
from pipeline.movie import Movie
movie = Movie(source=np.load(sys.argv[1]), rate_hz=30.0)
host = Host(Path(sys.argv[2]), Path(sys.argv[3]))
extract_with_caiman(movie, CaimanParams(), host=host)
"""


@pytest.fixture(scope="module")
def scene():
    """A small movie without motion, its frame not square, and its truth."""
    params = TwoPhotonParams(
        n_frames=300, n_rows=64, n_cols=48, n_cells=5, max_shift_px=0, max_deviation_px=0
    )
    return simulate_two_photon(params, rng=np.random.default_rng(4))


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def stand_in(tmp_path, scene, scratch):
    """Make a host of CaImAn, as it behaves."""

    def make(**how):
        truth = scene.footprints, scene.movie.frame_shape
        return Host(write_stand_in(tmp_path / "stand-in", truth, **how), scratch)

    (tmp_path / "stand-in").mkdir()
    return make


def gone(pid, timeout_s=10):
    """Return whether a process ends within some seconds."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_what_it_finds_comes_back_in_our_order_and_units(scene, stand_in):
    phases = []

    sources = extract_with_caiman(
        scene.movie,
        CaimanParams(),
        host=stand_in(),
        progress=lambda phase, done, total: phases.append(phase),
    )

    matches = match_rois(scene.footprints, sources.footprints)
    assert len(matches.pairs) == 5
    assert np.min(matches.cosines) > 0.999
    assert np.median(trace_correlations(matches, scene.traces, sources.raw)) > 0.95
    weights = sources.footprints
    np.testing.assert_allclose(weights.power(2).sum(axis=0), weights.sum(axis=0), rtol=1e-5)
    assert sources.denoised.shape == sources.dff.shape == (5, 300)
    assert sources.denoised.dtype == np.float32
    assert dict(sources.versions)["caiman"] == "1.99"
    expected = ["CaImAn: fitting", "CaImAn: fitting again", "CaImAn: evaluating"]
    assert [phase for phase in dict.fromkeys(phases) if phase in expected] == expected


def test_parts_of_a_trace_add_up_to_the_movie(scene, stand_in):
    sources = extract_with_caiman(scene.movie, CaimanParams(), host=stand_in())

    weights = sources.footprints
    movie = scene.movie[:].reshape(300, -1).astype(np.float64)
    power = weights.power(2).sum(axis=0)[:, np.newaxis]
    others = (weights.T @ weights) @ sources.denoised / power - sources.denoised
    seen = weights.T @ movie.T / power
    np.testing.assert_allclose(sources.raw + others + sources.under, seen, rtol=2e-3, atol=0.5)
    assert np.corrcoef(sources.under.mean(axis=0), movie.mean(axis=1))[0, 1] > 0.2


def test_its_verdict_is_taken_and_told(scene, stand_in):
    host = stand_in()
    sources = extract_with_caiman(scene.movie, CaimanParams(min_rval=0.4), host=host)
    strict = extract_with_caiman(scene.movie, CaimanParams(min_snr=8), host=host)

    order = np.argsort(-sources.quality.snr)  # as the stand-in numbers them
    snr, rval = np.linspace(9, 0.4, 5), np.linspace(0.9, -0.5, 5)
    np.testing.assert_allclose(sources.quality.snr[order], snr, rtol=1e-6)
    np.testing.assert_allclose(sources.quality.rval[order], rval, rtol=1e-6)
    assert sources.accepted[order].tolist() == [True, True, True, True, False]
    assert sources.reasons[order[-1]] == "snr 0.40 is not above 0.5"
    assert not any(sources.reasons[roi] for roi in order[:-1])
    decay_s = -1 / np.log(0.95) / 30
    np.testing.assert_allclose(sources.quality.decay_time_s, decay_s, rtol=1e-5)
    np.testing.assert_allclose(
        sources.quality.baseline, np.median(sources.raw, axis=1), rtol=0.1, atol=3
    )
    assert strict.reasons[order[2]] == "snr 4.70 is below 8 and rval 0.20 below 0.8"


def test_nothing_found_is_a_result(scene, stand_in):
    sources = extract_with_caiman(scene.movie, CaimanParams(), host=stand_in(behaviour="nothing"))

    assert sources.footprints.shape == (64 * 48, 0)
    assert sources.raw.shape == (0, 300)
    assert sources.accepted.size == 0


def test_missing_pixels_and_frames_are_kept_from_it(scene, stand_in):
    movie = scene.movie[:].astype(np.float32)
    movie[:, :, :3] = np.nan
    movie[17] = np.nan
    movie[40:50, 30, 20] = np.nan

    sources = extract_with_caiman(
        Movie(source=movie, rate_hz=30.0), CaimanParams(border_px=2), host=stand_in()
    )

    assert np.isnan(sources.raw[:, 17]).all()
    assert np.isfinite(np.delete(sources.raw, 17, axis=1)).all()
    image = np.asarray(sources.footprints.sum(axis=1)).reshape(64, 48)
    assert image.sum() > 0
    assert image[:, :3].sum() == image[:2].sum() == image[-2:].sum() == 0


def test_seeds_arrive_as_masks(scene, stand_in):
    halves = scene.footprints.toarray().reshape(64, 48, -1)
    halves[:, :24] = 0  # of cells, the right part of the frame alone
    seeds = sparse.csc_array(halves.reshape(64 * 48, -1))

    sources = extract_with_caiman(scene.movie, CaimanParams(), host=stand_in(), seeds=seeds)

    image = np.asarray(sources.footprints.sum(axis=1)).reshape(64, 48)
    assert image[:, :24].sum() == 0
    assert image[:, 24:].sum() > 0


def test_same_bits_again(scene, stand_in, tmp_path):
    host = stand_in()
    (tmp_path / "again").mkdir()

    one = extract_with_caiman(scene.movie, CaimanParams(), host=host, threads=1)
    other = extract_with_caiman(
        scene.movie, CaimanParams(), host=host._replace(scratch=tmp_path / "again"), threads=2
    )

    np.testing.assert_array_equal(one.raw, other.raw)
    np.testing.assert_array_equal(one.under, other.under)


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("none", r"python has no CaImAn: install it with: conda create -n caiman -c conda-forge"),
        ("other", r"another package of the name caiman, as PyPI does, \(.*site/caiman"),
        ("broken", r"cannot be imported \(OSError: libfancy.so.3 cannot be opened\): install"),
    ],
)
def test_an_interpreter_without_caiman_is_one_sentence(scene, stand_in, package, sentence):
    with pytest.raises(GuestError, match=sentence) as refused:
        extract_with_caiman(scene.movie, CaimanParams(), host=stand_in(package=package))
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("under [caiman] in mesmerize.toml.")


def test_an_interpreter_must_be_named_and_be_one(scene, scratch):
    with pytest.raises(GuestError, match=r"none is named: install it with: conda create"):
        extract_with_caiman(scene.movie, CaimanParams(), host=Host(None, scratch))
    with pytest.raises(GuestError, match=r"there is no interpreter .*scratch for CaImAn: install"):
        extract_with_caiman(scene.movie, CaimanParams(), host=Host(scratch, scratch))
    (scratch / "odd").write_bytes(b"\x00\x01")
    (scratch / "odd").chmod(0o755)
    with pytest.raises(GuestError, match=r"odd cannot be run \(Exec format error\): install"):
        extract_with_caiman(scene.movie, CaimanParams(), host=Host(scratch / "odd", scratch))


def test_its_errors_are_told(scene, stand_in, caplog):
    caplog.set_level("INFO")
    with pytest.raises(GuestError, match=r"CaImAn failed: RuntimeError: the factors have the wr"):
        extract_with_caiman(scene.movie, CaimanParams(), host=stand_in(behaviour="fail"))
    assert "not a line of ours" in caplog.text
    assert 'raise RuntimeError("the factors have the wrong size")' in caplog.text


def test_its_death_is_told(scene, stand_in):
    with pytest.raises(GuestError, match=r"CaImAn was killed, most often because .* no memory"):
        extract_with_caiman(scene.movie, CaimanParams(), host=stand_in(behaviour="die"))


def test_cancelling_ends_it_with_all_that_it_started(scene, stand_in, scratch):
    class Cancelled(Exception):
        pass

    def cancel(*_):
        if (scratch / "pids").exists() and (scratch / "pids").read_text():
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_with_caiman(
            scene.movie, CaimanParams(), host=stand_in(behaviour="hang"), progress=cancel
        )

    assert all(gone(int(pid)) for pid in (scratch / "pids").read_text().split())


def test_it_does_not_outlive_a_killed_process(scene, stand_in, scratch, tmp_path):
    np.save(tmp_path / "movie.npy", scene.movie[:])
    host = stand_in(behaviour="hang")
    words = [tmp_path / "movie.npy", host.interpreter, scratch]
    job = subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        ends = time.monotonic() + 60
        while not ((scratch / "pids").exists() and (scratch / "pids").read_text()):
            assert time.monotonic() < ends
            assert job.poll() is None
            time.sleep(0.1)
        pids = [int(pid) for pid in (scratch / "pids").read_text().split()]
        assert all(map(psutil.pid_exists, pids))
    finally:
        job.send_signal(signal.SIGKILL)
        job.wait()
    assert all(map(gone, pids))


def test_caiman_is_told_what_the_settings_mean():
    usual = CaimanParams(gsig_px=(5.0, 5.0))
    plain = to_caiman_names(usual, rate_hz=30.0, is_seeded=False)
    one_photon = CaimanParams(model="cnmfe", gsig_px=(3.4, 3.4), min_pnr=8)
    told = to_caiman_names(one_photon, rate_hz=10.0, is_seeded=False)
    seeded = to_caiman_names(usual, rate_hz=30.0, is_seeded=True)

    assert (plain["fr"], plain["gSig"], plain["K"], plain["rf"]) == (30.0, [5, 5], 8, 25)
    assert (plain["method_init"], plain["nb"], plain["stride"]) == ("greedy_roi", 2, 10)
    assert (told["gSig"], told["gSiz"], told["K"], told["nb"]) == ([3, 3], [13, 13], None, 0)
    assert (told["method_init"], told["center_psf"], told["min_pnr"]) == ("corr_pnr", True, 8)
    assert (seeded["rf"], seeded["stride"], seeded["only_init"]) == (None, None, False)
    assert json.loads(json.dumps(plain)) == plain


def test_published_settings_are_taken_over():
    original = {
        "cnmf_kwargs": {"gSig": (6, 6), "K": 10, "rf": 50, "stride": 30, "gnb": 1, "p": 2},
        "eval_kwargs": {"min_SNR": 3, "rval_thr": 0.7, "decay_time": 1.0, "use_cnn": True},
        "refit": False,
    }

    params = CaimanParams.from_caiman(original)

    expected = CaimanParams(
        gsig_px=(6.0, 6.0),
        cells_per_patch=10,
        patch_half_px=50,
        overlap_px=30,
        gnb=1,
        p=2,
        min_snr=3,
        min_rval=0.7,
        decay_time_s=1.0,
        is_refitted=False,
    )
    assert params == expected
    assert CaimanParams.from_caiman({"rf": None}).patch_half_px is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"gSigg": 3}, "'gSigg' is no setting of CaImAn that is known here"),
        ({"Ain": [[1]]}, "Ain is no setting here; give the footprints as seeds"),
        ({"p": 3}, "p must be between 0 and 2; got 3"),
        ({"rf": 7, "gSig": 5}, "patch_half_px must be at least 10"),
        ({"K": 2.5}, "cells_per_patch must be a whole number; got 2.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        CaimanParams.from_caiman(values)


def test_a_volume_is_refused_before_anything_is_begun(stand_in):
    volume = Movie(source=np.zeros((20, 2, 64, 48), np.float32), rate_hz=10.0)
    with pytest.raises(ValueError, match="works on one plane"):
        extract_with_caiman(volume, CaimanParams(), host=stand_in())


@pytest.fixture
def real_caiman(scratch):
    if CAIMAN_VARIABLE not in os.environ:
        pytest.skip(f"no CaImAn: {CAIMAN_VARIABLE} is not set, as /opt/caiman/bin/python")
    return Host(Path(os.environ[CAIMAN_VARIABLE]), scratch)


@pytest.mark.slow
def test_caiman_itself_finds_what_we_find(scene, real_caiman):
    sources = extract_with_caiman(scene.movie, CaimanParams(cells_per_patch=4), host=real_caiman)
    ours = extract_sources(scene.movie, CnmfParams())

    assert dict(sources.versions)["caiman"].startswith("1.")
    matches = match_rois(ours.footprints[:, ours.accepted], sources.footprints)
    assert len(matches.pairs) >= 0.7 * ours.accepted.sum()
    assert np.median(matches.cosines) > 0.85
    raw = ours.raw[ours.accepted]
    assert np.median(trace_correlations(matches, raw, sources.raw)) > 0.9
    noise = [
        ours.quality.noise[ours.accepted][matches.pairs[:, 0]],
        sources.quality.noise[matches.pairs[:, 1]],
    ]
    assert 0.4 < np.median(noise[1] / noise[0]) < 2.5  # the units are the same
    assert all(
        bool(reason) != accepted
        for reason, accepted in zip(sources.reasons, sources.accepted, strict=True)
    )


@pytest.mark.slow
def test_caiman_itself_begins_with_seeds(scene, real_caiman):
    sources = extract_with_caiman(
        scene.movie, CaimanParams(), host=real_caiman, seeds=scene.footprints
    )

    matches = match_rois(scene.footprints, sources.footprints)
    assert len(matches.pairs) >= 4
    assert np.median(trace_correlations(matches, scene.traces, sources.raw)) > 0.8


@pytest.mark.slow
def test_caiman_itself_does_one_photon_movies(real_caiman):
    params = OnePhotonParams(n_frames=400, n_rows=72, n_cols=64, n_cells=8)
    simulated = simulate_one_photon(params, rng=np.random.default_rng(0))
    settings = CaimanParams(model="cnmfe", gsig_px=(3.0, 3.0), min_corr=0.6, min_pnr=5)

    sources = extract_with_caiman(simulated.movie, settings, host=real_caiman)

    assert match_rois(simulated.footprints, sources.footprints).recall > 0.3
