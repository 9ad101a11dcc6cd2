"""How good a component is, and whether it is accepted."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import uniform_filter1d

from pipeline.extraction.deconvolution import time_constants_of
from pipeline.extraction.dff import Dff
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.sources import Quality
from pipeline.extraction.temporal import Traces
from pipeline.rois import solidity
from pipeline.scratch import by_rows, some_rows

ACTIVE_PERCENTILE = 98
"""Frames in which the calcium of a component exceeds this percentile count as active."""


class Verdict(NamedTuple):
    """Which components are accepted, and why not the others."""

    accepted: NDArray[np.bool_]
    """``(n_rois,)``."""

    reasons: tuple[str, ...]
    """Empty for an accepted component."""


def judge(quality: Quality, params: CnmfParams, others: Sequence[str] | None = None) -> Verdict:
    """Compare the numbers of each component with the thresholds.

    Parameters
    ----------
    quality : Quality
        The numbers.
    params : CnmfParams
        The thresholds.
    others : sequence of str, optional
        What else speaks against each component, empty where nothing does.
    """
    reasons = tuple(
        "; ".join(filter(None, [*_failed(quality, roi, params), *(others or ())[roi : roi + 1]]))
        for roi in range(len(quality.snr))
    )
    return Verdict(np.array([not reason for reason in reasons], np.bool_), reasons)


def _failed(quality: Quality, roi: int, params: CnmfParams) -> list[str]:
    """Return in words which thresholds a component does not reach."""
    return [
        f"{name} {value:.2f} is below {limit:g}"
        for name, value, limit in (
            ("snr", quality.snr[roi], params.min_snr),
            ("rval", quality.rval[roi], params.min_rval),
            ("solidity", quality.solidity[roi], params.least_solidity),
            ("area_px", quality.area_px[roi], params.min_area_px),
        )
        if not value >= limit  # also NaN
    ]


def too_large(footprints: sparse.csc_array, params: CnmfParams) -> list[str]:
    """Say of each footprint that it is too large for a cell, if it is.

    The effective area is that of a footprint of equal weights that is as spread out: a faint rim
    hardly counts. That of a Gaussian is the ellipse of two half-sizes.
    """
    total = np.asarray(footprints.sum(axis=0), np.float64).ravel()
    power = np.asarray(footprints.power(2).sum(axis=0), np.float64).ravel()
    areas_px = total**2 / np.maximum(power, 1e-30)
    most = params.max_area_px
    return [
        f"effective area {area_px:.0f} px is above {most:.0f}" if area_px > most else ""
        for area_px in areas_px
    ]


class Shapes(NamedTuple):
    """What the footprints look like, every array ``(n_rois,)``."""

    rval: NDArray[np.float32]
    """Correlation in space of the footprint and the mean image of the active frames."""

    solidity: NDArray[np.float32]
    """Area over that of the convex hull."""

    area_px: NDArray[np.int64]
    """Number of pixels."""


def measure_shapes(
    images: NDArray[np.float64],
    support: sparse.csc_array,
    footprints: sparse.csc_array,
    frame_shape: tuple[int, ...],
) -> Shapes:
    """Compare each footprint with its image on its support, and measure its outline."""
    columns = np.split(footprints.indices, footprints.indptr[1:-1])[: footprints.shape[1]]
    return Shapes(
        rval=spatial_correlation(images, support),
        solidity=np.array([_solidity(pixels, frame_shape) for pixels in columns], np.float32),
        area_px=np.diff(footprints.indptr).astype(np.int64),
    )


def _solidity(pixels: NDArray[np.integer], frame_shape: tuple[int, ...]) -> float:
    """Return the solidity of a footprint as it is seen along the planes."""
    n_rows, n_cols = frame_shape[-2:]
    return solidity(np.unique(pixels % (n_rows * n_cols)), (n_rows, n_cols))


def measure(
    traces: Traces,
    shapes: Shapes,
    *,
    dff: Dff,
    rate_hz: float,
    decay_time_s: float,
) -> Quality:
    """Collect the numbers of each component."""
    constants = [time_constants_of(fit.coefficients) for fit in traces.fits]
    window = max(1, math.ceil(decay_time_s * rate_hz))
    noise = np.array([fit.noise for fit in traces.fits], np.float32)
    baseline = np.array([fit.baseline for fit in traces.fits], np.float32)
    return Quality(
        snr=transient_snr(traces.raw, baseline, noise, window_frames=window),
        rval=shapes.rval,
        solidity=shapes.solidity,
        area_px=shapes.area_px,
        noise=noise,
        baseline=baseline,
        decay_time_s=np.array([decay / rate_hz for decay, _ in constants], np.float32),
        rise_time_s=np.array([rise / rate_hz for _, rise in constants], np.float32),
        dff_percentile=dff.percentile,
    )


def transient_snr(
    raw: NDArray[np.float32],
    baseline: NDArray[np.float32],
    noise: NDArray[np.float32],
    *,
    window_frames: int,
) -> NDArray[np.float32]:
    """Return the highest running mean above the baseline, over the noise, ``(n_rois,)``."""
    peak = np.zeros(len(raw))
    for rows in some_rows(raw):
        mean = uniform_filter1d(raw[rows].astype(np.float64), window_frames, mode="nearest")
        peak[rows] = mean.max(axis=1) - baseline[rows]
    ratio = np.divide(peak, noise, out=np.zeros_like(peak), where=noise > 0)
    return np.asarray(ratio, np.float32)


def active_frames(calcium: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights that average the active frames minus the mean, ``(n_rois, n_frames)``."""
    return by_rows(_weights_of_active, calcium) if calcium.size else calcium


def _weights_of_active(calcium: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights of some components, ``(n_rois, n_frames)``."""
    limit = np.percentile(calcium, ACTIVE_PERCENTILE, axis=1, keepdims=True)
    active = (calcium >= limit) & (calcium > 0)
    count = active.sum(axis=1, keepdims=True)
    weights = active / np.maximum(count, 1) - 1 / calcium.shape[1]
    return np.where(count > 0, weights, 0).astype(np.float32)


def spatial_correlation(
    images: NDArray[np.float64], support: sparse.csc_array
) -> NDArray[np.float32]:
    """Correlate each footprint with its image over its support, ``(n_rois,)``; 0 if constant.

    Parameters
    ----------
    images : array, (n_stored,)
        Mean of the active frames without background and other components.
    support : sparse array, (n_pixels, n_rois)
        Footprints, with the pixels around them as stored zeros.
    """
    rval = np.zeros(support.shape[1], np.float32)
    for roi, start in enumerate(support.indptr[:-1]):
        column = slice(start, support.indptr[roi + 1])
        image = images[column] - images[column].mean()
        footprint = support.data[column] - support.data[column].mean()
        power = math.sqrt((image @ image) * (footprint @ footprint))
        rval[roi] = image @ footprint / power if power > 0 else 0.0
    return rval
