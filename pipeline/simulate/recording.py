"""How a simulated scene becomes a recorded movie, in memory or in a file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pipeline.blocks import Progress, frame_blocks, map_blocks
from pipeline.movie import Movie
from pipeline.simulate.detector import Detector

Blocks = Iterable[NDArray[np.uint16]]

WORKING_COPIES = 6
"""Copies of a float32 frame that rendering and noise hold at a time."""


def record(
    noiseless: Movie,
    detector: Detector,
    *,
    out: Path | None,
    threads: int,
    memory_bytes: int,
    progress: Progress,
) -> Movie:
    """Record a noiseless movie, block by block.

    Parameters
    ----------
    noiseless : Movie
        What the detector sees, float32.
    detector : Detector
        What makes grey levels of it.
    out : Path or None
        A ``.tif``, ``.tiff`` or ``.npy`` file to write; None keeps the movie in memory.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for frames under work.
    progress : callable
        Called after each block; may raise to cancel.

    Returns
    -------
    Movie
        The same in uint16, with noise.
    """
    blocks = frame_blocks(
        noiseless.n_frames,
        frame_bytes=WORKING_COPIES * noiseless.frame_bytes,
        memory_bytes=memory_bytes // (threads + 1),
    )
    recorded = map_blocks(
        detector.expose, noiseless, blocks, threads=threads, phase="simulating", progress=progress
    )
    return Movie(
        source=_collect(recorded, noiseless.shape, out),
        rate_hz=noiseless.rate_hz,
        pixel_size_um=noiseless.pixel_size_um,
        name="simulated movie" if out is None else out.name,
    )


def _collect(blocks: Blocks, shape: tuple[int, ...], out: Path | None) -> NDArray[np.uint16]:
    """Collect the movie in memory or in a file."""
    if out is None:
        return _fill(np.empty(shape, np.uint16), blocks)
    return WRITERS[out.suffix.lower()](blocks, shape, out)


def _write_npy(blocks: Blocks, shape: tuple[int, ...], out: Path) -> NDArray[np.uint16]:
    """Write a NumPy file, and map it."""
    return _fill(open_memmap(out, mode="w+", dtype=np.uint16, shape=shape), blocks)


def _write_tiff(blocks: Blocks, shape: tuple[int, ...], out: Path) -> NDArray[np.uint16]:
    """Write a BigTIFF file, uncompressed, and map it."""
    return _fill(tifffile.memmap(out, shape=shape, dtype=np.uint16, bigtiff=True), blocks)


WRITERS = {".npy": _write_npy, ".tif": _write_tiff, ".tiff": _write_tiff}


def _fill(target: NDArray[np.uint16], blocks: Blocks) -> NDArray[np.uint16]:
    """Copy blocks of frames into an array, one after the other."""
    start = 0
    for block in blocks:
        target[start : start + len(block)] = block
        start += len(block)
    return target
