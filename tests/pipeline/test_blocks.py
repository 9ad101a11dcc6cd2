"""Blocks of frames, read in whole chunks, and items worked on in threads."""

import numpy as np
import pytest
import zarr

from pipeline.blocks import map_blocks, map_items
from pipeline.movie import Movie
from pipeline.readers import open_movie

FRAMES = np.arange(50 * 6).reshape(50, 2, 3).astype(np.float32)


class CountedFrames:
    """Frames in chunks that note which frames are read."""

    def __init__(self, chunk_frames):
        self.shape, self.dtype, self.chunk_frames = FRAMES.shape, FRAMES.dtype, chunk_frames
        self.read = []

    def __getitem__(self, frames):
        self.read.append((frames.start, frames.stop))
        return FRAMES[frames]


def read(source, blocks):
    parts = map_blocks(lambda _, block: block.copy(), Movie(source=source), blocks, threads=1)
    return list(parts)


@pytest.mark.parametrize("length", [1, 3, 8, 13, 50])
def test_every_chunk_is_read_once_whatever_the_blocks(length):
    source = CountedFrames(8)
    blocks = [slice(start, min(start + length, 50)) for start in range(0, 50, length)]

    parts = read(source, blocks)

    np.testing.assert_array_equal(np.concatenate(parts), FRAMES)
    starts, stops = zip(*source.read, strict=True)
    assert all(start % 8 == 0 for start in starts)
    assert list(starts[1:]) == list(stops[:-1])
    assert stops[-1] == 50


def test_blocks_may_skip_repeat_and_step():
    blocks = [slice(30, 34), slice(2, 5), slice(4, 9), slice(40, 50, 3)]

    parts = read(CountedFrames(8), blocks)

    for part, block in zip(parts, blocks, strict=True):
        np.testing.assert_array_equal(part, FRAMES[block])


def test_a_movie_knows_the_chunks_of_its_file(tmp_path):
    zarr.create_array(
        store=tmp_path / "movie.zarr", shape=FRAMES.shape, chunks=(16, 2, 3), dtype="float32"
    )[:] = FRAMES

    assert open_movie(tmp_path / "movie.zarr", rate_hz=10.0).chunk_frames == 16
    assert Movie(source=FRAMES).chunk_frames == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_items_come_back_in_order(threads):
    assert map_items(lambda item: item * item, range(20), threads=threads) == [
        item * item for item in range(20)
    ]


def test_an_error_in_an_item_is_raised():
    with pytest.raises(ZeroDivisionError):
        map_items(lambda item: 1 / item, [1, 0], threads=2)
