"""Footprints that reach through the planes of a volume, seen plane by plane."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.rois.shape import LEVEL_LIMITS, contour_px


@dataclass(frozen=True, kw_only=True)
class Depth:
    """One footprint of a volume, whose planes are looked at one after the other."""

    pixels: NDArray[np.integer]
    """Index of each pixel in a volume, in C order, ``(n_stored,)``."""

    weights: NDArray[np.floating]
    """Their weights, not negative, ``(n_stored,)``."""

    frame_shape: tuple[int, ...]
    """``(n_planes, n_rows, n_cols)``."""

    @property
    def main_plane(self) -> int:
        """The plane nearest to the centre of mass; the brightest where that has no outline."""
        total = np.bincount(self.pixels // math.prod(self.frame_shape[1:]), self.weights)
        middle = round(float(total @ np.arange(total.size) / total.sum()))
        return middle if self.contour_px(middle).size else int(total.argmax())

    def contour_px(self, plane: int, *, level: float = 0.2) -> NDArray[np.float64]:
        """Return the outline in a plane, at a fraction of the largest weight of all planes.

        Parameters
        ----------
        plane : int
            The plane.
        level : float
            Fraction of the largest weight at which the line runs, 0.01 to 0.99.

        Returns
        -------
        array, (n_points, 2)
            As `contour_px` of one plane returns it; empty where the cell is not, or too faint.
        """
        _, n_rows, n_cols = self.frame_shape
        first = plane * n_rows * n_cols
        here = (self.pixels >= first) & (self.pixels < first + n_rows * n_cols)
        weights = self.weights[here]
        limit = level * float(self.weights.max())
        if not weights.size or weights.max() <= limit:
            return np.empty((0, 2))
        image = np.zeros(n_rows * n_cols, np.float32)
        image[self.pixels[here] - first] = weights
        relative = min(limit / float(weights.max()), LEVEL_LIMITS[1])
        return contour_px(image, (n_rows, n_cols), level=relative)
