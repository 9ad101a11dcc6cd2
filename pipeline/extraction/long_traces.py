"""Long traces: what is computed of all of them, a few rows or frames at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.scratch import by_rows, put_aside, scratch_array, some_frames, some_rows

ROWS_AT_ONCE = 4096
"""Traces of which a few thousand frames are looked at at once."""


def products(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sums over frames of the products of each two traces, ``(n_rows, n_others)``.

    Parameters
    ----------
    one : array, (n_rows, n_frames)
        Traces.
    other : array, (n_others, n_frames)
        Traces; may be the same array.
    """
    total = np.zeros((len(one), len(other)))
    for start in range(0, len(one), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        part = one if len(one) <= ROWS_AT_ONCE else one[rows]
        for frames in some_frames(part, other):
            left = part[:, frames].astype(np.float64)
            right = left if other is part else other[:, frames].astype(np.float64)
            total[rows] += left @ right.T
    return total


def mean_of_rows(
    traces: NDArray[np.float32], dtype: type[np.floating] = np.float64
) -> NDArray[np.floating]:
    """Return the mean of each trace, ``(n_rows,)``, summed up in a type."""
    means = np.empty(len(traces), dtype)
    for rows in some_rows(traces):
        means[rows] = traces[rows].mean(axis=1, dtype=dtype)
    return means


def around_mean(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return traces less their mean."""
    return by_rows(lambda some: some - some.mean(axis=1, keepdims=True), traces)


def chosen_rows(traces: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return some of the traces; all of them as they are."""
    if chosen.all():
        return traces
    return joined_rows([traces[roi : roi + 1] for roi in np.flatnonzero(chosen)], traces.shape[1])


def joined_rows(parts: Sequence[NDArray[np.float32]], n_frames: int) -> NDArray[np.float32]:
    """Return traces of several arrays, each ``(n_rows, n_frames)``, in one."""
    out = scratch_array((sum(map(len, parts)), n_frames))
    done = 0
    for part in parts:
        for rows in some_rows(part):
            out[done + rows.start : done + rows.stop] = part[rows]
            put_aside(out)
        done += len(part)
    return out


def at_kept(traces: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return traces ``(n_rows, n_frames)`` at the kept frames; all of them as they are."""
    if kept.all():
        return traces
    return by_rows(lambda some: some[:, kept], traces, n_columns=int(kept.sum()))


def on_all_frames(
    traces: NDArray[np.float32],
    kept: NDArray[np.bool_],
    *,
    missing: NDArray[np.floating] | float = np.nan,
) -> NDArray[np.float32]:
    """Return traces of the kept frames on all frames.

    Parameters
    ----------
    traces : array, (n_rows, n_kept)
        Returned as it is where all frames are kept.
    kept : array, (n_frames,)
        Which frames they are.
    missing : array, (n_rows,), or float
        Stands in the other frames.

    Returns
    -------
    array, (n_rows, n_frames)
        Of float32.
    """
    if kept.all():
        return np.ascontiguousarray(traces, np.float32)
    full = scratch_array((len(traces), kept.size))
    instead = np.broadcast_to(missing, len(traces))[:, np.newaxis]
    for rows in some_rows(full, traces):
        full[rows, ~kept] = instead[rows]
        full[rows, kept] = traces[rows]
    return full
