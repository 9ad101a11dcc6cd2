"""Arrays that lie in a temporary file: they hold their values and leave the memory alone."""

import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from pipeline import scratch
from pipeline.extraction.completion import complete_sources
from pipeline.extraction.long_traces import mean_of_rows, on_all_frames
from pipeline.extraction.manual_params import ManualParams
from pipeline.extraction.measured import measure_rois
from pipeline.extraction.methods import find_method
from pipeline.extraction.onephoton import haze, ring, samples, summary
from pipeline.movie import Movie
from pipeline.scratch import ScratchFrames, put_aside, scratch_array, some_rows


def resident_kb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.parametrize("shape", [(3, 4), (0, 7), (2, 0), (100, 20_000)])
def test_an_array_is_zero_and_keeps_what_is_written(shape):
    array = scratch_array(shape)
    assert array.shape == shape and array.dtype == np.float32 and not array.any()
    written = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    array[:] = written
    put_aside(array[1:], array)

    np.testing.assert_array_equal(array, written)


@pytest.mark.parametrize("lengths", [(3, 0, 900), (0, 0)])
def test_rows_that_come_in_parts_are_joined(lengths):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n_rows, 2500)).astype(np.float32) for n_rows in lengths]
    gathered = scratch.GatheredRows(2500)
    for part in parts:
        gathered.add(part)

    np.testing.assert_array_equal(gathered.joined(), np.concatenate(parts))


def test_what_comes_frame_after_frame_is_added_to_some_rows():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(3000, 1500)).astype(np.float32)  # more than is added at once
    out, rows = scratch_array((3001, 1500)), np.arange(3000) + 1
    for _ in range(2):
        scratch.add_frames(out, np.split(whole, [1, 700, 1400], axis=1), rows)

    assert not out[0].any()
    np.testing.assert_array_equal(out[1:], 2 * whole)


def test_what_is_put_aside_leaves_the_memory():
    array = scratch_array((64, 500_000))  # 128 MB
    before = resident_kb()

    for rows in some_rows(array):
        array[rows] = 1
        assert resident_kb() < before + 20_000

    assert resident_kb() < before + 2_000
    assert array.sum(dtype=np.float64) == array.size


def test_every_row_is_worked_on_once():
    array = scratch_array((37, 300_000))
    for rows in some_rows(array):
        array[rows] += np.arange(37)[rows, np.newaxis]

    np.testing.assert_array_equal(array[:, 0], np.arange(37))
    np.testing.assert_array_equal(mean_of_rows(array), np.arange(37))


def test_frames_that_were_read_are_copies():
    array = scratch_array((40, 20_000))
    array[7] = 5
    movie = Movie(source=ScratchFrames(array.reshape(40, 100, 200)), rate_hz=1.0)

    block = movie[5:9]
    block[:] = 0

    assert movie.shape == (40, 100, 200)
    assert (movie[7] == 5).all()


def test_left_out_frames_are_missing():
    kept = np.array([True, False, True])
    traces = np.array([[1, 2], [3, 4]], np.float32)

    np.testing.assert_array_equal(on_all_frames(traces, kept), [[1, np.nan, 2], [3, np.nan, 4]])


def test_a_full_disk_is_told_before_it_is_written_to(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000_000))

    with pytest.raises(OSError, match=r"needs 2\.0 GB .* has 1\.0 GB free; set TMPDIR"):
        scratch_array((500, 1_000_000))


class Repeated:
    """Frames again and again, as a source of any length."""

    dtype = np.dtype(np.float32)

    def __init__(self, frames, n_frames):
        self.frames, self.shape = frames, (n_frames, *frames.shape[1:])

    def __getitem__(self, frames):
        if isinstance(frames, int):
            return self.frames[frames % len(self.frames)]
        numbers = np.arange(*frames.indices(self.shape[0]))
        return self.frames[numbers % len(self.frames)]


