"""The inner loops of resampling, compiled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Planes = NDArray[np.float32]
Wholes = NDArray[np.integer]

REACH_PX = 3
"""How far from its place the interpolation looks for a value."""

MANY = 16

HALF, TWELFTH, TWO, SIX, SEVEN, EIGHT, FIFTEEN, SIXTEEN, TWENTY, C28 = (
    np.float32(v) for v in (0.5, 1 / 12, 2, 6, 7, 8, 15, 16, 20, 28)
)

# products may be fused with sums, but the order of the sums stays: equal bits on any thread
compiled = njit(nogil=True, cache=True, fastmath={"contract"})


@compiled
def undo_field(image: Rows, field: Rows, reach: int, target: Rows) -> None:
    """Resample an image by a field, rows before columns.

    The field is ``(2, n_rows, n_cols)``, or ``(2, 1, n_cols)`` if all rows move alike; no
    shift along columns is larger than ``reach``.
    """
    n_rows, n_cols = image.shape
    margin = reach + REACH_PX + 1
    line = np.empty(n_cols + 2 * margin, np.float32)
    down = np.empty(n_cols, np.float32)
    whole = np.empty(n_cols, np.int32)
    for row in range(n_rows):
        at = min(row, field.shape[1] - 1)
        _at_sources(field[0, at], field[1, at], down)
        _mix_rows(image, row, down, whole, line[margin : margin + n_cols])
        _fill(line[:margin], line[margin])
        _fill(line[margin + n_cols :], line[margin + n_cols - 1])
        _mix_columns(line, margin - 2, field[1, at], whole, target[row])


@compiled
def mix_planes(images: Planes, plane: int, across: Rows, target: Rows) -> None:
    """Interpolate along planes, stretch by stretch of columns that need the same six planes.

    The shifts are ``(n_rows, n_cols)``, or ``(1, n_cols)`` if all rows move alike.
    """
    n_planes, n_rows, n_cols = images.shape
    whole = np.empty(n_cols, np.int32)
    last = n_planes - 1
    for row in range(n_rows):
        shifts = across[min(row, len(across) - 1)]
        _floors(shifts, whole)
        start = 0
        while start < n_cols:
            stop = _stretch(whole, start)
            first = plane + whole[start] - 2
            a = images[min(max(first, 0), last), row, start:stop]
            b = images[min(max(first + 1, 0), last), row, start:stop]
            c = images[min(max(first + 2, 0), last), row, start:stop]
            d = images[min(max(first + 3, 0), last), row, start:stop]
            e = images[min(max(first + 4, 0), last), row, start:stop]
            f = images[min(max(first + 5, 0), last), row, start:stop]
            near = (a, b, c, d, e, f)
            _blend(near, shifts[start:stop], np.float32(whole[start]), target[row, start:stop])
            start = stop


@compiled
def _at_sources(down: Rows, right: Rows, source_down: Rows) -> None:
    """Find, for each column of the image, the shift along rows where its content belongs.

    Rows are interpolated before columns, so each pixel needs the shift of the pixel that it will
    be fetched to: it lies the whole shift away, and a little more, for which the slope serves.
    """
    n_cols = len(down)
    shift = int(np.rint(right[n_cols // 2]))
    start, stop = max(shift + 1, 0), min(n_cols + shift, n_cols) - 1
    if stop <= start:
        for i in range(n_cols):
            source_down[i] = down[i]
        return
    first, n_inside = start - shift - 1, stop - start
    before, at, after = down[first:], down[first + 1 :], down[first + 2 :]
    beside, rest = right[first + 1 :], np.float32(shift)
    inside = source_down[start:stop]
    for i in range(n_inside):
        inside[i] = at[i] + HALF * (after[i] - before[i]) * (rest - beside[i])
    _fill(source_down[:start], source_down[start])
    _fill(source_down[stop:], source_down[stop - 1])


@compiled
def _fill(values: Rows, value: np.float32) -> None:
    """Repeat a value; assigning to a slice would take a second to compile."""
    for i in range(len(values)):
        values[i] = value


@compiled
def _floors(values: Rows, whole: Wholes) -> None:
    """Round down."""
    for i in range(len(values)):
        whole[i] = np.int32(np.floor(values[i]))


@compiled
def _stretch(whole: Wholes, start: int) -> int:
    """Return where a stretch of equal numbers ends."""
    value, stop = whole[start], start + 1
    # many at a time are compared in one go
    while stop + MANY <= len(whole):
        different = np.int32(0)
        for i in range(MANY):
            different |= whole[stop + i] ^ value
        if different != 0:
            break
        stop += MANY
    while stop < len(whole) and whole[stop] == value:
        stop += 1
    return stop


@compiled
def _mix_rows(image: Rows, row: int, down: Rows, whole: Wholes, line: Rows) -> None:
    """Interpolate along rows, stretch by stretch of columns that need the same six rows."""
    _floors(down, whole)
    last = image.shape[0] - 1
    start = 0
    while start < len(line):
        stop = _stretch(whole, start)
        first = row + whole[start] - 2
        a = image[min(max(first, 0), last), start:stop]
        b = image[min(max(first + 1, 0), last), start:stop]
        c = image[min(max(first + 2, 0), last), start:stop]
        d = image[min(max(first + 3, 0), last), start:stop]
        e = image[min(max(first + 4, 0), last), start:stop]
        f = image[min(max(first + 5, 0), last), start:stop]
        _blend((a, b, c, d, e, f), down[start:stop], np.float32(whole[start]), line[start:stop])
        start = stop


@compiled
def _mix_columns(line: Rows, first: int, right: Rows, whole: Wholes, target: Rows) -> None:
    """Interpolate along columns, stretch by stretch of columns with the same whole shift."""
    _floors(right, whole)
    start = 0
    while start < len(target):
        stop = _stretch(whole, start)
        a = line[first + start + whole[start] :]
        near = (a, a[1:], a[2:], a[3:], a[4:], a[5:])
        _blend(near, right[start:stop], np.float32(whole[start]), target[start:stop])
        start = stop


@compiled
def _blend(near: tuple[Rows, ...], places: Rows, whole: np.float32, target: Rows) -> None:
    """Interpolate between the third and the fourth of six values, each at its place."""
    a, b, c, d, e, f = near
    for i in range(len(target)):
        t = places[i] - whole
        first = a[i] - EIGHT * b[i] + EIGHT * d[i] - e[i]
        second = FIFTEEN * b[i] - TWO * a[i] - C28 * c[i] + TWENTY * d[i] - SIX * e[i] + f[i]
        third = a[i] - SEVEN * b[i] + SIXTEEN * (c[i] - d[i]) + SEVEN * e[i] - f[i]
        target[i] = c[i] + TWELFTH * t * (first + t * (second + t * third))
