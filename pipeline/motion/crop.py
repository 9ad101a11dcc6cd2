"""Where an image has content: the rectangle (or box) that is left without its empty borders."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from pipeline.checks import check_in_range, check_one_of, check_shape

METHODS = ("threshold", "saliency")
N_GREYS = 256
SALIENCY_PX = 64
"""Length of the longer side of the image whose spectrum is looked at, as in the paper."""

SALIENCY_SIGMA_PX = 2.5
"""Of the Gaussian that joins what is salient, at that length."""

SPECTRUM_WINDOW = 3
"""Width of the window whose mean is the expected log spectrum."""

ROUNDING = 1e-7
"""Relative to the largest value; smaller differences are none."""

Range = tuple[int, int]
Image = NDArray[np.float64]


class Crop(NamedTuple):
    """A part of an image, in half-open ranges of pixels."""

    rows: Range
    """First row, and the one after the last."""

    cols: Range
    """First column, and the one after the last."""

    planes: Range | None = None
    """First plane, and the one after the last; None: the image has no planes."""

    @property
    def slices(self) -> tuple[slice, ...]:
        """What cuts it from an image, ``([planes,] rows, cols)``."""
        ranges = (self.planes, self.rows, self.cols)
        return tuple(slice(*limits) for limits in ranges if limits is not None)


def find_crop(
    image: NDArray[Any],
    *,
    method: str = "threshold",
    blur_px: int = 16,
    padding_px: int = 30,
    min_area_px: int = 64,
) -> Crop:
    """Find the smallest part of an image that holds all its objects, with some room around.

    Parameters
    ----------
    image : array, ([n_planes,] n_rows, n_cols)
        A projection of a movie over time, as the standard deviation. NaN and infinite pixels
        count as empty.
    method : str
        'threshold' takes what is brighter than Otsu's threshold; 'saliency' takes what stands
        out of a textured background, by the spectral residual of each plane.
    blur_px : int
        Width of the square over which pixels are averaged before, in pixels; 1: not at all.
    padding_px : int
        Room that is left around the objects in a plane, in pixels.
    min_area_px : int
        Objects of fewer pixels (voxels) are taken for noise.

    Returns
    -------
    Crop
        Half-open ranges of rows, columns and, of a volume, planes.

    Raises
    ------
    ValueError
        If a value is out of its range, or there is no object: the image is flat, or all that
        stands out is smaller than ``min_area_px``.

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), doi:10.1109/TSMC.1979.4310076.
    Hou and Zhang, CVPR (2007), doi:10.1109/CVPR.2007.383267.

    Examples
    --------
    >>> image = np.zeros((100, 120))
    >>> image[40:60, 70:90] = 1
    >>> find_crop(image, blur_px=1, padding_px=5)
    Crop(rows=(35, 65), cols=(65, 95), planes=None)
    """
    check_one_of("method", method, METHODS)
    check_in_range("blur_px", blur_px, 1, 1000)
    check_in_range("padding_px", padding_px, 0, 10_000)
    check_in_range("min_area_px", min_area_px, 1, 1e9)
    planes = _as_planes(image)
    blurred = ndimage.uniform_filter(planes, (1, blur_px, blur_px), mode="nearest")
    if _is_flat(blurred):
        raise ValueError("the image is flat: no object stands out; nothing can be cropped.")
    shown = _spectral_residual(blurred) if method == "saliency" else blurred
    inside = _largest_box(shown > _otsu_threshold(shown), min_area_px)
    ranges = [
        (max(0, part.start - padding), min(length, part.stop + padding))
        for part, length, padding in zip(
            inside, planes.shape, (0, padding_px, padding_px), strict=True
        )
    ]
    return Crop(ranges[1], ranges[2], ranges[0] if image.ndim > 2 else None)  # noqa: PLR2004


def _as_planes(image: NDArray[Any]) -> Image:
    """Return a volume of finite numbers; what was not finite is as dark as the darkest."""
    names = ("n_planes", "n_rows", "n_cols")
    check_shape("image", image.shape, names if image.ndim == len(names) else names[1:])
    values = np.array(image, dtype=np.float64)
    finite = np.isfinite(values)
    values[~finite] = values[finite].min() if finite.any() else 0
    return values.reshape(-1, *image.shape[-2:])


def _is_flat(values: Image, axis: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
    """Return whether values (of each plane) are the same but for rounding."""
    return np.asarray(np.ptp(values, axis=axis) <= ROUNDING * np.abs(values).max())


def _otsu_threshold(image: Image) -> float:
    """Return the grey level that parts an image in the two most different classes."""
    low, high = float(image.min()), float(image.max())
    counts, edges = np.histogram(image, bins=N_GREYS, range=(low, high))
    centers = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    weighted = np.cumsum(counts * centers)
    mean_below = weighted[:-1] / below
    mean_above = (weighted[-1] - weighted[:-1]) / (total - below)
    between = below * (total - below) * (mean_above - mean_below) ** 2
    # between two well separated classes all levels are as good: take the middle of them
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float((edges[1 + best[0]] + edges[1 + best[-1]]) / 2)


def _largest_box(mask: NDArray[np.bool_], min_area_px: int) -> list[slice]:
    """Return the box around all objects that are large enough; corners do not connect."""
    labels, n_objects = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=n_objects + 1)[1:]
    found = np.flatnonzero(areas >= min_area_px)
    if not found.size:
        raise ValueError(
            f"no object of at least min_area_px = {min_area_px} pixels stands out; the largest has "
            f"{areas.max(initial=0)}: lower min_area_px, or blur_px."
        )
    boxes = [ndimage.find_objects(labels)[label] for label in found]
    return [
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
        for axis in range(mask.ndim)
    ]


def _spectral_residual(planes: Image) -> Image:
    """Return how much each pixel stands out of its plane, in the shape of the planes."""
    shape = planes.shape[1:]
    scale = min(1.0, SALIENCY_PX / max(shape))
    small = ndimage.zoom(planes, (1, *(_zoomed(length, scale) for length in shape)), order=1)
    spectrum = fft.fft2(small)
    flat = _is_flat(small, axis=(1, 2))
    amplitude = np.abs(spectrum)
    log_amplitude = np.log(np.maximum(amplitude, ROUNDING * amplitude.max()))
    expected = ndimage.uniform_filter(
        log_amplitude, (1, SPECTRUM_WINDOW, SPECTRUM_WINDOW), mode="wrap"
    )
    residual = np.exp(log_amplitude - expected + 1j * np.angle(spectrum))
    energy = np.where(flat[:, None, None], 0, np.abs(fft.ifft2(residual)) ** 2)
    salient = ndimage.gaussian_filter(energy, (0, SALIENCY_SIGMA_PX, SALIENCY_SIGMA_PX))
    back = [length / size for length, size in zip(shape, salient.shape[1:], strict=True)]
    return np.asarray(ndimage.zoom(salient, (1, *back), order=1))


def _zoomed(length: int, scale: float) -> float:
    """Return the factor that makes a whole number of pixels, at least one."""
    return max(1, round(length * scale)) / length
