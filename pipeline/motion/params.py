"""Settings of motion correction, and what they demand of a movie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from pipeline.checks import check_in_range, check_one_of
from pipeline.motion.caiman import settings_from_caiman

MODES = ("piecewise", "rigid")
BORDERS = ("copy", "nan", "crop")
DTYPES = ("float32", "uint16", "int16")
PLANES = ("together", "each")
AXES = ("planes", "rows", "columns")
MIN_STRIDE_PX = 8
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

    max_shift_px: tuple[int, ...] = (12, 12)
    """Largest rigid shift looked for along rows and columns, in pixels; three numbers, planes
    first, look for shifts across the planes of a volume, too."""

    stride_px: tuple[int, ...] = (48, 48)
    """Distance between neighbouring patches along rows and columns, in pixels; three numbers,
    planes first, cut a volume along its planes, too, where shifts across them are looked for."""

    overlap_px: tuple[int, ...] = (24, 24)
    """How far neighbouring patches overlap, in pixels; a patch measures stride plus overlap."""

    max_deviation_px: float = 3.0
    """Largest deviation of a patch from the rigid shift along an axis, in pixels; across planes
    it is not larger than the rigid shift may be."""

    planes: str = "together"
    """'together' moves all planes of a volume alike, 'each' every plane by itself."""

    registration_channel: int | None = None
    """Channel of the file in which the shifts are found, from 0; None: in the movie itself."""

    highpass_gsig_px: float | None = None
    """Standard deviation, in pixels, of the filter that removes the smooth glow of one-photon
    movies before the comparison (not from the result): about half the radius of a cell, as 3; None
    or 0 for two-photon movies."""

    iterations: int = 2
    """How often the template is registered to itself and averaged again."""

    template_update: float = 0.0
    """Part of the template that the mean of every 1,024 corrected frames replaces, 0 to 1, for
    tissue that changes slowly; 0 keeps one template for the whole movie."""

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
        check_one_of("planes", self.planes, PLANES)
        check_one_of("dtype", self.dtype, DTYPES)
        if self.border == "nan" and self.dtype != "float32":
            raise ValueError(
                f"border 'nan' cannot be stored as {self.dtype}; "
                "set dtype to 'float32', or border to 'copy' or 'crop'."
            )
        for name, low, high in (
            ("max_shift_px", 1, 1000),
            ("stride_px", 1, 10_000),
            ("overlap_px", 0, 10_000),
        ):
            _check_axes(name, getattr(self, name), low, high)
        self._check_axes_agree()
        check_in_range("template_update", self.template_update, 0, 1)
        if self.registration_channel is not None:
            _check_whole("registration_channel", self.registration_channel, 0, 1000)
        check_in_range("max_deviation_px", self.max_deviation_px, 0, 100)
        check_in_range("highpass_gsig_px", self.highpass_gsig_px or 0, 0, 100)
        _check_whole("iterations", self.iterations, 1, 10)
        _check_whole("upsampling", self.upsampling, 1, 100)

    def _check_axes_agree(self) -> None:
        """Refuse numbers for planes where planes have nothing to do with it."""
        n_axes = len(self.stride_px)
        if len(self.overlap_px) != n_axes or n_axes > len(self.max_shift_px):
            raise ValueError(
                "stride_px and overlap_px must have as many numbers as each other, and three only "
                "where max_shift_px has three, planes first; got "
                f"max_shift_px={self.max_shift_px!r}, stride_px={self.stride_px!r} and "
                f"overlap_px={self.overlap_px!r}."
            )
        if self.planes == "each" and self.n_axes == len(AXES):
            raise ValueError(
                "planes 'each' moves every plane by itself, and never to another; got "
                f"max_shift_px={self.max_shift_px!r}: give two numbers, or planes='together'."
            )

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

        Three numbers of a volume are rows, columns and planes there, and planes first here.
        What says how the work is cut and run, and how shifts are joined and undone, means nothing
        here and is passed over: `pipeline.motion.caiman.WITHOUT_MEANING`.

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
        return cls(**settings_from_caiman(values))

    @property
    def needs_survey(self) -> bool:
        """Whether shifts or values of all frames must be known before the first is written."""
        return self.border == "crop" or self.dtype != "float32"

    @property
    def n_axes(self) -> int:
        """Number of axes along which shifts are looked for: 2, or 3 with the planes."""
        return len(self.max_shift_px)

    @property
    def reach_px(self) -> tuple[int, int, int]:
        """Largest rigid shift along planes, rows and columns."""
        rows, cols = self.max_shift_px[-2:]
        return self.max_shift_px[0] if self.n_axes == len(AXES) else 0, rows, cols

    @property
    def deviation_px(self) -> tuple[float, float, float]:
        """Largest deviation of a patch along planes, rows and columns."""
        largest = self.max_deviation_px
        return min(largest, self.reach_px[0]), largest, largest

    @property
    def patch_px(self) -> tuple[int, ...]:
        """Size of a patch: height and width, and planes first if it has some of its own."""
        return tuple(sum(axis) for axis in zip(self.stride_px, self.overlap_px, strict=True))


def check_fits(params: MotionParams, frame_shape: Sequence[int]) -> None:
    """Refuse settings that ask more than a frame ``([n_planes,] n_rows, n_cols)`` can give.

    Raises
    ------
    ValueError
        If the frame is too small for the shift or the patch, or the patch for the deviation.
    """
    if params.n_axes > len(frame_shape):
        raise ValueError(
            f"max_shift_px = {params.max_shift_px} looks for shifts across planes, and the movie "
            "has one plane; give two numbers, for rows and columns."
        )
    for place in range(-params.n_axes, 0):
        name, length = AXES[place], frame_shape[place]
        core, shift_px = _core_px(name), params.max_shift_px[place]
        if length < 2 * shift_px + core:
            raise ValueError(
                f"max_shift_px = {shift_px} is too large for a frame of {length} {name}; "
                f"lower it to at most {(length - core) // 2}."
            )
    if params.mode == "piecewise":
        patch_px = (*frame_shape[: -len(params.patch_px)], *params.patch_px)
        for place in range(-params.n_axes, 0):
            _check_patch(params, place, patch_px[place], frame_shape[place])


def _core_px(axis: str) -> int:
    """Return the least number of pixels along an axis that are compared; one plane says enough."""
    return 1 if axis == "planes" else MIN_CORE_PX


def _check_patch(params: MotionParams, place: int, patch_px: int, length: int) -> None:
    """Refuse a patch larger than the frame, or too small for the deviation looked for."""
    name = AXES[place]
    if patch_px > length:
        raise ValueError(
            f"a patch of stride_px + overlap_px = {params.stride_px[place]} + "
            f"{params.overlap_px[place]} = {patch_px} {name} is larger than the frame of {length}; "
            "lower stride_px or overlap_px, or set mode to 'rigid'."
        )
    core, deviation_px = _core_px(name), params.deviation_px[place]
    # the rigid shift is taken off in whole planes, which leaves half a plane to look for
    margin_px = ceil(deviation_px + 0.5) if name == "planes" else deviation_px
    if patch_px < 2 * margin_px + core:
        raise ValueError(
            f"max_deviation_px = {params.max_deviation_px} is too large for a patch of {patch_px} "
            f"{name}; lower it to at most {(patch_px - core) / 2:g}, or enlarge stride_px."
        )


def _check_axes(name: str, values: tuple[int, ...], low: int, high: int) -> None:
    """Refuse anything but a whole number in a range for each of two or three axes."""
    if not isinstance(values, tuple) or len(values) not in (2, 3):
        raise ValueError(
            f"{name} must be two numbers, for rows and columns, or three, with planes first; "
            f"got {values!r}."
        )
    for value, axis in zip(values, AXES[-len(values) :], strict=True):
        # a patch may be one plane thick
        smallest = max(low, MIN_STRIDE_PX) if name == "stride_px" and axis != "planes" else low
        _check_whole(f"{name} along {axis}", value, smallest, high)


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    """Refuse anything but a whole number in a range."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}.")
    check_in_range(name, value, low, high)
