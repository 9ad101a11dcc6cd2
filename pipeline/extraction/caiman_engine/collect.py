"""What CaImAn found, in the units and with the measures of our own engines."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.caiman_engine.exchange import Found
from pipeline.extraction.caiman_engine.params import CaimanParams
from pipeline.extraction.deconvolution import noise_level, time_constants_of
from pipeline.extraction.dff import Dff, delta_f_over_f
from pipeline.extraction.sources import Background, Quality, Sources
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Survey
from pipeline.rois import solidity

LEAST_SNR = 0.5
LEAST_RVAL = -1.0
"""CaImAn rejects what is not above these, whatever the other number is."""


def collect_sources(
    found: Found,
    stream: Stream,
    survey: Survey,
    params: CaimanParams,
    versions: dict[str, str],
) -> Sources:
    """Scale what CaImAn found as our footprints are, and measure what it does not.

    Parameters
    ----------
    found : Found
        As CaImAn has it.
    stream : Stream
        The movie, read once more for the background under each component.
    survey : Survey
        Which pixels and frames are used.
    params : CaimanParams
        Settings.
    versions : dict
        Of CaImAn and its libraries.

    Returns
    -------
    Sources
        ``snr``, ``rval``, ``baseline``, time constants and the verdict are CaImAn's. ``noise``,
        ``area_px``, ``solidity`` and dF/F are measured as those of our own engines.

    Notes
    -----
    The background under a component is what the movie has there besides the component, its
    residual and the other components, so that all of them together are the movie, whatever model
    of the background CaImAn had.
    """
    found = _scaled(_on_usable_pixels(found, survey.usable))
    rate_hz = stream.movie.require_rate_hz()
    raw = found.calcium + found.residuals
    under = _under(found, stream)
    dff = delta_f_over_f(
        raw,
        under,
        window_frames=max(1, round(params.dff_window_s * rate_hz)),
        percentile=params.dff_percentile,
    )
    n_rows, n_cols = stream.movie.frame_shape

    def on_all(traces: NDArray[np.float32]) -> NDArray[np.float32]:
        full = np.full((len(traces), survey.kept.size), np.nan, np.float32)
        full[:, survey.kept] = traces
        return full

    spatial, temporal = _background(found, survey)
    return Sources(
        footprints=found.footprints,
        denoised=on_all(found.calcium),
        residuals=on_all(found.residuals),
        spikes=on_all(found.spikes),
        dff=on_all(dff.dff),
        background=Background(spatial, on_all(temporal)),
        quality=_measured(found, raw, dff, (n_rows, n_cols), rate_hz),
        accepted=found.accepted,
        reasons=tuple(_reason(found, roi, params) for roi in range(len(raw))),
        dff_window_frames=dff.window_frames,
        frame_shape=(n_rows, n_cols),
        under=on_all(under),
        versions=versions,
    )


def _on_usable_pixels(found: Found, usable: NDArray[np.bool_]) -> Found:
    """Return the components that have pixels which may belong to a cell, with these alone."""
    inside = sparse.diags_array(usable.astype(np.float32))
    footprints = sparse.csc_array(inside @ found.footprints.maximum(0), dtype=np.float32)
    footprints.eliminate_zeros()
    footprints.sort_indices()
    return _chosen(found._replace(footprints=footprints), np.diff(footprints.indptr) > 0)


def _chosen(found: Found, chosen: NDArray[np.bool_]) -> Found:
    """Return some of the components."""
    by_row = {
        name: getattr(found, name)[chosen]
        for name in Found._fields
        if name not in ("footprints", "background")
    }
    return found._replace(footprints=sparse.csc_array(found.footprints[:, chosen]), **by_row)


def _scaled(found: Found) -> Found:
    """Scale footprints so that their squares and they have one sum, and the traces the other way.

    Traces are then in units of the movie.
    """
    total = np.asarray(found.footprints.sum(axis=0), np.float64).ravel()
    squared = np.asarray(found.footprints.power(2).sum(axis=0), np.float64).ravel()
    scale = (total / squared).astype(np.float32)
    column = scale[:, np.newaxis]
    return found._replace(
        footprints=sparse.csc_array(found.footprints @ sparse.diags_array(scale)),
        calcium=found.calcium / column,
        residuals=found.residuals / column,
        spikes=found.spikes / column,
        baseline=found.baseline / scale,
    )


def _under(found: Found, stream: Stream) -> NDArray[np.float32]:
    """Return the background under each component, its mean over the footprint."""
    if not len(found.calcium):
        return found.calcium
    projected = stream.project(found.footprints, phase="background")
    overlap = sparse.csr_array(found.footprints.T @ found.footprints)
    power = overlap.diagonal()[:, np.newaxis]
    explained = np.asarray(overlap @ found.calcium)
    return np.asarray((projected - explained) / power - found.residuals, np.float32)


def _background(
    found: Found, survey: Survey
) -> tuple[sparse.csc_array | NDArray[np.float32], NDArray[np.float32]]:
    """Return CaImAn's background of low rank; of a ring background what is constant."""
    n_kept = found.calcium.shape[1]
    if found.background is not None:
        spatial, temporal = found.background
        return np.where(survey.usable[:, np.newaxis], spatial, 0), temporal
    static = survey.mean - found.footprints @ found.calcium.mean(axis=1, dtype=np.float64)
    static = np.where(survey.usable, static, 0).astype(np.float32)
    return sparse.csc_array(static[:, np.newaxis]), np.ones((1, n_kept), np.float32)


def _measured(
    found: Found,
    raw: NDArray[np.float32],
    dff: Dff,
    frame_shape: tuple[int, int],
    rate_hz: float,
) -> Quality:
    """Return CaImAn's numbers, and ours where it has none."""
    footprints = found.footprints
    columns = np.split(footprints.indices, footprints.indptr[1:-1])[: footprints.shape[1]]
    constants = np.array([_time_constants(pair) for pair in found.coefficients]).reshape(-1, 2)
    return Quality(
        snr=found.snr.astype(np.float32),
        rval=found.rval.astype(np.float32),
        solidity=np.array([solidity(pixels, frame_shape) for pixels in columns], np.float32),
        area_px=np.diff(footprints.indptr).astype(np.int64),
        noise=np.array([noise_level(trace) for trace in raw], np.float32),
        baseline=found.baseline.astype(np.float32),
        decay_time_s=(constants[:, 0] / rate_hz).astype(np.float32),
        rise_time_s=(constants[:, 1] / rate_hz).astype(np.float32),
        dff_percentile=dff.percentile,
    )


def _time_constants(coefficients: NDArray[np.float64]) -> tuple[float, float]:
    """Return decay and rise, in frames; NaN for what is no decay."""
    first, second = (float(number) for number in coefficients)
    is_stable = first > 0 and first + second < 1 and first * first + 4 * second >= 0
    return time_constants_of((first, second)) if is_stable else (math.nan, math.nan)


def _reason(found: Found, roi: int, params: CaimanParams) -> str:
    """Return why CaImAn rejects a component: it accepts what reaches one of the two thresholds."""
    if found.accepted[roi]:
        return ""
    snr, rval = float(found.snr[roi]), float(found.rval[roi])
    if not snr > LEAST_SNR:
        return f"snr {snr:.2f} is not above {LEAST_SNR:g}"
    if not rval > LEAST_RVAL:
        return f"rval {rval:.2f} is not above {LEAST_RVAL:g}"
    return (
        f"snr {snr:.2f} is below {params.min_snr:g} and rval {rval:.2f} below {params.min_rval:g}"
    )
