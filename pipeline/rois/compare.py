"""Two sets of ROIs of one frame: which are the same, which are found only once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.simulate.score import match_rois, trace_correlations


class Comparison(NamedTuple):
    """Which ROIs of two segmentations are one cell; numbers are columns of the footprints."""

    pairs: NDArray[np.int64]
    """``(n_pairs, 2)``: column of the one, column of the other."""

    cosines: NDArray[np.float64]
    """Cosine between the footprints of each pair, ``(n_pairs,)``."""

    trace_correlations: NDArray[np.float64]
    """Pearson's r of the traces of each pair, ``(n_pairs,)``."""

    only_one: NDArray[np.int64]
    """Columns of the one that are not among the pairs."""

    only_other: NDArray[np.int64]
    """Columns of the other that are not among the pairs."""


def compare_rois(
    footprints: tuple[sparse.csc_array, sparse.csc_array],
    traces: tuple[NDArray[np.floating], NDArray[np.floating]],
    *,
    min_cosine: float = 0.5,
) -> Comparison:
    """Pair the ROIs of two segmentations, one to one.

    Parameters
    ----------
    footprints : pair of sparse arrays, (n_pixels, n_rois)
        Of the one and of the other segmentation.
    traces : pair of arrays, (n_rois, n_frames)
        Of the same ROIs; frames that are not finite in both are left out.
    min_cosine : float
        Smallest cosine between the footprints of a pair, 0 to 1.

    Returns
    -------
    Comparison
        The pairs with their numbers, and what is left over.

    Raises
    ------
    ValueError
        If footprints differ in their pixels, or the traces are of different length.
    """
    lengths = [each.shape[1] for each in traces]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"the traces have {lengths[0]} and {lengths[1]} frames; compare segmentations of one "
            "recording."
        )
    matches = match_rois(*footprints, min_cosine=min_cosine)
    left = [
        np.setdiff1d(np.arange(each.shape[1]), matches.pairs[:, side])
        for side, each in enumerate(footprints)
    ]
    correlations = trace_correlations(matches, *traces)
    return Comparison(matches.pairs, matches.cosines, correlations, left[0], left[1])
