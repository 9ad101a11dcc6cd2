"""Traces from footprints: block coordinate descent with deconvolution."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.blocks import map_items
from pipeline.extraction.background import (
    LocalBackground,
    find_blocks,
    under_footprints,
    without_noise,
)
from pipeline.extraction.deconvolution import (
    Deconvolved,
    Fit,
    coefficients_of,
    deconvolve,
    fit_coefficients,
    noise_level,
    slow_basis,
)
from pipeline.extraction.field import Field
from pipeline.extraction.mosaic import Spread
from pipeline.extraction.stream import Stream
from pipeline.scratch import portions, put_aside, scratch_array, some_rows

SWEEPS = 3

Denoise = Callable[[NDArray[np.float64], Fit | None], Deconvolved]
"""Takes one raw trace apart, given its earlier fit if there is any."""


@dataclass(frozen=True, kw_only=True)
class Traces:
    """All traces of a set of footprints."""

    calcium: NDArray[np.float32]
    """Without noise and slow baseline, not negative, ``(n_rois, n_frames)``."""

    raw: NDArray[np.float32]
    """With noise and baseline, ``(n_rois, n_frames)``."""

    denoised: NDArray[np.float32]
    """Calcium plus the slow baseline, ``(n_rois, n_frames)``."""

    spikes: NDArray[np.float32]
    """What drives the calcium, ``(n_rois, n_frames)``."""

    fits: tuple[Fit, ...]
    """The numbers that each was denoised with."""

    courses: LocalBackground
    """The changing background at every pixel."""

    background: NDArray[np.float32]
    """Background under each footprint, ``(n_rois, n_frames)``."""


def autoregressive(
    *, order: int, decay_frames: float, n_frames: int | None = None, fitted: bool = True
) -> Denoise:
    """Return the deconvolution of one trace; its time constants are fitted the first time.

    Parameters
    ----------
    order : int
        0, 1 or 2; 0 is no model: what exceeds the slow baseline is calcium, without spikes.
    decay_frames : float
        Expected decay time, in frames.
    n_frames : int, optional
        Length of the traces: their baseline may change slowly. Without it, it is constant.
    fitted : bool
        Whether the time constants are fitted; without it, the expected decay is taken.

    Returns
    -------
    callable
        As `update_traces` takes it.
    """
    basis = None if n_frames is None else slow_basis(n_frames, decay_frames)
    if order == 0:
        return above_median

    def denoise(trace: NDArray[np.float64], earlier: Fit | None) -> Deconvolved:
        noise = noise_level(trace)
        if earlier:
            coefficients = earlier.coefficients
        elif not fitted:
            coefficients = coefficients_of(decay_frames, 0)
        else:
            coefficients = fit_coefficients(
                trace, order=order, noise=noise, decay_frames=decay_frames, basis=basis
            )
        return deconvolve(trace, coefficients=coefficients, noise=noise, basis=basis)

    return denoise


def above_median(trace: NDArray[np.float64], _: Fit | None) -> Deconvolved:
    """Take what exceeds the median as calcium, without a model: enough to find cells."""
    baseline = float(np.median(trace))
    calcium = np.maximum(trace - baseline, 0).astype(np.float32)
    slow = np.full(trace.size, baseline, np.float32)
    nothing = np.zeros_like(calcium)
    return Deconvolved(calcium, nothing, slow, Fit(baseline, noise_level(trace), (0.0, 0.0)))


def update_traces(  # noqa: PLR0913 - what is known of the traces comes in parts
    stream: Stream,
    footprints: sparse.csc_array,
    calcium: NDArray[np.float32],
    *,
    field: Field,
    gnb: int | None,
    denoise: Denoise,
    coarse: bool = False,
) -> Traces:
    """Read the movie once and return the traces of footprints, starting from earlier ones.

    The background is what those leave; where they are too coarse, it is taken anew in each sweep.
    """
    blocks = find_blocks(footprints, field)
    projected = stream.project(footprints, blocks.average, phase="traces")
    n_rois = footprints.shape[1]
    of_cells = sparse.csr_array(under_footprints(footprints, blocks.average).T)
    under = under_footprints(footprints, blocks.spread)

    def background(calcium: NDArray[np.float32]) -> NDArray[np.float32]:
        courses = scratch_array((blocks.average.shape[1], calcium.shape[1]))
        for rows in some_rows(courses, calcium, projected):
            courses[rows] = projected[n_rois:][rows] - of_cells[rows] @ calcium
        return without_noise(courses, gnb)

    return _descend(
        projected[:n_rois],
        sparse.csr_array(footprints.T @ footprints).astype(np.float64),
        calcium,
        _How(blocks.spread, under, background, denoise, stream.threads, coarse),
    )


class _How(NamedTuple):
    """How traces are updated."""

    spread: Spread
    """From blocks to pixels."""

    under: sparse.csr_array
    """From blocks to footprints, ``(n_rois, n_blocks)``."""

    background: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Courses of the blocks, given the calcium."""

    denoise: Denoise
    """Takes a trace apart."""

    threads: int
    """Traces worked on at once."""

    coarse: bool
    """Whether the traces to begin with are too coarse for the background to be told apart."""


