"""Settings of motion correction, and what they demand of a movie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.checks import check_in_range, check_one_of

MODES = ("piecewise", "rigid")
BORDERS = ("copy", "nan", "crop")
DTYPES = ("float32", "uint16", "int16")
AXES = ("rows", "columns")
MIN_CORE_PX = 8
"""Least width of the part of a patch (or frame) that is compared at every shift allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionParams:
    """Settings of motion correction.

    Raises
    ------
    ValueError
        If a value is out of its range.
    TypeError
        If a number that must be whole is not.
    """

    mode: str = "piecewise"
    """'rigid' for one shift a frame, 'piecewise' for one shift a patch, joined smoothly."""

    max_shift_px: tuple[int, int] = (12, 12)
    """Largest rigid shift looked for along rows and columns, in pixels."""

    stride_px: tuple[int, int] = (48, 48)
    """Distance between neighbouring patches along rows and columns, in pixels."""

    overlap_px: tuple[int, int] = (24, 24)
    """How far neighbouring patches overlap, in pixels; a patch measures stride plus overlap."""

    max_deviation_px: float = 3.0
    """Largest deviation of a patch from the rigid shift along an axis, in pixels."""

    highpass_gsig_px: float | None = None
    """Radius of a cell, in pixels, for one-photon movies, where it removes the smooth glow before
    the comparison (not from the result); None or 0 for two-photon movies."""

    iterations: int = 2
    """How often the template is registered to itself and averaged again."""

    upsampling: int = 4
    """Steps a pixel on which the correlation is computed around its peak, before a parabola."""

    border: str = "copy"
    """Edges where a frame may have no content: 'copy' repeats the nearest pixel, 'nan' marks them,
    'crop' cuts them off the whole movie."""

    dtype: str = "float32"
    """Type of the stored pixels. 'uint16' and 'int16' take half the space: the range of the
    movie's values is spread over the whole numbers, and the scale is stored with them."""

    def __post_init__(self) -> None:
        check_one_of("mode", self.mode, MODES)
        check_one_of("border", self.border, BORDERS)
        check_one_of("dtype", self.dtype, DTYPES)
        if self.border == "nan" and self.dtype != "float32":
            raise ValueError(
                f"border 'nan' cannot be stored as {self.dtype}; "
                "set dtype to 'float32', or border to 'copy' or 'crop'."
            )
        _check_pair("max_shift_px", self.max_shift_px, 1, 1000)
        _check_pair("stride_px", self.stride_px, 8, 10_000)
        _check_pair("overlap_px", self.overlap_px, 0, 10_000)
        check_in_range("max_deviation_px", self.max_deviation_px, 0, 100)
        check_in_range("highpass_gsig_px", self.highpass_gsig_px or 0, 0, 100)
        _check_whole("iterations", self.iterations, 1, 10)
        _check_whole("upsampling", self.upsampling, 1, 100)

    @classmethod
    def from_caiman(cls, values: Mapping[str, Any]) -> "MotionParams":
        """Take the settings of CaImAn's ``MotionCorrect``, or Mesmerize's ``mc_kwargs``.

        ======================= =======================================================
        ``pw_rigid``            ``mode``; 'piecewise' if not given, as in Mesmerize
        ``max_shifts``          ``max_shift_px``
        ``strides``             ``stride_px``
        ``overlaps``            ``overlap_px``
        ``max_deviation_rigid`` ``max_deviation_px``
        ``gSig_filt``           ``highpass_gsig_px``, one number for both axes
        ``niter_rig``           ``iterations``: as many, and one more if piecewise
        ``border_nan``          ``border``: True is 'nan', False and 'copy' are 'copy'
        ======================= =======================================================

        What says how the work is cut and run, and how shifts are joined and undone, means nothing
        here and is passed over: `WITHOUT_MEANING`.

        Parameters
        ----------
        values : mapping
            Names and values; what is missing takes its default here.

        Raises
        ------
        ValueError
            If a name is unknown, or a value has no equal here.

        Examples
        --------
        >>> MotionParams.from_caiman({"max_shifts": (6, 6), "gSig_filt": None}).max_shift_px
        (6, 6)
        """
        unknown = sorted(set(values) - set(FROM_CAIMAN) - WITHOUT_MEANING)
        if unknown:
            raise ValueError(
                f"unknown parameter {unknown[0]!r} of CaImAn's motion correction; "
                f"known are: {', '.join(sorted(set(FROM_CAIMAN) | WITHOUT_MEANING))}."
            )
        taken = {
            FROM_CAIMAN[name][0]: FROM_CAIMAN[name][1](name, value)
            for name, value in values.items()
            if name in FROM_CAIMAN
        }
        if taken.get("mode", "piecewise") == "piecewise" and "iterations" in taken:
            taken["iterations"] += 1
        return cls(**taken)

    @property
    def needs_survey(self) -> bool:
        """Whether shifts or values of all frames must be known before the first is written."""
        return self.border == "crop" or self.dtype != "float32"

    @property
    def patch_px(self) -> tuple[int, int]:
        """Height and width of a patch."""
        rows, cols = zip(self.stride_px, self.overlap_px, strict=True)
        return sum(rows), sum(cols)


