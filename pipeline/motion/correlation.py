"""How far images lie from a template: the peak of their cross-correlation."""

from dataclasses import dataclass, replace
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
        images : array, (n_patches, n_planes, n_rows, n_cols)
            What is compared; an image without contrast lies where it is expected.
        expected_px : array, (2,)
            The lag around which to look, not beyond one pixel.

        Returns
        -------
        array, (n_patches, 2)
            The shifts, rows first, within ``max_lag_px`` of the expected one.
        """
        products = (fft.rfft2(images, self.fft_shape) * self.spectra).sum(axis=1)
        expected = np.broadcast_to(expected_px, (len(images), 2))
        limits = np.asarray(self.max_lag_px)
        whole = [np.arange(-reach, reach + 1) for reach in np.floor(limits)]
        parts = [np.arange(-self.upsampling, self.upsampling + 1) / self.upsampling] * 2
        coarse = expected + self._peaks(products, expected, whole, refine=False)
        fine = coarse + self._peaks(products, coarse, parts, refine=True)
        found = np.clip(fine - self.bias_px, expected - limits, expected + limits)
        flat = self.flat | (np.ptp(images, axis=(1, 2, 3)) == 0)
        return np.where(flat[:, np.newaxis], expected, found)

    def _peaks(
        self,
        products: NDArray[np.complex64],
        centers_px: NDArray[np.float64],
        offsets_px: list[NDArray[Any]],
        *,
        refine: bool,
    ) -> NDArray[np.float64]:
        """Return where, on a grid around each centre, the correlation is largest."""
        n_rows, n_cols = self.fft_shape
        rows = _waves(fft.fftfreq(n_rows), centers_px[:, 0], offsets_px[0])
        cols = _waves(fft.rfftfreq(n_cols), centers_px[:, 1], offsets_px[1])
        correlation = (rows @ products @ cols.transpose(0, 2, 1)).real
        n_patches, _, n_wide = correlation.shape
        best = correlation.reshape(n_patches, -1).argmax(axis=1)
        peaks = np.stack([best // n_wide, best % n_wide], axis=1)
        found = np.stack([grid[peak] for grid, peak in zip(offsets_px, peaks.T, strict=True)], 1)
        if refine:
            steps = [grid[1] - grid[0] for grid in offsets_px]
            found = found + steps * _parabola(correlation, peaks)
        return np.asarray(found, float)


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
    fft_shape = tuple(fft.next_fast_len(n, real=True) for n in templates.shape[-2:])
    spectra = np.conj(fft.rfft2(weighted, fft_shape))
    # half a spectrum stands for both halves: all but the lowest and the middle count twice
    spectra[..., 1 : (fft_shape[1] + 1) // 2] *= 2
    correlator = Correlator(
        spectra=spectra,
        fft_shape=(fft_shape[0], fft_shape[1]),
        flat=np.ptp(templates, axis=(1, 2, 3)) == 0,
        max_lag_px=max_lag_px,
        upsampling=upsampling,
        bias_px=np.zeros((len(templates), 2)),
    )
    # what is bright just outside of the weight pulls the peak, in each frame alike
    return replace(correlator, bias_px=correlator.shifts_px(images, np.zeros(2)))


def _taper(length: int, margin: int) -> NDArray[np.float64]:
    """Return a weight that is 0 in the margins and rises smoothly to 1 inside of them."""
    ramp = max(RAMP_FRACTION * length, 1.0)
    depth = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1 - margin
    return np.asarray(np.sin(np.pi / 2 * np.clip(depth / ramp, 0, 1)) ** 2)


def _waves(
    frequencies: NDArray[np.float64], centers_px: NDArray[np.float64], offsets_px: NDArray[Any]
) -> NDArray[np.complex64]:
    """Return the matrix that takes a spectrum to lags, ``(n_centers, n_offsets, n_freqs)``."""
    turns = 2j * np.pi * frequencies
    centered = np.exp(np.multiply.outer(centers_px, turns)).astype(np.complex64)
    offset = np.exp(np.multiply.outer(offsets_px, turns)).astype(np.complex64)
    return np.asarray(centered[:, np.newaxis] * offset)


def _parabola(correlation: NDArray[np.floating], peaks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far, in steps, the top of a parabola lies from each peak along each axis."""
    found = np.zeros(peaks.shape)
    for patch, (row, col) in enumerate(peaks):
        found[patch] = _top(correlation[patch, :, col], row), _top(correlation[patch, row], col)
    return found


def _top(values: NDArray[np.floating], peak: int) -> float:
    """Return how far the top of the parabola through a peak and its neighbours lies from it."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, at, after = values[peak - 1 : peak + 2].tolist()
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