SIDE, APART, GSIG = 40, 8, 2
CENTRES = [
    (row, col) for row in range(APART // 2, SIDE, APART) for col in range(APART // 2, SIDE, APART)
]

MORE_BYTES = 4 * (4500 - 1500) * len(CENTRES)
"""Of one trace of each cell; what is held of all cells would take this many times over."""


def lattice(n_planes):
    """Return how far the pixels of a frame lie from each of the cells, which fill all planes."""
    rows, cols = np.indices((SIDE, SIDE))
    away = np.array([np.hypot(rows - row, cols - col) for row, col in CENTRES])
    return np.repeat(away[:, np.newaxis], n_planes, axis=1) if n_planes else away


def lattice_movie(n_frames, *, rate_hz, n_planes):
    """Cells on a lattice, of which each has its own transients."""
    rng = np.random.default_rng(3)
    away = lattice(n_planes)
    frames = 50 + rng.normal(0, 2, (1000, *away.shape[1:]))
    decay = np.exp(-np.arange(60) / (0.7 * rate_hz))
    for cell in np.exp(-((away / GSIG) ** 2) / 2):
        trace = np.convolve(rng.random(1000) < 0.2 / rate_hz, decay)[:1000]
        frames += 40 * np.multiply.outer(trace, cell)
    return Movie(source=Repeated(frames.astype(np.float32), n_frames), rate_hz=rate_hz)


@pytest.mark.filterwarnings("ignore:the memory holds movie only in bins")
@pytest.mark.parametrize(
    ("method", "rate_hz", "n_planes", "n_frames"),
    [("cnmf", 20.0, 0, 1500), ("cnmfe", 20.0, 0, 1000), ("cnmf3d", 4.0, 2, 1500)],
)
def test_three_times_the_frames_take_the_same_memory(
    monkeypatch, method, rate_hz, n_planes, n_frames
):
    monkeypatch.setattr(scratch, "SMALLEST_BYTES", 4096)
    monkeypatch.setattr(scratch, "ROWS_BYTES", 100_000)
    monkeypatch.setattr(scratch, "PAGE_FRAMES", 128)
    # of longer movies no more is looked at
    monkeypatch.setattr(haze, "MAX_FIT_BINS", 50)
    monkeypatch.setattr(ring, "MAX_FIT_FRAMES", 50)
    monkeypatch.setattr(summary, "MAX_FIT_FRAMES", 50)
    monkeypatch.setattr(samples, "MAX_SAMPLES", 50)
    away = lattice(n_planes)
    method = find_method(method)
    params = method.params(gsig_px=(1, GSIG, GSIG)[-away[0].ndim :])
    masks = sparse.csc_array((away < 1.5 * GSIG).reshape(len(away), -1).T.astype(np.float32))
    seeds = None if method is find_method("cnmfe") else masks  # its search takes no more, either
    how = {"seeds": seeds, "threads": 1, "memory_bytes": 60_000_000 if n_planes else 20_000_000}
    peaks = []
    for length in (300, n_frames, 3 * n_frames):  # the first compiles
        movie = lattice_movie(length, rate_hz=rate_hz, n_planes=n_planes)
        tracemalloc.start()
        sources = method.extract(movie, params, **how)
        sources = complete_sources(sources, movie, params, threads=1, memory_bytes=2_000_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sources.accepted.sum() >= 0.7 * len(CENTRES)

    assert peaks[2] - peaks[1] < 1.5 * MORE_BYTES * n_frames / 1500, peaks


def test_measured_rois_of_a_long_movie_are_not_held(monkeypatch):
    monkeypatch.setattr(scratch, "SMALLEST_BYTES", 4096)
    monkeypatch.setattr(scratch, "ROWS_BYTES", 100_000)
    masks = sparse.csc_array((lattice(0) < GSIG).reshape(len(CENTRES), -1).T.astype(np.float32))
    peaks = []
    for n_frames in (300, 1500, 4500):
        movie = lattice_movie(n_frames, rate_hz=20.0, n_planes=0)
        tracemalloc.start()
        measure_rois(movie, ManualParams(), seeds=masks, threads=1, memory_bytes=5_000_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[2] - peaks[1] < 0.5 * MORE_BYTES, peaks
