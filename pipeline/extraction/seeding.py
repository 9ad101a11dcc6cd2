"""Where the cells are: seeds in a small movie, found in rounds on what is not yet explained."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import maximum_filter

from pipeline.blocks import Progress, no_progress
from pipeline.extraction.background import find_blocks, median_courses, without_noise
from pipeline.extraction.blobs import noise_of, seed_images
from pipeline.extraction.deconvolution import slow_basis
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import chosen_rows
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.processes import find_processes
from pipeline.extraction.spatial import dilated, from_columns, update_footprints
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Grid, Survey
from pipeline.extraction.temporal import above_median, update_traces
from pipeline.movie import Movie
from pipeline.scratch import by_rows, scratch_array, some_rows

MAX_ROUNDS = 5
FIRST_BLOCK_GSIGS = 3.0
"""Side of a block of background before cells are known, in half-sizes of a cell."""

MIN_NEW_FRACTION = 0.2
"""Least peak of a new cell, relative to that of a known cell in the same place."""

LOCAL_STEPS = 5
LOCAL_GSIGS = 2.0
LOCAL_MIN_WEIGHT = 0.2
TINY = 1e-30


class Seeds(NamedTuple):
    """What is found in the small movie."""

    footprints: sparse.csc_array
    """``(n_small_pixels, n_rois)``."""

    calcium: NDArray[np.float32]
    """``(n_rois, n_bins)``."""


def find_seeds(
    survey: Survey, params: CnmfParams, *, threads: int, memory_bytes: int, progress: Progress
) -> Seeds:
    """Find cells in the small movie until none is left above the thresholds."""
    field = small_field(survey, params)
    stream = Stream(
        movie=Movie(source=survey.small.reshape(-1, *field.frame_shape)),
        fill=None,
        kept=np.ones(len(survey.small), np.bool_),
        threads=threads,
        memory_bytes=memory_bytes,
        progress=no_progress,
    )
    noise = noise_of(survey.small, threads=threads)
    decay_bins = survey.grid.decay_bins
    seeds = Seeds(
        sparse.csc_array((field.usable.size, 0), dtype=np.float32),
        np.empty((0, len(survey.small)), np.float32),
    )
    for done in range(MAX_ROUNDS):
        progress("finding cells", done, MAX_ROUNDS)
        rest = _unexplained(survey.small, seeds, field, params.gnb, decay_bins)
        seek = _process_round if params.of_processes else _seed_round
        found = seek(rest, _peaks(seeds, field), field, params, threads=threads)
        if not len(found.calcium):
            break
        seeds = _refined(_joined(seeds, found), stream, field, params, noise=noise)
    progress("finding cells", MAX_ROUNDS, MAX_ROUNDS)
    return seeds


def small_field(survey: Survey, params: CnmfParams) -> Field:
    """Return the field of view of the small movie; a pixel counts if a usable one lies in it."""
    grid = survey.grid
    count = np.bincount(grid.cell_of_pixel[survey.usable], minlength=math.prod(grid.shape))
    sizes = zip(params.half_sizes_px, grid.bin_px, strict=True)
    return Field(grid.shape, count > 0, tuple(gsig_px / width for gsig_px, width in sizes))


def enlarged(footprints: sparse.csc_array, grid: Grid) -> sparse.csc_array:
    """Return footprints of the small movie on the pixels of the movie."""
    return sparse.csc_array(footprints.tocsr()[grid.cell_of_pixel])


def stretched(
    calcium: NDArray[np.float32], *, bin_frames: int, n_frames: int
) -> NDArray[np.float32]:
    """Return traces of bins at each frame, ``(n_rois, n_frames)``, interpolated."""
    centres = (np.arange(calcium.shape[1]) + 0.5) * bin_frames - 0.5
    frames = np.arange(n_frames)
    traces = scratch_array((len(calcium), n_frames))
    for rows in some_rows(traces):
        traces[rows] = [np.interp(frames, centres, trace) for trace in calcium[rows]]
    return traces


def averaged(
    traces: NDArray[np.float32], *, kept: NDArray[np.bool_], bin_frames: int
) -> NDArray[np.float32]:
    """Return traces of the kept frames as means over bins of frames, 0 where none is kept.

    Parameters
    ----------
    traces : array, (n_rois, n_kept)
        Of the kept frames.
    kept : array, (n_frames,)
        Which frames they are.
    bin_frames : int
        Frames of a bin; the last may be shorter.

    Returns
    -------
    array, (n_rois, n_bins)
        The means.
    """
    bin_ = np.flatnonzero(kept) // bin_frames
    n_bins = -(-kept.size // bin_frames)
    count = np.bincount(bin_, minlength=n_bins)
    places = np.arange(bin_.size), bin_
    weights = (1 / count[bin_]).astype(np.float32)
    share = sparse.csr_array((weights, places), shape=(bin_.size, n_bins))
    return by_rows(lambda some: some @ share, traces, n_columns=n_bins)


def _unexplained(
    small: NDArray[np.float32], seeds: Seeds, field: Field, gnb: int | None, decay_bins: float
) -> NDArray[np.float32]:
    """Return the small movie without the cells found so far and the background."""
    rest = small - (seeds.footprints @ seeds.calcium).T
    basis = slow_basis(len(rest), decay_bins).astype(np.float32)
    rest -= basis.T @ (basis @ rest)
    if len(seeds.calcium):
        blocks = find_blocks(seeds.footprints, field)
        courses = (blocks.average.at().T @ rest.T).astype(np.float32)
    else:  # cells that are not known yet must not pass for background
        blocks = find_blocks(seeds.footprints, field, gsigs=FIRST_BLOCK_GSIGS)
        courses = median_courses(rest, blocks)
    rest -= (blocks.spread.at() @ without_noise(courses, gnb)).T
    return np.where(field.usable, rest, np.float32(0))


def _peaks(seeds: Seeds, field: Field) -> NDArray[np.float32]:
    """Return the highest value that a known cell reaches at each pixel, ``(n_rows, n_cols)``."""
    known = np.zeros(field.usable.size, np.float32)
    top = seeds.footprints @ sparse.diags_array(seeds.calcium.max(axis=1, initial=0))
    entries = sparse.coo_array(top)
    np.maximum.at(known, entries.row, entries.data)
    return known.reshape(field.frame_shape)


def _seed_round(
    rest: NDArray[np.float32],
    known: NDArray[np.float32],
    field: Field,
    params: CnmfParams,
    *,
    threads: int,
) -> Seeds:
    """Take every local maximum above the thresholds as a cell, unless a known one accounts for it.

    What a bright cell leaves where its shape does not quite fit is small beside the cell.
    """
    images = seed_images(rest, field, threads=threads)
    score = images.corr * images.pnr
    size = [2 * max(1, round(gsig_px)) + 1 for gsig_px in field.gsig_px]
    good = (images.corr >= params.min_corr) & (images.pnr >= params.min_pnr)
    good &= field.usable.reshape(field.frame_shape)
    good &= images.peak >= MIN_NEW_FRACTION * known
    peaks = np.argwhere(good & (score == maximum_filter(score, size)))
    cells = [_local_cell(rest, images.filtered, peak, field) for peak in peaks]
    cells = [cell for cell in cells if cell[0][0].size]  # the filter may peak beside the light
    traces = np.array([trace for _, trace in cells], np.float32).reshape(-1, len(rest))
    return Seeds(from_columns([column for column, _ in cells], field.usable.size), traces)


def _process_round(
    rest: NDArray[np.float32],
    known: NDArray[np.float32],
    field: Field,
    params: CnmfParams,
    *,
    threads: int,
) -> Seeds:
    """Take everything that moves in time as one, whatever its shape."""
    found = find_processes(rest, known, field, params, threads=threads)
    courses = np.array([process.course for process in found], np.float32).reshape(-1, len(rest))
    columns = [(process.pixels, process.weights) for process in found]
    return Seeds(from_columns(columns, field.usable.size), courses)


def _local_cell(
    rest: NDArray[np.float32],
    filtered: NDArray[np.float32],
    peak: NDArray[np.int64],
    field: Field,
) -> tuple[tuple[NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32]]:
    """Return pixels with weights, and the trace, that explain most of the movie around a peak."""
    pixels = _pixels_near(peak, field)
    patch = rest[:, pixels]
    trace = np.maximum(filtered[:, *peak], 0)
    weights = np.zeros(pixels.size, np.float32)
    for _ in range(LOCAL_STEPS):
        weights = np.maximum(trace @ patch / max(float(trace @ trace), TINY), 0)
        trace = np.maximum(patch @ weights / max(float(weights @ weights), TINY), 0)
    bright = weights > LOCAL_MIN_WEIGHT * weights.max()
    return (pixels[bright], weights[bright]), trace


def _pixels_near(peak: NDArray[np.int64], field: Field) -> NDArray[np.int64]:
    """Return the pixels within the size of a cell, in order."""
    along = [
        np.arange(max(0, math.floor(at - reach)), min(length, math.ceil(at + reach) + 1))
        for at, reach, length in zip(
            peak, LOCAL_GSIGS * np.array(field.gsig_px), field.frame_shape, strict=True
        )
    ]
    places = np.meshgrid(*along, indexing="ij")
    scaled = [(p - at) / gsig for p, at, gsig in zip(places, peak, field.gsig_px, strict=True)]
    near = np.sqrt(np.square(scaled).sum(axis=0)) <= LOCAL_GSIGS
    chosen = [place[near] for place in places]
    return np.asarray(np.ravel_multi_index(chosen, field.frame_shape), np.int64)


def _joined(one: Seeds, other: Seeds) -> Seeds:
    """Return the cells of both."""
    return Seeds(
        sparse.csc_array(sparse.hstack([one.footprints, other.footprints])),
        np.concatenate([one.calcium, other.calcium]),
    )


def _refined(
    seeds: Seeds, stream: Stream, field: Field, params: CnmfParams, *, noise: NDArray[np.float32]
) -> Seeds:
    """Fit all cells together, so that what they explain is not found again."""
    traces = update_traces(stream, *seeds, field=field, gnb=params.gnb, denoise=above_median)
    support = dilated(seeds.footprints, field)
    footprints, calcium = update_footprints(
        stream,
        support,
        traces.calcium,
        traces.courses,
        noise=noise,
        in_pieces=params.of_processes,
    )
    alive = np.diff(footprints.indptr) > 0
    return Seeds(sparse.csc_array(footprints[:, alive]), chosen_rows(calcium, alive))
