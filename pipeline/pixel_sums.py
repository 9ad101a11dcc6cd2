"""Sums over the frames of a plane, of each pixel and of neighbours, compiled."""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Sum = NDArray[np.float64]


class Sums(NamedTuple):
    """Sums over frames of the deviation of each pixel from a fixed value, float64."""

    n_finite: Sum
    """Finite frames, ``(n_planes, n_rows, n_cols)`` as all sums."""

    total: Sum
    """Deviations."""

    squares: Sum
    """Squared deviations."""

    maximum: Sum
    """Largest deviation."""

    products: Sum
    """Products with each forward neighbour, ``(4, n_planes, n_rows, n_cols)``."""


compiled = numba.njit(nogil=True, cache=True)


@compiled
def add_frames(frames: NDArray[Any], reference: Sum, sums: Sums) -> None:
    """Add the frames of a plane to its sums, row by row so that the sums stay in the cache."""
    n_frames, n_rows, n_cols = frames.shape
    # a zero at either end stands for the neighbours outside the image
    here, below = np.zeros(n_cols + 2), np.zeros(n_cols + 2)
    ones = np.ones(n_cols)
    for row in range(n_rows):
        products = sums.products[:, row]
        below[:] = 0
        for frame in range(n_frames):
            _take_deviations(frames[frame, row], reference[row], here[1:-1])
            _add_finite(frames[frame, row], reference[row], sums.n_finite[row], sums.maximum[row])
            if row + 1 < n_rows:
                _take_deviations(frames[frame, row + 1], reference[row + 1], below[1:-1])
            _add_products(here[1:-1], ones, sums.total[row])
            _add_products(here[1:-1], here[1:-1], sums.squares[row])
            _add_products(here[1:-1], here[2:], products[0])
            _add_products(here[1:-1], below[:-2], products[1])
            _add_products(here[1:-1], below[1:-1], products[2])
            _add_products(here[1:-1], below[2:], products[3])


@compiled
def _take_deviations(values: NDArray[Any], reference: Sum, deviations: Sum) -> None:
    """Write how far a row lies from its reference, zero where it is not finite."""
    for col in range(len(values)):
        deviation = np.float64(values[col]) - reference[col]
        deviations[col] = deviation if np.isfinite(deviation) else 0.0


@compiled
def _add_finite(values: NDArray[Any], reference: Sum, count: Sum, maximum: Sum) -> None:
    """Count the finite values of a row and keep the largest deviations."""
    for col in range(len(values)):
        deviation = np.float64(values[col]) - reference[col]
        finite = np.isfinite(deviation)
        count[col] += 1.0 if finite else 0.0
        maximum[col] = deviation if finite and deviation > maximum[col] else maximum[col]


@compiled
def _add_products(left: Sum, right: Sum, sums: Sum) -> None:
    """Add the products of two rows to their sums."""
    for col in range(len(sums)):
        sums[col] += left[col] * right[col]


@compiled
def add_lost(frames: NDArray[Any], reference: Sum, lost: Sum) -> None:
    """Add what the neighbours of missing pixels have in the frames that their pair lacks.

    ``lost[1 + rows, 1 + cols]`` holds count, total and squares of each finite pixel over the
    frames in which its neighbour at that step is missing.
    """
    n_frames, n_rows, n_cols = frames.shape
    for frame in range(n_frames):
        for row in range(n_rows):
            for col in range(n_cols):
                if not np.isfinite(frames[frame, row, col]):
                    _lose_neighbours(frames[frame], reference, lost, row, col)


@compiled
def _lose_neighbours(frame: NDArray[Any], reference: Sum, lost: Sum, row: int, col: int) -> None:
    """Add the finite neighbours of one missing pixel."""
    n_rows, n_cols = frame.shape
    for near_row in range(max(0, row - 1), min(n_rows, row + 2)):
        for near_col in range(max(0, col - 1), min(n_cols, col + 2)):
            deviation = np.float64(frame[near_row, near_col]) - reference[near_row, near_col]
            if np.isfinite(deviation):
                moments = lost[1 + row - near_row, 1 + col - near_col, :, near_row, near_col]
                moments[0] += 1
                moments[1] += deviation
                moments[2] += deviation**2
