"""Settings of CaImAn's motion correction, and of Mesmerize's, which are CaImAn's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def settings_from_caiman(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `MotionParams` that settings of CaImAn stand for.

    Parameters
    ----------
    values : mapping
        Names and values of CaImAn's ``MotionCorrect``, or of Mesmerize's ``mc_kwargs``.

    Returns
    -------
    dict
        Names and values of fields; what is missing has its default.

    Raises
    ------
    ValueError
        If a name is unknown, or a value has no equal here.
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
    return taken


def _mode(_: str, is_piecewise: bool) -> str:  # noqa: FBT001 one value of many
    """Read ``pw_rigid``."""
    return "piecewise" if is_piecewise else "rigid"


def _axes(name: str, value: Any) -> tuple[int, ...]:
    """Read a number for each axis, planes last, or one for rows and columns."""
    numbers = tuple(value) if isinstance(value, Sequence) else (value,) * 2
    if len(numbers) not in (2, 3) or not all(isinstance(n, int | np.integer) for n in numbers):
        raise ValueError(
            f"{name} must be two whole numbers, for rows and columns, or three, with planes last; "
            f"got {value!r}."
        )
    rows, cols, *planes = (int(number) for number in numbers)
    return *planes, rows, cols


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
    "max_shifts": ("max_shift_px", _axes),
    "strides": ("stride_px", _axes),
    "overlaps": ("overlap_px", _axes),
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