def _mode(_: str, is_piecewise: bool) -> str:  # noqa: FBT001 one value of many
    """Read ``pw_rigid``."""
    return "piecewise" if is_piecewise else "rigid"


def _pair(name: str, value: Any) -> tuple[int, int]:
    """Read a number for each axis, or one for both."""
    rows, cols = value if isinstance(value, Sequence) and len(value) == len(AXES) else (value,) * 2
    if not all(isinstance(each, int | np.integer) for each in (rows, cols)):
        raise ValueError(
            f"{name} must be two whole numbers, for rows and columns; got {value!r}. "
            "Planes of a volume move together here: leave theirs out."
        )
    return int(rows), int(cols)


def _gsig(name: str, value: Any) -> float | None:
    """Read ``gSig_filt``; nothing and 0 mean no filter."""
    distinct = {float(each) for each in np.ravel(0 if value is None else value)}
    if len(distinct) != 1:
        raise ValueError(f"{name} must be the same for rows and columns; got {value!r}.")
    return distinct.pop() or None


def _border(name: str, value: Any) -> str:
    """Read ``border_nan``."""
    for known, border in ((True, "nan"), (False, "copy"), ("copy", "copy")):
        if value is known or (isinstance(value, str) and value == known):
            return border
    raise ValueError(
        f"{name} must be True, False or 'copy'; got {value!r}, which has no equal here."
    )


FROM_CAIMAN: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "pw_rigid": ("mode", _mode),
    "max_shifts": ("max_shift_px", _pair),
    "strides": ("stride_px", _pair),
    "overlaps": ("overlap_px", _pair),
    "max_deviation_rigid": ("max_deviation_px", lambda _, value: value),
    "gSig_filt": ("highpass_gsig_px", _gsig),
    "niter_rig": ("iterations", lambda _, value: value),
    "border_nan": ("border", _border),
}
"""Name in CaImAn: name here, and how the value is read."""

WITHOUT_MEANING = frozenset(
    {
        "splits_rig",
        "splits_els",
        "num_splits_to_process_rig",
        "num_splits_to_process_els",
        "num_frames_split",
        "upsample_factor_grid",
        "upsample_factor_fft",
        "shifts_opencv",
        "shifts_interpolate",
        "nonneg_movie",
        "min_mov",
        "use_cuda",
        "use_conda",
        "var_name_hdf5",
        "dview",
        "is3D",
    }
)
"""Settings of CaImAn that say how the work is cut and run, not what it finds."""


def check_fits(params: MotionParams, frame_shape: Sequence[int]) -> None:
    """Refuse settings that ask more than a frame can give.

    Raises
    ------
    ValueError
        If the frame is too small for the shift or the patch, or the patch for the deviation.
    """
    for axis, name in enumerate(AXES):
        length = frame_shape[axis - 2]
        shift_px = params.max_shift_px[axis]
        if length < 2 * shift_px + MIN_CORE_PX:
            raise ValueError(
                f"max_shift_px = {shift_px} is too large for a frame of {length} {name}; "
                f"lower it to at most {(length - MIN_CORE_PX) // 2}."
            )
        if params.mode == "piecewise":
            _check_patch(params, axis, length)


def _check_patch(params: MotionParams, axis: int, length: int) -> None:
    """Refuse a patch larger than the frame, or too small for the deviation looked for."""
    patch_px, name = params.patch_px[axis], AXES[axis]
    if patch_px > length:
        raise ValueError(
            f"a patch of stride_px + overlap_px = {params.stride_px[axis]} + "
            f"{params.overlap_px[axis]} = {patch_px} {name} is larger than the frame of {length}; "
            "lower stride_px or overlap_px, or set mode to 'rigid'."
        )
    if patch_px < 2 * params.max_deviation_px + MIN_CORE_PX:
        raise ValueError(
            f"max_deviation_px = {params.max_deviation_px} is too large for a patch of {patch_px} "
            f"{name}; lower it to at most {(patch_px - MIN_CORE_PX) / 2:g}, or enlarge stride_px."
        )


def _check_pair(name: str, values: tuple[int, int], low: int, high: int) -> None:
    """Refuse anything but two whole numbers in a range."""
    if not isinstance(values, tuple) or len(values) != len(AXES):
        raise ValueError(f"{name} must be two numbers, for rows and columns; got {values!r}.")
    for value, axis in zip(values, AXES, strict=True):
        _check_whole(f"{name} along {axis}", value, low, high)


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    """Refuse anything but a whole number in a range."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}.")
    check_in_range(name, value, low, high)
