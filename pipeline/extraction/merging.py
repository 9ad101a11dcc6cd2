"""Components that are one cell."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from pipeline.extraction.spatial import ones
from pipeline.scratch import by_rows, portions, put_aside, scratch_array, some_rows

MIN_OVERLAP = 0.02
"""Cosine of two footprints from which on they may be parts of one cell."""

SAME_PLACE = 0.7
"""Cosine from which on they are, whatever their traces: one place holds one cell."""


def merge_components(
    footprints: sparse.csc_array,
    calcium: NDArray[np.float32],
    *,
    merge_corr: float,
    reach: sparse.csc_array | None = None,
) -> tuple[sparse.csc_array, NDArray[np.float32]]:
    """Merge overlapping components whose traces correlate.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Not negative.
    calcium : array, (n_rois, n_frames)
        Traces without noise.
    merge_corr : float
        Smallest correlation to merge.
    reach : sparse array, (n_pixels, n_rois), optional
        Stored values say how far each component reaches for others: those that it meets there
        count as overlapping. None: only their footprints do.

    Returns
    -------
    tuple
        Footprints and calcium; of each group the footprint is the sum of what its members explain
        and the trace their mean weighted in the same way.
    """
    if footprints.shape[1] == 0:
        return footprints, calcium
    alike = sparse.coo_array(footprints.T @ footprints)
    norm = np.sqrt(np.asarray(footprints.power(2).sum(axis=0))).ravel()
    cosine = alike.data / (norm[alike.row] * norm[alike.col])
    corr = _correlation(calcium, alike.row, alike.col)
    linked = ((cosine >= MIN_OVERLAP) & (corr >= merge_corr)) | (cosine >= SAME_PLACE)
    rows, cols = alike.row[linked], alike.col[linked]
    if reach is not None:
        met = sparse.coo_array(ones(reach).T @ ones(reach))
        follows = _correlation(calcium, met.row, met.col) >= merge_corr
        rows, cols = np.append(rows, met.row[follows]), np.append(cols, met.col[follows])
    graph = sparse.csr_array((np.ones(rows.size), (rows, cols)), shape=alike.shape)
    n_groups, group = connected_components(graph, directed=False)
    weight = _norms(calcium) * norm
    share = weight / np.maximum(np.bincount(group, weight)[group], 1e-30)
    member = sparse.csc_array(
        (np.ones(group.size, np.float32), (np.arange(group.size), group)),
        shape=(group.size, n_groups),
    )
    by_trace = sparse.diags_array(share.astype(np.float32))
    merged = sparse.csc_array(footprints @ by_trace @ member)
    weights = sparse.csr_array(member.T @ by_trace)
    weights.sort_indices()
    return merged, _sums(weights, calcium)


def _correlation(
    traces: NDArray[np.float32], one: NDArray[np.integer], other: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the correlation of pairs of traces, 0 where one is constant."""
    unit = by_rows(_of_length_one, traces)
    corr = np.empty(one.size)
    for pairs in portions(range(one.size), n_frames=traces.shape[1]):
        for pair in pairs:
            corr[pair] = unit[one[pair]] @ unit[other[pair]]
        put_aside(unit)
    return corr


def _of_length_one(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return traces around their mean, with a sum of squares of 1 or, where constant, 0."""
    centred = traces - traces.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0))


def _norms(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square root of the sum of squares of each trace, ``(n_rois,)``."""
    norms = np.empty(len(traces), np.float32)
    for rows in some_rows(traces):
        norms[rows] = np.linalg.norm(traces[rows], axis=1)
    return norms


def _sums(weights: sparse.csr_array, traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``weights @ traces``, of which few rows are read at a time."""
    sums = scratch_array((weights.shape[0], traces.shape[1]))
    for rows in some_rows(sums):
        sums[rows] = weights[rows] @ traces
        put_aside(traces)
    return sums