def _descend(
    projected: NDArray[np.float32],
    overlap: sparse.csr_array,
    first: NDArray[np.float32],
    how: _How,
) -> Traces:
    """Update the background, then one trace after the other, the others held."""
    calcium, denoised, raw, spikes, background = arrays = _scratch(5, first.shape)
    for rows in some_rows(first, calcium, denoised):
        calcium[rows] = denoised[rows] = first[rows]
    power = overlap.diagonal()
    fits: list[Fit | None] = [None] * len(calcium)
    groups = apart(overlap)
    for sweep in range(SWEEPS):
        if sweep == 0 or how.coarse:
            courses = how.background(calcium)

        def update(roi: int, courses: NDArray[np.float32] = courses) -> None:
            background[roi] = _weighted(how.under, roi, courses) / power[roi]
            others = _weighted(overlap, roi, denoised)
            trace = denoised[roi] + (projected[roi] - others) / power[roi] - background[roi]
            part = how.denoise(trace, fits[roi])
            fits[roi], calcium[roi], spikes[roi] = part.fit, part.calcium, part.spikes
            raw[roi], denoised[roi] = trace, part.calcium + part.slow

        for group in groups:
            for part in portions(group, n_frames=first.shape[1]):
                map_items(update, part, threads=how.threads)
                put_aside(*arrays, projected, courses)
    return Traces(
        calcium=calcium,
        raw=raw,
        denoised=denoised,
        spikes=spikes,
        fits=tuple(fit for fit in fits if fit),
        courses=LocalBackground(how.spread, courses),
        background=background,
    )


def _scratch(n_arrays: int, shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
    """Return arrays for traces."""
    return [scratch_array(shape) for _ in range(n_arrays)]


def _weighted(
    weights: sparse.csr_array, row: int, traces: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the sum of traces with the weights of a row, ``(n_frames,)``; few traces are read."""
    total = np.zeros(traces.shape[1])
    for i in range(weights.indptr[row], weights.indptr[row + 1]):
        total += np.float64(weights.data[i]) * traces[weights.indices[i]]
    return total


def apart(overlap: sparse.csr_array) -> list[list[int]]:
    """Sort components into groups whose members do not overlap: none needs another's new trace.

    Parameters
    ----------
    overlap : sparse array, (n_rois, n_rois)
        Entries say which overlap.

    Returns
    -------
    list of list of int
        Each component is in the first group that has none of those it overlaps.
    """
    group_of = np.full(overlap.shape[0], -1)
    groups: list[list[int]] = []
    for roi, start in enumerate(overlap.indptr[:-1]):
        taken = set(group_of[overlap.indices[start : overlap.indptr[roi + 1]]].tolist())
        group = next(number for number in range(len(groups) + 1) if number not in taken)
        if group == len(groups):
            groups.append([])
        groups[group].append(roi)
        group_of[roi] = group
    return groups
