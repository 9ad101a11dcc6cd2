"""Traces from footprints: block coordinate descent with deconvolution."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.background import coarse_blocks, fit_courses, leading_courses
from pipeline.extraction.deconvolution import (
    Deconvolved,
    deconvolve,
    fit_coefficients,
    noise_level,
)
from pipeline.extraction.field import Field
from pipeline.extraction.stream import Stream

SWEEPS = 3

Denoise = Callable[[NDArray[np.float64], Deconvolved | None], Deconvolved]
"""Takes one raw trace apart, given its earlier parts if there are any."""


@dataclass(frozen=True, kw_only=True)
class Traces:
    """All traces of a set of footprints."""

    calcium: NDArray[np.float32]
    """Without noise and baseline, not negative, ``(n_rois, n_frames)``."""

    raw: NDArray[np.float32]
    """With noise and baseline, ``(n_rois, n_frames)``."""

    deconvolved: tuple[Deconvolved, ...]
    """The parts of each raw trace."""

    courses: NDArray[np.float32]
    """Of the background, ``(gnb, n_frames)``."""

    background: NDArray[np.float32]
    """Background under each footprint, ``(n_rois, n_frames)``."""


def autoregressive(*, order: int, decay_frames: float) -> Denoise:
    """Return the deconvolution of one trace; its time constants are fitted the first time."""

    def denoise(trace: NDArray[np.float64], earlier: Deconvolved | None) -> Deconvolved:
        noise = noise_level(trace)
        coefficients = (
            earlier.coefficients
            if earlier
            else fit_coefficients(trace, order=order, noise=noise, decay_frames=decay_frames)
        )
        return deconvolve(trace, coefficients=coefficients, noise=noise)

    return denoise


def above_median(trace: NDArray[np.float64], _: Deconvolved | None) -> Deconvolved:
    """Take what exceeds the median as calcium: enough to find cells."""
    baseline = float(np.median(trace))
    calcium = np.maximum(trace - baseline, 0).astype(np.float32)
    return Deconvolved(calcium, calcium, baseline, 0.0, (0.0, 0.0))


def update_traces(
    stream: Stream,
    footprints: sparse.csc_array,
    calcium: NDArray[np.float32],
    *,
    field: Field,
    gnb: int,
    denoise: Denoise,
) -> Traces:
    """Read the movie once and return the traces of footprints, starting from earlier ones.

    The background under a footprint is fitted to its own projection, so that its image is not
    needed here.
    """
    blocks = coarse_blocks(footprints, field)
    both = sparse.csc_array(sparse.hstack([footprints, blocks]))
    projected = stream.project(both, phase="traces")
    n_rois = footprints.shape[1]
    mixing = sparse.csr_array(footprints.T @ both).astype(np.float64)
    overlap = sparse.csr_array(mixing[:, :n_rois])
    coarse = projected[n_rois:] - mixing[:, n_rois:].T @ calcium
    courses = leading_courses(coarse, gnb)
    return _descend(projected[:n_rois], overlap, calcium, courses, denoise)


def _descend(
    projected: NDArray[np.float32],
    overlap: sparse.csr_array,
    calcium: NDArray[np.float32],
    courses: NDArray[np.float32],
    denoise: Denoise,
) -> Traces:
    """Update one trace after the other, the others and the background held."""
    calcium = calcium.copy()
    raw = np.empty_like(calcium)
    power = overlap.diagonal()
    parts: list[Deconvolved | None] = [None] * len(calcium)
    weights = np.zeros((len(calcium), len(courses)))
    for _ in range(SWEEPS):
        weights = fit_courses(projected - overlap @ calcium, courses)
        for roi, row in enumerate(overlap.indptr[:-1]):
            others = slice(row, overlap.indptr[roi + 1])
            explained = overlap.data[others] @ calcium[overlap.indices[others]]
            rest = projected[roi] - explained - weights[roi] @ courses
            raw[roi] = calcium[roi] + rest / power[roi]
            part = denoise(raw[roi].astype(np.float64), parts[roi])
            parts[roi], calcium[roi] = part, part.calcium
    under = (weights / power[:, np.newaxis]) @ courses
    return Traces(
        calcium=calcium,
        raw=raw,
        deconvolved=tuple(part for part in parts if part),
        courses=courses,
        background=under.astype(np.float32),
    )
