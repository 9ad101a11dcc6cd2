"""Components that are no cells of their own but what a brighter one left beside it.

A cell that moves by part of a pixel, in the plane or out of it, leaves light at its rim that its
footprint does not explain. It follows the cell, and its centre lies within the cell.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.field import Field

SHADOW_GSIGS = 1.0
"""Distance of the centres below which two components are at one place, in half-sizes of a cell."""

SHADOW_CORR = 0.5
"""Correlation from which on the fainter of the two follows the brighter."""


def find_shadows(
    footprints: sparse.csc_array, calcium: NDArray[np.float32], field: Field
) -> list[str]:
    """Say of each component why it is the shadow of another.

    Parameters
    ----------
    footprints : sparse array, (n_pixels, n_rois)
        Not negative, none empty.
    calcium : array, (n_rois, n_frames)
        Traces without noise and slow baseline.
    field : Field
        The field of view.

    Returns
    -------
    list of str
        Empty for a component that is on its own.
    """
    reasons = [""] * len(calcium)
    centres = _centres(footprints, field)
    power = np.linalg.norm(calcium, axis=1) * np.sqrt(footprints.power(2).sum(axis=0))
    centred = calcium - calcium.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    for roi, centre in enumerate(centres):
        away = np.sqrt(np.square(centres - centre).sum(axis=1))
        for other in np.flatnonzero((away < SHADOW_GSIGS) & (power > power[roi])):
            corr = float(unit[roi] @ unit[other])
            if corr >= SHADOW_CORR:
                reasons[roi] = f"follows component {other} at its place, correlation {corr:.2f}"
    return reasons


def _centres(footprints: sparse.csc_array, field: Field) -> NDArray[np.float64]:
    """Return the centre of each footprint along each axis, in half-sizes of a cell."""
    total = np.maximum(np.asarray(footprints.sum(axis=0), np.float64).ravel(), 1e-30)
    places = np.unravel_index(np.arange(footprints.shape[0]), field.frame_shape)
    along = [
        (footprints.T @ place.astype(np.float64)) / total / gsig
        for place, gsig in zip(places, field.gsig_px, strict=True)
    ]
    return np.stack(along, axis=1)
