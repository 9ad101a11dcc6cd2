"""How far images lie from a template: the peak of their cross-correlation."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipeline.motion.patches import Lengths, with_neighbours
from pipeline.motion.planes import PlaneLags, plan_plane_lags

RAMP_FRACTION = 0.15
"""Part of a side over which the weight of a template rises from zero to one."""


@dataclass(frozen=True, kw_only=True)
class Correlator:
    """Templates, ready to be compared with images of the same shape.

    A template counts with a weight that is zero near its edges, as far as the largest lag, so that
    nothing that wraps around is ever compared. The correlation is summed over planes; where lags
    across planes are looked for, the outermost planes of the images do not count.

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

    across: PlaneLags
    """Lags across planes."""

    patches: Lengths
    """Number of patches along planes, rows and columns; those next to each other count for each
    other."""

    flat: NDArray[np.bool_]
    """Templates without contrast, which say nothing about a shift, ``(n_patches,)``."""

    max_lag_px: tuple[float, float, float]
    """Largest lag around the expected one, along planes, rows and columns."""

    upsampling: int
    """Steps a pixel around the peak."""

    bias_px: NDArray[np.float64]
    """Where the templates themselves seem to lie, ``(n_patches, 3)``; taken off each shift."""

    def shifts_px(
        self, images: NDArray[np.float32], expected_px: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Find how far each image lies from its template.

        Parameters
        ----------
        images : array, (n_frames, n_patches, n_planes, n_rows, n_cols)
            What is compared; an image without contrast lies where it is expected.
        expected_px : array, (n_frames, n_patches, 3)
            The lag around which to look, at most half a pixel from zero.

        Returns
        -------
        array, (n_frames, n_patches, 3)
            The shifts along planes, rows and columns, within ``max_lag_px`` of the expected one.
        """
        products = self._products(images)
        limits = np.asarray(self.max_lag_px)
        fine = self._refined(products, self._whole_lags(products))
        found = np.clip(fine - self.bias_px, expected_px - limits, expected_px + limits)
        flat = self.flat | (np.ptp(images, axis=(2, 3, 4)) == 0)
        return np.where(flat[..., np.newaxis], expected_px, found)

    def _products(self, images: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Multiply spectra, and sum over planes, for each whole lag across them.

        Returns ``(n_frames, n_patches, n_plane_lags, n_rows, n_freqs)``.
        """
        spectra = fft.rfft2(images[:, :, self.across.compared], self.fft_shape)
        if self.spectra.shape[1] == 1:
            spectra *= self.spectra
            products = spectra
        else:
            products = np.stack(
                [
                    np.einsum("fpzrc,pzrc->fprc", spectra, self.spectra[:, planes])
                    for planes in self.across.templates
                ],
                axis=2,
            )
        across = self.across.reach > 0
        return with_neighbours(products, self.patches, axis=1, across_planes=across)

    def _whole_lags(self, products: NDArray[np.complex64]) -> NDArray[np.int64]:
        """Return the whole lags along rows and columns where the correlation is largest."""
        rows, cols = (
            np.arange(-reach, reach + 1)
            for reach in (ceil(lag + 0.5) for lag in self.max_lag_px[1:])
        )
        correlation = (self.waves[0][rows] @ products @ self.waves[1][cols].T).real
        best = self.across.best_place(correlation)
        return np.stack([rows[best // cols.size], cols[best % cols.size]], axis=-1)

    def _refined(
        self, products: NDArray[np.complex64], lags: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the peak of the correlation, within a pixel of whole lags along rows, columns."""
        rows, cols = (
            (waves[lags[..., axis]][..., np.newaxis, :] * steps)[:, :, np.newaxis]
            for axis, (waves, steps) in enumerate(zip(self.waves, self.steps, strict=True))
        )
        correlation = (rows @ products @ cols.swapaxes(-1, -2)).real
        fine = _peaks(self.across.scores(correlation)) / self.upsampling
        fine[..., 0] -= self.across.reach
        fine[..., 1:] += lags - 1
        return fine


def prepare_templates(
    templates: NDArray[np.float32],
    images: NDArray[np.float32],
    *,
    max_lag_px: tuple[float, float, float],
    margin_px: Lengths,
    upsampling: int,
    patches: Lengths | None = None,
) -> Correlator:
    """Weight templates and transform them.

    Parameters
    ----------
    templates : array, (n_patches, n_planes, n_rows, n_cols)
        What images will be compared with.
    images : array, (n_patches, n_planes, n_rows, n_cols)
        The images of which the templates were made, which have not moved.
    max_lag_px : tuple of float
        Largest lag around the expected one, along planes, rows and columns; 0 planes: none.
    margin_px : tuple of int
        Planes, rows and columns at the edges that do not count; at least the largest lag, the
        expected included.
    upsampling : int
        Steps a pixel around the peak.
    patches : tuple of int, optional
        Number of patches along planes, rows and columns; without it, none has neighbours.
    """
    shape = patches or (len(templates), 1, 1)
    weight = np.multiply.outer(*map(_taper, templates.shape[-2:], margin_px[1:]))
    mean = (templates * weight).sum(axis=(-2, -1), keepdims=True) / weight.sum()
    weighted = ((templates - mean) * weight).astype(np.float32)
    n_rows, n_cols = (fft.next_fast_len(n, real=True) for n in templates.shape[-2:])
    row_frequencies, col_frequencies = fft.fftfreq(n_rows), fft.rfftfreq(n_cols)
    # half a spectrum stands for both halves: all but the lowest and the middle count twice
    twice = np.ones(col_frequencies.size)
    twice[1 : (n_cols + 1) // 2] = 2
    steps = np.arange(-upsampling, upsampling + 1) / upsampling
    no_bias = np.zeros((len(templates), 3))
    correlator = Correlator(
        spectra=np.conj(fft.rfft2(weighted, (n_rows, n_cols))),
        fft_shape=(n_rows, n_cols),
        waves=(
            _waves(np.arange(n_rows), row_frequencies),
            _waves(np.arange(n_cols), col_frequencies) * twice.astype(np.float32),
        ),
        steps=(_waves(steps, row_frequencies), _waves(steps, col_frequencies)),
        across=plan_plane_lags(weighted, patches=shape, reach=margin_px[0], upsampling=upsampling),
        patches=shape,
        flat=np.ptp(templates, axis=(1, 2, 3)) == 0,
        max_lag_px=max_lag_px,
        upsampling=upsampling,
        bias_px=no_bias,
    )
    # what is bright just outside of the weight pulls the peak, in each frame alike
    bias_px = correlator.shifts_px(images[np.newaxis], no_bias[np.newaxis])[0]
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


def _peaks(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return where each score is largest, in steps, between them by a parabola along each axis.

    Scores are ``(n_frames, n_patches, n_plane_steps, n_steps, n_steps)``.
    """
    shape = scores.shape[2:]
    flat = scores.reshape(-1, np.prod(shape))
    each = np.arange(len(flat))
    best = flat.argmax(axis=1)
    at = flat[each, best]
    places = np.unravel_index(best, shape)
    strides = shape[1] * shape[2], shape[2], 1
    peaks = np.empty((len(flat), len(shape)))
    for axis, (place, stride, length) in enumerate(zip(places, strides, shape, strict=True)):
        inside = (place > 0) & (place < length - 1)
        step = np.where(inside, stride, 0)
        before, after = flat[each, best - step], flat[each, best + step]
        bend = before - 2 * at + after
        is_top = inside & (bend < 0)
        tops = 0.5 * (before - after) / np.where(is_top, bend, 1)
        peaks[:, axis] = place + np.where(is_top, tops, 0)
    return peaks.reshape(*scores.shape[:2], len(shape))
