"""Motion correction of a whole movie, block by block."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_THREADS,
    Progress,
    map_blocks,
    no_progress,
)
from pipeline.checks import check_shape
from pipeline.motion.block import (
    Corrected,
    Correction,
    Writing,
    frame_limits,
    joined_corrections,
)
from pipeline.motion.memory import GROUP_FRAMES, WorkPlan, plan_work
from pipeline.motion.noise import neighbour_part
from pipeline.motion.output import Output, create_output, output_scale
from pipeline.motion.params import MotionParams, check_fits
from pipeline.motion.patches import Lengths
from pipeline.motion.quality import flag_shifts
from pipeline.motion.registration import Registration, Shifts, prepare_registration
from pipeline.motion.result import (
    MotionResult,
    border_px,
    judge,
    patches_px,
    rigid_px,
    trimmed,
)
from pipeline.motion.template import build_template
from pipeline.movie import Movie

UPDATE_FRAMES = 1024
"""Frames after which a template that follows the tissue is renewed; a whole number of blocks."""


def correct_motion(  # noqa: PLR0913 what is done, where, and the four resources of every step
    movie: Movie,
    params: MotionParams,
    *,
    out: Path,
    template: NDArray[Any] | None = None,
    registration_movie: Movie | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> MotionResult:
    """Register each frame of a movie to a template, and write the corrected movie.

    Parameters
    ----------
    movie : Movie
        Of whole or real numbers. All planes of a volume move together along rows and columns, and
        their correlations are summed before the peak is looked for; across planes, too, or each
        plane by itself, if the settings say so.
    params : MotionParams
        The settings.
    out : Path
        The Zarr array to write; must not exist yet.
    template : array, ([n_planes,] n_rows, n_cols), optional
        What to register to, such as the template of another recording of the same cells; without
        it, one is built from the movie.
    registration_movie : Movie, optional
        Another channel of the recording, in which the shifts are found, and on which the quality
        is judged; without it, the movie itself.
    threads : int
        Blocks worked on at once; the result has the same bits whatever their number.
    memory_bytes : int
        Memory for the work.
    progress : callable
        Called after each block; may raise to cancel, and ``out`` is then incomplete.

    Returns
    -------
    MotionResult
        The corrected movie, the shifts, the template and the quality.

    Raises
    ------
    ValueError
        If the frame is too small for the settings or too large for the memory, the pixels are not
        real numbers, or NaN is to be stored as a whole number.
    FileExistsError
        If ``out`` exists.

    Notes
    -----
    A pixel that is NaN or infinite counts as the mean of its frame when the shift is looked for,
    and makes NaN of the pixels around it, three away at most along each axis. A frame without
    contrast is not moved. A template that is built lies at the median place of the frames.

    Where edges are cropped, whole numbers written or shifts found in another channel, shifts, the
    width of the edges and the range of the values are found before the first frame is written,
    and the movie is read once more.

    References
    ----------
    Pnevmatikakis and Giovannucci, J. Neurosci. Methods 291, 83 (2017),
    doi:10.1016/j.jneumeth.2017.07.031.
    """
    seen = movie if registration_movie is None else registration_movie
    _check_movies(movie, seen)
    check_fits(params, movie.frame_shape)
    if out.exists():
        raise FileExistsError(f"{out} exists already; remove it, or write elsewhere.")
    plan = plan_work(movie, threads=threads, memory_bytes=memory_bytes)
    if template is None:
        image = build_template(seen, params, threads=plan.threads, progress=progress)
    else:
        image = _given_template(template, movie)
    registration = prepare_registration(image, params, neighbour_part=0)
    if registration.patches is not None:
        part = neighbour_part(seen, registration, threads=plan.threads, progress=progress)
        registration = prepare_registration(image, params, neighbour_part=part)
    work = partial(_work, plan, progress)
    at_once = seen is movie and not params.needs_survey
    output = _create(out, movie, plan, params) if at_once else None
    corrected = _corrected(work, seen, registration, output)
    if output is None:
        output = _create(out, movie, plan, params, corrected.shifts, work)
        writing = Writing(registration=registration, shifts=corrected.shifts, output=output)
        deque(work(movie, writing.write, "writing the corrected movie"), maxlen=0)
    return MotionResult(
        movie=replace(movie, source=output.frames, name=out.name, files=(out.resolve(),)),
        shifts_px=rigid_px(corrected.shifts, params),
        patch_shifts_px=patches_px(corrected.shifts, params),
        template=image.reshape(movie.frame_shape),
        quality=judge(
            corrected,
            params,
            cropped_px=output.cropped_px,
            step=min(GROUP_FRAMES, plan.block_frames),
        ),
    )


def _check_movies(movie: Movie, seen: Movie) -> None:
    """Refuse pixels that are not real numbers, and channels that do not belong together."""
    for each in (movie, seen):
        if each.dtype.kind not in "buif":
            raise ValueError(
                f"the pixels of {each.name} are {each.dtype}; motion correction takes whole or "
                "real numbers, so convert the movie first."
            )
    if movie.shape != seen.shape:
        raise ValueError(
            f"{seen.name}, in which the shifts are to be found, has shape {seen.shape}, but "
            f"{movie.name} has {movie.shape}; give two channels of one recording."
        )


def _given_template(template: NDArray[Any], movie: Movie) -> NDArray[np.float32]:
    """Return a template as it is used, or refuse one of another shape."""
    axes = ("n_planes", "n_rows", "n_cols")[-len(movie.frame_shape) :]
    check_shape("template", template.shape, axes)
    if template.shape != movie.frame_shape:
        raise ValueError(
            f"template has shape {template.shape}, but the frames of {movie.name} have "
            f"{movie.frame_shape}; give a template of the same part of the tissue."
        )
    return np.asarray(template, np.float32).reshape(-1, *template.shape[-2:])


def _work(
    plan: WorkPlan,
    progress: Progress,
    movie: Movie,
    function: Callable[[slice, NDArray[Any]], Any],
    phase: str,
    frames: range | None = None,
) -> Iterator[Any]:
    """Do something to every block, of the whole movie or of some frames on end."""
    span = range(movie.n_frames) if frames is None else frames
    starts = range(span.start, span.stop, plan.block_frames)
    blocks = [slice(start, min(start + plan.block_frames, span.stop)) for start in starts]

    def tell(phase: str, done: int, _: int) -> None:
        progress(phase, span.start + done, movie.n_frames)

    return map_blocks(function, movie, blocks, threads=plan.threads, phase=phase, progress=tell)


def _corrected(
    work: Callable[..., Any], movie: Movie, registration: Registration, output: Output | None
) -> Corrected:
    """Correct every block; where the template is to follow the tissue, stretch by stretch."""
    part = registration.params.template_update
    length = UPDATE_FRAMES if part else movie.n_frames
    stretches = []
    for start in range(0, movie.n_frames, length):
        frames = range(start, min(start + length, movie.n_frames))
        correction = Correction(registration=registration, output=output)
        parts = work(movie, correction.correct, "correcting motion", frames)
        stretches.append(joined_corrections(parts))
        if part and frames.stop < movie.n_frames:
            registration = _updated(registration, stretches[-1].means[1].mean(), part)
    return joined_corrections(stretches)


def _updated(registration: Registration, mean: NDArray[np.float64], part: float) -> Registration:
    """Mix the mean of corrected frames into the template, where every frame has content."""
    template = registration.template.copy()
    inner = tuple(slice(width, -width or None) for width in registration.margin_px)
    known = np.where(np.isfinite(mean), mean, template[inner])
    template[inner] += part * (known - template[inner])
    patches = registration.patches
    part = patches.neighbours.part if patches else 0.0
    return prepare_registration(template, registration.params, neighbour_part=part)


def _create(
    out: Path,
    movie: Movie,
    plan: WorkPlan,
    params: MotionParams,
    shifts: Shifts | None = None,
    work: Callable[..., Any] | None = None,
) -> Output:
    """Create the array; what is cropped and the range of its numbers come from a survey."""
    cropped_px, scale = (0, 0, 0), None
    if shifts is not None and params.border == "crop":
        flags = flag_shifts(trimmed(shifts.rigid_px, params), shifts.flat, params.max_shift_px)
        cropped_px = border_px(shifts, flags)
        _check_something_left(cropped_px, movie)
    if work is not None and params.dtype != "float32":
        limits = np.concatenate(list(work(movie, frame_limits, "finding the range of values")))
        scale = output_scale(params.dtype, limits)
    return create_output(
        out,
        movie,
        chunk_frames=plan.block_frames,
        dtype=params.dtype,
        scale=scale,
        cropped_px=cropped_px,
    )


def _check_something_left(cropped_px: Lengths, movie: Movie) -> None:
    """Refuse to crop a whole frame away."""
    widths = cropped_px[-len(movie.frame_shape) :]
    if any(2 * width >= n for width, n in zip(widths, movie.frame_shape, strict=True)):
        raise ValueError(
            f"shifts up to {max(widths)} pixels leave nothing of the frame of {movie.name}; "
            "set border to 'copy' or 'nan', or lower max_shift_px or max_deviation_px."
        )
