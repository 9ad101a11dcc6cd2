"""How many frames are worked on together, so that the memory suffices."""

from typing import NamedTuple

import numpy as np

from pipeline.movie import Movie

CHUNK_FRAMES = 64
CHUNK_BYTES = 64_000_000
"""Frames of a chunk, and the memory for them, float32."""

GROUP_FRAMES = 16
"""Frames whose shifts are found together."""

GROUP_COPIES = 8
"""Float32 copies of each frame of a group: planes, small images, patches, their spectra."""

KEPT_COPIES = 24
"""Float32 copies of a frame kept all the time: templates, their spectra, means."""

MAX_SAMPLED_FRAMES = 80
MIN_SAMPLED_FRAMES = 20
SAMPLED_BYTES = 100_000_000
"""Frames that the template is made of, and the memory for them, unless they would be too few."""


class WorkPlan(NamedTuple):
    """How the work is cut."""

    block_frames: int
    """Length of a block, which is one chunk of the corrected movie long."""

    threads: int
    """Blocks worked on at once."""


def plan_work(movie: Movie, *, threads: int, memory_bytes: int) -> WorkPlan:
    """Cut the work into blocks that fit the memory.

    The length of a block depends on the size of a frame; where memory is short, fewer threads
    work, and only then are blocks shorter.

    Parameters
    ----------
    movie : Movie
        What is to be corrected.
    threads : int
        Most threads to use.
    memory_bytes : int
        Memory for the work.

    Raises
    ------
    ValueError
        If a single frame is too large for the memory.
    """
    plane_bytes = 4 * int(np.prod(movie.frame_shape))
    length = CHUNK_FRAMES
    while length > 1 and length * plane_bytes > CHUNK_BYTES:
        length //= 2
    for block_frames, n_threads in [(length, n) for n in range(threads, 0, -1)] + [
        (length >> halvings, 1) for halvings in range(1, length.bit_length())
    ]:
        if _work_bytes(movie, plane_bytes, block_frames, n_threads) <= memory_bytes:
            return WorkPlan(block_frames, n_threads)
    least = _work_bytes(movie, plane_bytes, 1, 1)
    raise ValueError(
        f"memory_bytes = {memory_bytes} is too little for {movie.name}, whose frames measure "
        f"{' x '.join(map(str, movie.frame_shape))} pixels; give at least {least}."
    )


def n_sampled_frames(movie: Movie) -> int:
    """Return of how many frames the template is made."""
    affordable = max(MIN_SAMPLED_FRAMES, SAMPLED_BYTES // movie.frame_bytes)
    return min(movie.n_frames, MAX_SAMPLED_FRAMES, affordable)


def _work_bytes(movie: Movie, plane_bytes: int, block_frames: int, threads: int) -> int:
    """Return the memory that the larger of both stages takes: template, and correction."""
    group = min(GROUP_FRAMES, block_frames) * GROUP_COPIES * plane_bytes
    # a frame of a block is there as read, corrected, and on its way to the disk
    block = block_frames * (movie.frame_bytes + 2 * plane_bytes)
    correction = threads * (block + group) + block_frames * movie.frame_bytes
    template = n_sampled_frames(movie) * movie.frame_bytes + threads * group
    return KEPT_COPIES * plane_bytes + max(correction, template)
