"""Lags across the planes of a volume, which are few and far from each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.patches import Lengths, with_neighbours


@dataclass(frozen=True, kw_only=True)
class PlaneLags:
    """Lags across planes, and how much a template has to offer at each of them.

    The planes of an image that count are the same at every lag; they are compared with planes of
    the template further up or down. A template between two planes is interpolated, and so are its
    correlations, for they are linear in it. A correlation is divided by the norm of what it was
    taken with, else a bright plane would attract all others.
    """

    compared: slice
    """The planes of an image that count."""

    templates: tuple[slice, ...]
    """The planes of the template they are compared with, for each whole lag."""

    reach: int
    """Largest whole lag."""

    between: NDArray[np.float32]
    """What interpolates from whole lags to fractions, ``(n_fractions, n_lags)``."""

    norms: NDArray[np.float32]
    """Norm of each template at whole lags, ``(n_patches, n_lags)``."""

    fine_norms: NDArray[np.float32]
    """The same at fractions, ``(n_patches, n_fractions)``."""

    def best_place(self, correlation: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """Return the place along rows and columns, one number, that is best at any whole lag.

        Parameters
        ----------
        correlation : array, (n_frames, n_patches, n_lags, n_row_lags, n_col_lags)
            At whole lags.
        """
        scores = correlation if self.reach == 0 else correlation / _lined_up(self.norms)
        at_any = scores.max(axis=2)
        return np.asarray(at_any.reshape(*at_any.shape[:2], -1).argmax(axis=-1))

    def scores(self, correlation: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return how well an image fits the template at fractions of a lag.

        Parameters
        ----------
        correlation : array, (n_frames, n_patches, n_lags, n_row_steps, n_col_steps)
            At whole lags.

        Returns
        -------
        array, (n_frames, n_patches, n_fractions, n_row_steps, n_col_steps)
        """
        if self.reach == 0:
            return correlation
        flat = correlation.reshape(*correlation.shape[:3], -1)
        fine = (self.between @ flat).reshape(*flat.shape[:2], -1, *correlation.shape[3:])
        return np.asarray(fine / _lined_up(self.fine_norms))


def plan_plane_lags(
    templates: NDArray[np.float32], *, patches: Lengths, reach: int, upsampling: int
) -> PlaneLags:
    """Plan lags across planes.

    Parameters
    ----------
    templates : array, (n_patches, n_planes, n_rows, n_cols)
        As they are compared.
    patches : tuple of int
        Number of patches along planes, rows and columns; those next to each other count for each
        other.
    reach : int
        Largest whole lag; 0 for none, and then all planes count.
    upsampling : int
        Steps a plane.
    """
    n_planes = templates.shape[1]
    lags = np.arange(-reach, reach + 1)
    # what lies one plane further down in an image is found one plane further up in the template
    compared = [slice(reach - lag, n_planes - reach - lag) for lag in lags]
    fractions = np.arange(-reach * upsampling, reach * upsampling + 1) / upsampling
    between = _interpolation(fractions, lags)
    flat = [templates[:, planes].reshape(len(templates), -1) for planes in compared]
    products = np.array([[(a * b).sum(axis=1, dtype=np.float64) for b in flat] for a in flat])
    products = with_neighbours(products, patches, axis=2, across_planes=reach > 0)
    squares = np.einsum("fk,klp,fl->pf", between, products, between)
    return PlaneLags(
        compared=slice(reach, n_planes - reach),
        templates=tuple(compared),
        reach=reach,
        between=between.astype(np.float32),
        norms=_norms(np.einsum("kkp->pk", products)),
        fine_norms=_norms(squares),
    )


def _interpolation(fractions: NDArray[np.float64], lags: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix of cubic convolution from whole lags to fractions of a lag."""
    weights = np.zeros((fractions.size, lags.size))
    for row, fraction in enumerate(fractions):
        for place in range(int(np.floor(fraction)) - 1, int(np.floor(fraction)) + 3):
            column = np.clip(place, lags[0], lags[-1]) - lags[0]
            weights[row, column] += _cubic(abs(fraction - place))
    return weights


def _cubic(distance: float) -> float:
    """Return the weight of a neighbour (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""
    if distance < 1:
        return (1.5 * distance - 2.5) * distance**2 + 1
    return max(0.0, 2 - distance) ** 2 * (1 - distance) / 2


def _norms(squares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return norms, 1 of nothing."""
    positive = np.maximum(squares, 0)
    return np.where(positive > 0, np.sqrt(positive), 1).astype(np.float32)


def _lined_up(norms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return norms along the axes of correlations."""
    return norms[:, :, np.newaxis, np.newaxis]
