"""Refusals that name the value, what is allowed, and what was given."""

from collections.abc import Sequence


def check_in_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside ``[low, high]``.

    Raises
    ------
    ValueError
        If the value is not a number between the two limits, both included.

    Examples
    --------
    >>> check_in_range("window_s", 0.0, 0.1, 3600)
    Traceback (most recent call last):
    ValueError: window_s must be between 0.1 and 3600; got 0.0.
    """
    if not low <= value <= high:  # also refuses NaN
        raise ValueError(f"{name} must be between {low} and {high}; got {value!r}.")


def check_one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a word that is not in the list.

    Raises
    ------
    ValueError
        If the value is none of the allowed words.

    Examples
    --------
    >>> check_one_of("mode", "elastic", ("rigid", "piecewise"))
    Traceback (most recent call last):
    ValueError: mode must be one of 'rigid', 'piecewise'; got 'elastic'.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")


def check_shape(name: str, shape: Sequence[int], axes: Sequence[str]) -> None:
    """Refuse an array that does not have the named axes.

    Raises
    ------
    ValueError
        If the number of axes differs or one of them is empty.

    Examples
    --------
    >>> check_shape("traces", (100,), ("n_rois", "n_frames"))
    Traceback (most recent call last):
    ValueError: traces must have the axes (n_rois, n_frames), none of them empty; got shape (100,).
    """
    if len(shape) != len(axes) or 0 in shape:
        raise ValueError(
            f"{name} must have the axes ({', '.join(axes)}), none of them empty; "
            f"got shape {tuple(shape)}."
        )
