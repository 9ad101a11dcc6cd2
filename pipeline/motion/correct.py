"""Motion correction of a whole movie, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from zarr.codecs import BloscCodec

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    frame_blocks,
    map_blocks,
    no_progress,
)
from pipeline.motion.params import MotionParams, check_fits
from pipeline.motion.quality import MotionQuality, correlation, crispness, mean_of_nothing
from pipeline.motion.registration import Registration, as_planes, prepare_registration
from pipeline.motion.resample import resample
from pipeline.motion.template import build_template
from pipeline.movie import Movie

CHUNK_FRAMES = 64
CHUNK_PX = 128
SCRATCH_COPIES = 16
"""Float32 copies of a frame that the work on one frame takes: patches, spectra, coordinates."""

KEPT_COPIES = 24
"""Float32 copies of a frame kept all the time: templates, their spectra, means."""


@dataclass(frozen=True, kw_only=True)
class MotionResult:
    """A corrected movie, and how its frames had moved."""

    movie: Movie
    """The corrected movie, float32, read from the Zarr array where it is asked for."""

    shifts_px: NDArray[np.float32]
    """How far each frame lay from the template, ``(n_frames, 2)``, rows first."""

    patch_shifts_px: NDArray[np.float32] | None
    """The same of each patch, rigid shift included, ``(n_frames, n_patch_rows, n_patch_cols, 2)``;
    None in rigid mode."""

    template: NDArray[np.float32]
    """What frames were registered to, ``([n_planes,] n_rows, n_cols)``."""

    quality: MotionQuality
    """Whether it did any good."""


class Measured(NamedTuple):
    """What is known of the motion of some frames."""

    shifts_px: NDArray[np.float32]
    """``(n_frames, 2)``."""

    patch_shifts_px: NDArray[np.float32] | None
    """``(n_frames, n_patch_rows, n_patch_cols, 2)``; None in rigid mode."""

    correlations: NDArray[np.float32]
    """With the template, before and after, ``(n_frames, 2)``."""


class CorrectedBlock(NamedTuple):
    """Some frames before and after, ``(n_frames, n_planes, n_rows, n_cols)``."""

    recorded: NDArray[np.float32]
    """As they came."""

    corrected: NDArray[np.float32]
    """Where they belong."""

    measured: Measured
    """How they had moved."""


def correct_motion(
    movie: Movie,
    params: MotionParams,
    *,
    out: Path,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> MotionResult:
    """Register each frame of a movie to a template, and write the corrected movie.

    Parameters
    ----------
    movie : Movie
        Of whole or real numbers; all planes of a volume move together along rows and columns, and
        their correlations are summed before the peak is looked for.
    params : MotionParams
        The settings.
    out : Path
        The Zarr array to write; must not exist yet.
    threads : int
        Blocks worked on at once; the result has the same bits whatever their number.
    memory_bytes : int
        Memory for the work, though never less than that on a single frame takes.
    progress : callable
        Called after each block; may raise to cancel, and ``out`` is then incomplete.

    Returns
    -------
    MotionResult
        The corrected movie, the shifts, the template and the quality.

    Raises
    ------
    ValueError
        If the frame is too small for the settings, or the pixels are not real numbers.
    FileExistsError
        If ``out`` exists.

    Notes
    -----
    A pixel that is NaN counts as the mean of its frame when the shift is looked for, and makes
    NaN of the pixels around it, four away at most. A frame without contrast is not moved.
    The template is arbitrary by a shift: only differences between frames are measured.

    References
    ----------
    Pnevmatikakis and Giovannucci, J. Neurosci. Methods 291, 83 (2017),
    doi:10.1016/j.jneumeth.2017.07.031.
    """
    _check_real(movie)
    check_fits(params, movie.frame_shape)
    if out.exists():
        raise FileExistsError(f"{out} exists already; remove it, or write elsewhere.")
    # BLAS threads of their own would fight with the threads that work on blocks
    with threadpool_limits(limits=1, user_api="blas"):
        template = build_template(movie, params, threads=threads, progress=progress)
        registration = prepare_registration(template, params)
        blocks = _plan_blocks(movie, threads=threads, memory_bytes=memory_bytes)
        array = create_array(out, movie.shape, chunk_frames=blocks[0].stop)
        correct = partial(_correct_block, registration=registration)
        corrected = map_blocks(
            correct, movie, blocks, threads=threads, phase="correcting motion", progress=progress
        )
        measured, means = _write(corrected, array, registration)
    return MotionResult(
        movie=replace(movie, source=array, name=out.name),
        shifts_px=measured.shifts_px,
        patch_shifts_px=measured.patch_shifts_px,
        template=template.reshape(movie.frame_shape),
        quality=_judge(measured, means),
    )


def create_array(out: Path, shape: tuple[int, ...], *, chunk_frames: int) -> Any:
    """Create the Zarr array of a corrected movie, compressed fast.

    A chunk is some frames long, so that frames come quickly one after the other, and a part of
    the frame wide, so that the course of a patch in time comes without the rest of the frame.
    """
    tile = tuple(min(length, CHUNK_PX) for length in shape[-2:])
    return zarr.create_array(
        store=out,
        shape=shape,
        chunks=(chunk_frames, *(1 for _ in shape[1:-2]), *tile),
        dtype="float32",
        compressors=BloscCodec(cname="lz4", clevel=1, shuffle="shuffle", typesize=4),
    )


def _check_real(movie: Movie) -> None:
    """Refuse pixels that are not real numbers."""
    if movie.dtype.kind not in "buif":
        raise ValueError(
            f"the pixels of {movie.name} are {movie.dtype}; motion correction takes whole or "
            "real numbers, so convert the movie first."
        )


def _plan_blocks(movie: Movie, *, threads: int, memory_bytes: int) -> list[slice]:
    """Cut the movie into blocks of one chunk each."""
    plane_bytes = 4 * int(np.prod(movie.frame_shape))
    left_bytes = memory_bytes - (KEPT_COPIES + threads * SCRATCH_COPIES) * plane_bytes
    # a frame of a block is there as read, as float32, corrected, and on its way to the disk
    frame_bytes = movie.frame_bytes + 3 * plane_bytes
    most_bytes = CHUNK_FRAMES * frame_bytes
    return frame_blocks(
        movie.n_frames,
        frame_bytes=frame_bytes,
        memory_bytes=min(most_bytes, max(left_bytes, 0) // (threads + 1)),
    )


def _correct_block(_: slice, frames: NDArray[Any], *, registration: Registration) -> CorrectedBlock:
    """Find the shift of each frame and undo it."""
    recorded = np.stack([as_planes(frame) for frame in frames])
    corrected = np.empty_like(recorded)
    shifts = []
    for frame, target in zip(recorded, corrected, strict=True):
        shift = registration.locate(frame)
        target[:] = resample(
            frame, registration.displacement_px(shift), border=registration.params.border
        )
        shifts.append(shift)
    patches = [shift.patches_px for shift in shifts if shift.patches_px is not None]
    core = registration.core
    template = registration.template[core]
    correlations = [
        [correlation(before[core], template), correlation(after[core], template)]
        for before, after in zip(recorded, corrected, strict=True)
    ]
    measured = Measured(
        np.stack([shift.rigid_px for shift in shifts]),
        np.stack(patches) if patches else None,
        np.array(correlations, np.float32),
    )
    return CorrectedBlock(recorded, corrected, measured)


def _write(
    blocks: Iterator[CorrectedBlock], array: Any, registration: Registration
) -> tuple[Measured, list[NDArray[np.float64]]]:
    """Write the corrected frames; return all that was measured, and the means before and after."""
    measured: list[Measured] = []
    core = registration.core
    means = [mean_of_nothing(registration.template[core].shape) for _ in range(2)]
    start = 0
    for block in blocks:
        stop = start + len(block.corrected)
        array[start:stop] = block.corrected.reshape(-1, *array.shape[1:])
        for before, after in zip(block.recorded, block.corrected, strict=True):
            means[0].add(before[core])
            means[1].add(after[core])
        measured.append(block.measured)
        start = stop
    return _joined(measured), [mean.mean() for mean in means]


def _joined(parts: list[Measured]) -> Measured:
    """Put what was measured on blocks one after the other."""
    shifts, patches, correlations = zip(*parts, strict=True)
    return Measured(
        np.concatenate(shifts),
        None if patches[0] is None else np.concatenate(patches),
        np.concatenate(correlations),
    )


def _judge(measured: Measured, means: list[NDArray[np.float64]]) -> MotionQuality:
    """Compare before and after."""
    total = measured.shifts_px if measured.patch_shifts_px is None else measured.patch_shifts_px
    largest = float(np.abs(total).max())
    return MotionQuality(
        correlation_before=measured.correlations[:, 0],
        correlation_after=measured.correlations[:, 1],
        crispness_before=crispness(means[0]),
        crispness_after=crispness(means[1]),
        largest_shift_px=largest,
        border_px=ceil(largest),
    )
