"""Arrays that lie in a temporary file: they hold their values and leave the memory alone."""

import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.extraction import CnmfParams, extract_sources, scratch
from pipeline.extraction.completion import complete_sources
from pipeline.extraction.scratch import (
    ScratchFrames,
    mean_of_rows,
    on_all_frames,
    put_aside,
    scratch_array,
    some_rows,
)
from pipeline.movie import Movie


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
        numbers = np.arange(*frames.indices(self.shape[0]))
        return self.frames[numbers % len(self.frames)]


def lattice_movie(n_frames):
    """Nine cells on a lattice, of which each has its own transients."""
    rng = np.random.default_rng(3)
    rows, cols = np.indices((60, 60))
    frames = 50 + rng.normal(0, 2, (1000, 60, 60))
    for cell in range(9):
        away = np.hypot(rows - 10 - 20 * (cell // 3), cols - 10 - 20 * (cell % 3))
        spikes = rng.random(1000) < 0.01
        trace = np.convolve(spikes, np.exp(-np.arange(60) / 14))[:1000]
        frames += 40 * trace[:, None, None] * np.exp(-((away / 4) ** 2) / 2)
    return Movie(source=Repeated(frames.astype(np.float32), n_frames), rate_hz=20.0)


def test_many_times_the_frames_take_the_same_memory(monkeypatch):
    monkeypatch.setattr(scratch, "SMALLEST_BYTES", 50_000)
    monkeypatch.setattr(scratch, "ROWS_BYTES", 400_000)
    params, memory_bytes = CnmfParams(gsig_px=(4, 4)), 100_000_000
    peaks, found = [], []
    extract_sources(lattice_movie(300), params, memory_bytes=memory_bytes)  # compiles
    for n_frames in (5000, 22_000):
        movie = lattice_movie(n_frames)
        tracemalloc.start()
        sources = extract_sources(movie, params, memory_bytes=memory_bytes)
        complete_sources(sources, movie, params, memory_bytes=memory_bytes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        found.append(int(sources.accepted.sum()))

    assert found == [9, 9]
    assert peaks[1] < 2.5 * peaks[0], peaks  # frames: 4.4 times as many
