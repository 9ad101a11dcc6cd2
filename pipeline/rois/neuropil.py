"""What surrounds a cell: a ring around its footprint that belongs to no cell."""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import distance_transform_edt

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
    progress_of_several,
)
from pipeline.movie import Movie
from pipeline.scratch import add_frames, by_rows, scratch_array
from pipeline.window import slabs_of

GAP_PX = 2.0
"""Distance from the footprint at which the ring begins: light of the cell reaches beyond it."""

MIN_PIXELS = 20
WIDEST = 3
"""How many times as wide a ring may become that has too few pixels."""

SLABS = 4
"""Blocks of a frame of a slab in memory; more threads take little more than they are given."""

COPIES = 4
"""Float32 copies of a block that a pass makes at most."""


def surrounds(
    footprints: sparse.csc_array, frame_shape: tuple[int, ...], *, width_px: float
) -> sparse.csc_array:
    """Return the ring around each footprint, without the pixels of any footprint.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Pixels in C order.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.
    width_px : float
        Of the ring, in pixels; it becomes wider where other cells leave it too few pixels.

    Returns
    -------
    sparse array, (n_pixels, n_rois)
        1 in the ring; a column is empty where there is no room.
    """
    taken = np.zeros(int(np.prod(frame_shape)), np.bool_)
    taken[footprints.indices] = True
    free = ~taken.reshape(frame_shape)
    parts = np.split(footprints.indices, footprints.indptr[1:-1])[: footprints.shape[1]]
    rings = [_ring(pixels, free, width_px) for pixels in parts]
    indptr = np.cumsum([0, *(ring.size for ring in rings)])
    indices = np.concatenate([np.zeros(0, np.int64), *rings])
    entries = np.ones(indices.size, np.float32), indices, indptr
    return sparse.csc_array(entries, shape=footprints.shape)


def _ring(
    pixels: NDArray[np.integer], free: NDArray[np.bool_], width_px: float
) -> NDArray[np.int64]:
    """Return the pixels of the ring around one footprint, in increasing order."""
    if not pixels.size:
        return np.zeros(0, np.int64)
    places = np.unravel_index(pixels, free.shape)
    reach = int(np.ceil(GAP_PX + WIDEST * width_px))
    box = tuple(
        slice(max(0, int(place.min()) - reach), int(place.max()) + reach + 1) for place in places
    )
    outside = np.ones(free[box].shape, np.bool_)
    outside[tuple(place - part.start for place, part in zip(places, box, strict=True))] = False
    distance = distance_transform_edt(outside)
    inside = np.zeros(outside.shape, np.bool_)
    for times in range(1, WIDEST + 1):
        inside = free[box] & (distance > GAP_PX) & (distance <= GAP_PX + times * width_px)
        if inside.sum() >= MIN_PIXELS:
            break
    found = tuple(place + part.start for place, part in zip(np.nonzero(inside), box, strict=True))
    return np.asarray(np.ravel_multi_index(found, free.shape), np.int64)


def mean_traces(
    movie: Movie,
    masks: sparse.csc_array,
    *,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """Return the mean of the movie over each mask.

    Parameters
    ----------
    movie : Movie
        Read in blocks, once, or volumes that are too large once for every so many planes; values
        that are not finite are left out.
    masks : sparse array, (n_pixels, n_rois)
        Weights of the pixels, not negative, pixels in C order.
    threads : int
        Blocks worked on at once.
    memory_bytes : int
        Memory for blocks.
    progress : callable
        Told the frames done; may raise to cancel.

    Returns
    -------
    array, (n_rois, n_frames)
        NaN where a mask has no finite pixel.
    """
    n_rois = masks.shape[1]
    # as many whatever the threads: sums over other slabs have other bits
    slab_bytes = memory_bytes // SLABS if movie.is_volume else sys.maxsize
    slabs = slabs_of(movie, pixel_bytes=8 * COPIES, memory_bytes=slab_bytes)
    # the total of a mask, and how much of it was finite
    sums = scratch_array((2 * n_rois, movie.n_frames))
    for number, (pixels, slab) in enumerate(slabs):
        frame_bytes = 8 * COPIES * (pixels.stop - pixels.start)
        parts = map_blocks(
            _adder(masks, pixels),
            slab,
            frame_blocks(
                movie.n_frames, frame_bytes=frame_bytes, memory_bytes=memory_bytes // (threads + 1)
            ),
            threads=threads,
            phase="neuropil",
            progress=progress_of_several(progress, number, len(slabs)),
        )
        add_frames(sums, parts)
    return by_rows(_ratio, sums[:n_rois], sums[n_rois:])


def _adder(
    masks: sparse.csc_array, pixels: slice
) -> Callable[[slice, NDArray[np.generic]], NDArray[np.float64]]:
    """Return what adds up some of the pixels, ``(2 * n_rois, n_frames)``."""
    inside = (
        sparse.csc_array(masks[pixels]) if pixels.stop < masks.shape[0] or pixels.start else masks
    )
    by_roi = sparse.csr_array(inside.T).astype(np.float64)
    whole = by_roi @ np.ones((by_roi.shape[1], 1))

    def add(_: slice, block: NDArray[np.generic]) -> NDArray[np.float64]:
        flat = np.asarray(block, np.float64).reshape(len(block), -1).T
        finite = np.isfinite(flat)
        if finite.all():
            return np.concatenate([by_roi @ flat, np.broadcast_to(whole, (len(whole), len(block)))])
        return np.concatenate([by_roi @ np.where(finite, flat, 0), by_roi @ finite])

    return add


def _ratio(total: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean, NaN where nothing counts."""
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
