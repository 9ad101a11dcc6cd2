"""How well what was found agrees with what was planted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.linalg import norm

from pipeline.checks import check_in_range


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Pairs of true and found cells, one to one."""

    pairs: NDArray[np.int64]
    """``(n_pairs, 2)``: number of the true cell, number of the found cell."""

    cosines: NDArray[np.float64]
    """Cosine between the footprints of each pair, ``(n_pairs,)``."""

    n_true: int
    """Number of true cells."""

    n_found: int
    """Number of found cells."""

    @property
    def precision(self) -> float:
        """Fraction of the found cells that are true; 1 where none was found."""
        return len(self.pairs) / self.n_found if self.n_found else 1.0

    @property
    def recall(self) -> float:
        """Fraction of the true cells that were found; 1 where there is none."""
        return len(self.pairs) / self.n_true if self.n_true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing and nothing found."""
        n_cells = self.n_true + self.n_found
        return 2 * len(self.pairs) / n_cells if n_cells else 1.0


def match_rois(
    truth: sparse.csc_array, found: sparse.csc_array, *, min_cosine: float = 0.5
) -> Matches:
    """Pair found footprints with true ones so that the cosines sum up to the most.

    Parameters
    ----------
    truth, found : sparse array, (n_pixels, n_cells)
        Footprints of any scale; an empty one matches nothing.
    min_cosine : float
        Smallest cosine between the two footprints of a pair.

    Returns
    -------
    Matches
        The pairs in the order of the true cells, and precision, recall and F1.

    Raises
    ------
    ValueError
        If the two have different numbers of pixels, or ``min_cosine`` is not in 0 to 1.
    """
    check_in_range("min_cosine", min_cosine, 0, 1)
    if truth.shape[0] != found.shape[0]:
        raise ValueError(
            f"true footprints have {truth.shape[0]} pixels and found ones {found.shape[0]}; "
            "both must come from frames of one shape."
        )
    cosines = (_unit(truth).T @ _unit(found)).toarray()
    # a pair below the limit is worth nothing, so that it cannot displace a good one
    worth = np.where(cosines >= min_cosine, cosines, 0.0)
    true_cells, found_cells = linear_sum_assignment(worth, maximize=True)
    kept = worth[true_cells, found_cells] > 0
    pairs = np.stack([true_cells[kept], found_cells[kept]], axis=1)
    return Matches(
        pairs=pairs,
        cosines=cosines[pairs[:, 0], pairs[:, 1]],
        n_true=truth.shape[1],
        n_found=found.shape[1],
    )


def trace_correlations(
    matches: Matches, truth: NDArray[np.floating], found: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Correlate the trace of each found cell with the true one, ``(n_pairs,)``.

    Parameters
    ----------
    matches : Matches
        The pairs, from `match_rois`.
    truth, found : array, (n_cells, n_frames)
        Traces of the true and of the found cells; frames that are not finite in both are left out.

    Returns
    -------
    array, (n_pairs,)
        Pearson's r of each pair; 0 where a trace is constant.
    """
    return np.array([_correlation(truth[one], found[other]) for one, other in matches.pairs])


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's r of two traces, 0 if one is constant."""
    finite = np.isfinite(one) & np.isfinite(other)
    a, b = (np.asarray(trace[finite], np.float64) for trace in (one, other))
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / power if power > 0 else 0.0


def _unit(footprints: sparse.csc_array) -> Any:
    """Scale each footprint to norm 1; leave empty ones empty."""
    sizes = norm(footprints, axis=0)
    return sparse.csc_array(footprints / np.where(sizes > 0, sizes, 1.0))
