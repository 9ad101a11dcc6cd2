"""How far images lie from a template: the peak of their cross-correlation."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

RAMP_FRACTION = 0.15
"""Part of a side over which the weight of a template rises from zero to one."""


@dataclass(frozen=True, kw_only=True)
class Correlator:
    """Templates, ready to be compared with images of the same shape.

    A template counts with a weight that is zero near its edges, as far as the largest lag, so that
    nothing that wraps around is ever compared. The correlation is summed over planes.

    References
    ----------
    Guizar-Sicairos, Thurman and Fienup, Opt. Lett. 33, 156 (2008), doi:10.1364/OL.33.000156.
    """

    spectra: NDArray[np.complex64]
    """Conjugate spectra of the weighted templates, ``(n_patches, n_planes, n_rows, n_freqs)``."""

    fft_shape: tuple[int, int]
    """Lengths of the Fourier transforms."""

    waves: tuple[NDArray[np.complex64], NDArray[np.complex64]]
    """What takes a spectrum to whole lags along rows and columns, ``(length, n_freqs)``; row
    ``-1`` is that of lag -1."""

    steps: tuple[NDArray[np.complex64], NDArray[np.complex64]]
    """What takes it to fractions of a lag, ``(2 upsampling + 1, n_freqs)``, from -1 to 1."""

    flat: NDArray[np.bool_]
    """Templates without contrast, which say nothing about a shift, ``(n_patches,)``."""

    max_lag_px: tuple[float, float]
    """Largest lag around the expected one, along rows and columns."""

    upsampling: int
    """Steps a pixel around the peak."""

    bias_px: NDArray[np.float64]
    """Where the templates themselves seem to lie, ``(n_patches, 2)``; taken off each shift."""

    def shifts_px(
        self, images: NDArray[np.float32], expected_px: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find how far each image lies from its template.

        Parameters
        ----------
        images : array, (n_frames, n_patches, n_planes, n_rows, n_cols)
            What is compared; an image without contrast lies where it is expected.
        expected_px : array, (n_frames, 2)
            The lag around which to look, at most half a pixel from zero.

        Returns
        -------
        array, (n_frames, n_patches, 2)
            The shifts, rows first, within ``max_lag_px`` of the expected one.
        """
        products = fft.rfft2(images, self.fft_shape)
        products *= self.spectra
        # a sum over a single plane would be a slow copy
        products = products.sum(axis=2) if products.shape[2] > 1 else products[:, :, 0]
        expected = np.broadcast_to(expected_px[:, np.newaxis], (*images.shape[:2], 2))
        limits = np.asarray(self.max_lag_px)
        fine = self._refined(products, self._whole_lags(products))
        found = np.clip(fine - self.bias_px, expected - limits, expected + limits)
        flat = self.flat | (np.ptp(images, axis=(2, 3, 4)) == 0)
        return np.where(flat[..., np.newaxis], expected, found)

    def _whole_lags(self, products: NDArray[np.complex64]) -> NDArray[np.int64]:
        """Return the whole lags where the correlation is largest."""
        rows, cols = (
            np.arange(-reach, reach + 1) for reach in (ceil(lag + 0.5) for lag in self.max_lag_px)
        )
        correlation = (self.waves[0][rows] @ products @ self.waves[1][cols].T).real
        best = correlation.reshape(*products.shape[:2], -1).argmax(axis=-1)
        return np.stack([rows[best // cols.size], cols[best % cols.size]], axis=-1)

    def _refined(
        self, products: NDArray[np.complex64], lags: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the peak of the correlation within a pixel of whole lags."""
        rows, cols = (
            waves[lags[..., axis]][..., np.newaxis, :] * steps
            for axis, (waves, steps) in enumerate(zip(self.waves, self.steps, strict=True))
        )
        correlation = (rows @ products @ cols.swapaxes(-1, -2)).real
        n_steps = 2 * self.upsampling + 1
        best = correlation.reshape(*lags.shape[:2], -1).argmax(axis=-1)
        peaks = np.stack(np.divmod(best, n_steps), axis=-1)
        return lags + (peaks - self.upsampling + _tops(correlation, peaks)) / self.upsampling


def prepare_templates(
    templates: NDArray[np.float32],
    images: NDArray[np.float32],
    *,
    max_lag_px: tuple[float, float],
    margin_px: tuple[int, int],
    upsampling: int,
) -> Correlator:
    """Weight templates and transform them.

    Parameters
    ----------
    templates : array, (n_patches, n_planes, n_rows, n_cols)
        What images will be compared with.
    images : array, (n_patches, n_planes, n_rows, n_cols)
        The images of which the templates were made, which have not moved.
    max_lag_px : tuple of float
        Largest lag around the expected one.
    margin_px : tuple of int
        Width of the edges that do not count; at least the largest lag, the expected included.
    upsampling : int
        Steps a pixel around the peak.
    """
    weight = np.multiply.outer(*map(_taper, templates.shape[-2:], margin_px))
    mean = (templates * weight).sum(axis=(-2, -1), keepdims=True) / weight.sum()
    weighted = ((templates - mean) * weight).astype(np.float32)
    n_rows, n_cols = (fft.next_fast_len(n, real=True) for n in templates.shape[-2:])
    row_frequencies, col_frequencies = fft.fftfreq(n_rows), fft.rfftfreq(n_cols)
    # half a spectrum stands for both halves: all but the lowest and the middle count twice
    twice = np.ones(col_frequencies.size)
    twice[1 : (n_cols + 1) // 2] = 2
    steps = np.arange(-upsampling, upsampling + 1) / upsampling
    correlator = Correlator(
        spectra=np.conj(fft.rfft2(weighted, (n_rows, n_cols))),
        fft_shape=(n_rows, n_cols),
        waves=(
            _waves(np.arange(n_rows), row_frequencies),
            _waves(np.arange(n_cols), col_frequencies) * twice.astype(np.float32),
        ),
        steps=(_waves(steps, row_frequencies), _waves(steps, col_frequencies)),
        flat=np.ptp(templates, axis=(1, 2, 3)) == 0,
        max_lag_px=max_lag_px,
        upsampling=upsampling,
        bias_px=np.zeros((len(templates), 2)),
    )
    # what is bright just outside of the weight pulls the peak, in each frame alike
    bias_px = correlator.shifts_px(images[np.newaxis], np.zeros((1, 2)))[0]
    return replace(correlator, bias_px=bias_px)


def _taper(length: int, margin: int) -> NDArray[np.float64]:
    """Return a weight that is 0 in the margins and rises smoothly to 1 inside of them."""
    ramp = max(RAMP_FRACTION * length, 1.0)
    depth = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1 - margin
    return np.asarray(np.sin(np.pi / 2 * np.clip(depth / ramp, 0, 1)) ** 2)


def _waves(
    lags: NDArray[np.floating[Any]] | NDArray[np.integer[Any]], frequencies: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """Return the matrix that takes a spectrum to lags, ``(n_lags, n_freqs)``."""
    waves = np.exp(2j * np.pi * np.multiply.outer(lags, frequencies))
    return np.asarray(waves, np.complex64)


def _tops(correlation: NDArray[np.floating[Any]], peaks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far, in steps, the top of a parabola lies from each peak along each axis."""
    last = correlation.shape[-1] - 1
    frame, patch = np.ogrid[: peaks.shape[0], : peaks.shape[1]]
    row, col = peaks[..., 0], peaks[..., 1]
    at = correlation[frame, patch, row, col]
    tops = []
    for down, right, place in ((1, 0, row), (0, 1, col)):
        before, after = (
            correlation[
                frame,
                patch,
                np.clip(row + sign * down, 0, last),
                np.clip(col + sign * right, 0, last),
            ]
            for sign in (-1, 1)
        )
        bend = before - 2 * at + after
        is_top = (bend < 0) & (place > 0) & (place < last)
        tops.append(np.where(is_top, 0.5 * (before - after) / np.where(is_top, bend, 1), 0.0))
    return np.stack(tops, axis=-1).astype(float)
