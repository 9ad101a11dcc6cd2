"""Components that are no cells of their own but what a brighter one left beside it.

A cell that moves by part of a pixel, in the plane or out of it, leaves light at its rim that its
footprint does not explain. It follows the cell, and its centre lies within the cell.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.field import Field
from pipeline.extraction.spatial import centres_px
from pipeline.scratch import some_rows

MAX_GSIGS = 1.4
"""Distance of the centres below which a component lies within another, in half-sizes of a cell."""

MIN_CORR = 0.4
"""Correlation of the traces from which on it follows the other."""

MAX_POWER = 0.3
"""Its light, relative to that of the other, below which it is a shadow; two cells that lie so close
and fire together are more alike."""


def find_shadows(
    footprints: sparse.csc_array,
    calcium: NDArray[np.float32],
    field: Field,
    *,
    cells: NDArray[np.bool_],
) -> list[str]:
    """Say of each component why it is the shadow of a cell.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Not negative, none empty.
    calcium : array, (n_rois, n_frames)
        Traces without noise and slow baseline.
    field : Field
        The field of view.
    cells : array, (n_rois,)
        Components that may cast a shadow.

    Returns
    -------
    list of str
        Empty for a component that is no shadow.
    """
    reasons = [""] * len(calcium)
    centres = _centres(footprints, field)
    norm = np.empty(len(calcium), np.float32)
    for rows in some_rows(calcium):
        norm[rows] = np.linalg.norm(_centred(calcium[rows]), axis=1)
    light = norm * np.sqrt(np.asarray(footprints.power(2).sum(axis=0)).ravel())
    for roi in np.flatnonzero(norm > 0):
        away = np.sqrt(np.square(centres - centres[roi]).sum(axis=1))
        near = cells & (away < MAX_GSIGS) & (MAX_POWER * light > light[roi])
        for other in np.flatnonzero(near):
            product = float(_centred(calcium[roi]) @ _centred(calcium[other]))
            corr = product / float(norm[roi] * norm[other])
            if corr >= MIN_CORR:
                reasons[roi] = f"follows component {other} at its rim, correlation {corr:.2f}"
    return reasons


def _centred(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return traces around their mean."""
    return np.asarray(traces - traces.mean(axis=-1, keepdims=True))


def _centres(footprints: sparse.csc_array, field: Field) -> NDArray[np.float64]:
    """Return the centre of each footprint along each axis, in half-sizes of a cell."""
    return np.asarray(centres_px(footprints, field.frame_shape) / np.array(field.gsig_px))
