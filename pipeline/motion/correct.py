"""Motion correction of a whole movie, block by block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
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
    FrameWork,
    Survey,
    joined_corrections,
    joined_surveys,
)
from pipeline.motion.memory import GROUP_FRAMES, WorkPlan, plan_work
from pipeline.motion.output import Output, create_output, output_scale
from pipeline.motion.params import MotionParams, check_fits
from pipeline.motion.quality import MotionQuality, flag_outliers, flag_shifts
from pipeline.motion.registration import Registration, Shifts, prepare_registration
from pipeline.motion.resample import NEGLIGIBLE_PX
from pipeline.motion.similarity import crispness
from pipeline.motion.template import build_template
from pipeline.movie import Movie


@dataclass(frozen=True, kw_only=True)
class MotionResult:
    """A corrected movie, and how its frames had moved."""

    movie: Movie
    """The corrected movie, float32, read from the Zarr array where it is asked for."""

    shifts_px: NDArray[np.float32]
    """How far each frame lay from the template, ``(n_frames, 2)``, rows first; in piecewise mode
    the mean over its pixels."""

    patch_shifts_px: NDArray[np.float32] | None
    """The same of each patch, rigid shift included, ``(n_frames, n_patch_rows, n_patch_cols, 2)``;
    None in rigid mode."""

    template: NDArray[np.float32]
    """What frames were registered to, ``([n_planes,] n_rows, n_cols)``, edges included."""

    quality: MotionQuality
    """Whether it did any good."""


def correct_motion(  # noqa: PLR0913 what is done, where, and the four resources of every step
    movie: Movie,
    params: MotionParams,
    *,
    out: Path,
    template: NDArray[Any] | None = None,
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
    template : array, ([n_planes,] n_rows, n_cols), optional
        What to register to, such as the template of another recording of the same cells; without
        it, one is built from the movie.
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

    Where edges are cropped or whole numbers written, the movie is read twice: the width of the
    edges and the range of the values must be known before the first frame is written.

    References
    ----------
    Pnevmatikakis and Giovannucci, J. Neurosci. Methods 291, 83 (2017),
    doi:10.1016/j.jneumeth.2017.07.031.
    """
    _check_real(movie)
    check_fits(params, movie.frame_shape)
    if out.exists():
        raise FileExistsError(f"{out} exists already; remove it, or write elsewhere.")
    plan = plan_work(movie, threads=threads, memory_bytes=memory_bytes)
    if template is None:
        image = build_template(movie, params, threads=plan.threads, progress=progress)
    else:
        image = _given_template(template, movie)
    registration = prepare_registration(image, params)
    work = partial(_work, movie, plan, progress)
    surveyed = _survey(work, registration) if params.needs_survey else None
    output = _create(out, movie, plan, params, surveyed)
    frame_work = FrameWork(
        registration=registration, known=surveyed and surveyed.shifts, output=output
    )
    corrected = joined_corrections(work(frame_work.correct, "correcting motion"))
    return MotionResult(
        movie=replace(movie, source=output.frames, name=out.name, files=(out.resolve(),)),
        shifts_px=corrected.shifts.rigid_px,
        patch_shifts_px=None if params.mode == "rigid" else corrected.shifts.patches_px,
        template=image.reshape(movie.frame_shape),
        quality=_judge(corrected, output, params, step=min(GROUP_FRAMES, plan.block_frames)),
    )


def _check_real(movie: Movie) -> None:
    """Refuse pixels that are not real numbers."""
    if movie.dtype.kind not in "buif":
        raise ValueError(
            f"the pixels of {movie.name} are {movie.dtype}; motion correction takes whole or "
            "real numbers, so convert the movie first."
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
    movie: Movie,
    plan: WorkPlan,
    progress: Progress,
    function: Callable[[slice, NDArray[Any]], Any],
    phase: str,
) -> Iterator[Any]:
    """Do something to every block."""
    starts = range(0, movie.n_frames, plan.block_frames)
    blocks = [slice(start, min(start + plan.block_frames, movie.n_frames)) for start in starts]
    return map_blocks(function, movie, blocks, threads=plan.threads, phase=phase, progress=progress)


def _survey(work: Callable[..., Any], registration: Registration) -> Survey:
    """Find the shifts and the range of the values."""
    frame_work = FrameWork(registration=registration, known=None, output=None)
    return joined_surveys(work(frame_work.survey, "finding shifts"))


def _create(
    out: Path, movie: Movie, plan: WorkPlan, params: MotionParams, surveyed: Survey | None
) -> Output:
    """Create the array that fits what was surveyed."""
    create = partial(
        create_output, out, movie.shape, chunk_frames=plan.block_frames, dtype=params.dtype
    )
    if surveyed is None:
        return create(scale=None, cropped_px=0)
    cropped_px = 0
    if params.border == "crop":
        flags = flag_shifts(
            surveyed.shifts.rigid_px, surveyed.shifts.flat, max_shift_px=params.max_shift_px
        )
        cropped_px = _border_px(_largest(surveyed.shifts, flags))
        if 2 * cropped_px >= min(movie.shape[-2:]):
            raise ValueError(
                f"shifts up to {cropped_px} pixels leave nothing of the frame of {movie.name}; "
                "set border to 'copy' or 'nan', or lower max_shift_px or max_deviation_px."
            )
    return create(scale=output_scale(params.dtype, surveyed.limits), cropped_px=cropped_px)


def _largest(shifts: Shifts, flags: NDArray[np.uint8]) -> float:
    """Return the largest shift along an axis of a frame or patch that is of use."""
    return float(np.abs(shifts.patches_px[flags == 0]).max(initial=0.0))


def _border_px(largest_px: float) -> int:
    """Return the width of the edge that a shift empties."""
    return max(ceil(largest_px - NEGLIGIBLE_PX), 0)


def _judge(
    corrected: Corrected, output: Output, params: MotionParams, *, step: int
) -> MotionQuality:
    """Compare before and after."""
    shifts, correlations = corrected.shifts, corrected.correlations
    flags = flag_shifts(shifts.rigid_px, shifts.flat, max_shift_px=params.max_shift_px)
    flags = flag_outliers(shifts.rigid_px, correlations[:, 1], flags)
    before, after = (crispness(mean.mean()) for mean in corrected.means)
    largest = _largest(shifts, flags)
    # the first frame of each group was registered again
    again = flags[::step] == 0
    return MotionQuality(
        correlation_before=correlations[:, 0],
        correlation_after=correlations[:, 1],
        flags=flags,
        crispness_before=before,
        crispness_after=after,
        residual_px=_rms(corrected.residual.rigid_px[again]),
        residual_patch_px=_rms(corrected.residual.patches_px[again]),
        largest_shift_px=largest,
        border_px=max(_border_px(largest) - output.cropped_px, 0),
        cropped_px=output.cropped_px,
    )


def _rms(values: NDArray[np.float32]) -> float:
    """Return the root of the mean square, 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
