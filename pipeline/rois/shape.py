"""Where a footprint lies and what it looks like, in pixels, rows first.

A footprint is one column of a footprint matrix: ``(n_pixels,)`` or ``(n_pixels, 1)``, dense or
sparse, pixels in C order. The centre of the pixel in row 3 and column 5 is the point (3, 5).
"""

import math

import cv2
import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from scipy import sparse

from pipeline.checks import check_in_range

Footprint = NDArray[np.floating] | sparse.csc_array | sparse.coo_array
LEVEL_LIMITS = (0.01, 0.99)


def footprint_image(footprint: Footprint, frame_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a footprint as an image.

    Parameters
    ----------
    footprint : array or sparse array, (n_pixels,) or (n_pixels, 1)
        Weights, pixels in C order.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.

    Returns
    -------
    array, ([n_planes,] n_rows, n_cols)
        The weights.

    Raises
    ------
    ValueError
        If the footprint does not have one finite, non-negative weight for each pixel, or is empty.
    """
    dense = footprint.todense() if sparse.issparse(footprint) else footprint
    image = np.array(dense, np.float32)
    _check_weights(image, image.size, frame_shape)
    return image.reshape(frame_shape)


def _check_weights(
    weights: NDArray[np.floating], n_pixels: int, frame_shape: tuple[int, ...]
) -> None:
    """Refuse a footprint that is none."""
    if n_pixels != math.prod(frame_shape):
        raise ValueError(
            f"a footprint must have one weight for each of the {' x '.join(map(str, frame_shape))} "
            f"pixels of the frame; got {n_pixels}."
        )
    low, high = (float(pick(weights, initial=0)) for pick in (np.min, np.max))
    if not (np.isfinite(weights).all() and low >= 0 and high > 0):
        raise ValueError(
            "a footprint must have finite weights of at least 0, one of them above 0; "
            f"got {low} to {high}."
        )


def footprint_mask(
    footprint: Footprint, frame_shape: tuple[int, int], *, level: float = 0.2
) -> NDArray[np.bool_]:
    """Return the pixels whose weight is at least a fraction of the largest.

    Parameters
    ----------
    footprint : array or sparse array, (n_pixels,) or (n_pixels, 1)
        Weights, pixels in C order.
    frame_shape : tuple of int
        ``(n_rows, n_cols)``.
    level : float
        Fraction of the largest weight, 0.01 to 0.99.

    Returns
    -------
    array, (n_rows, n_cols)
        True inside.

    Raises
    ------
    ValueError
        If the level is out of its range, or the footprint is refused by `footprint_image`.
    """
    check_in_range("level", level, *LEVEL_LIMITS)
    image = footprint_image(footprint, frame_shape)
    return np.asarray(image >= level * image.max())


def centroid_px(footprint: Footprint, frame_shape: tuple[int, ...]) -> tuple[float, ...]:
    """Return the centre of mass of a footprint.

    Parameters
    ----------
    footprint : array or sparse array, (n_pixels,) or (n_pixels, 1)
        Weights, pixels in C order.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)``.

    Returns
    -------
    tuple of float
        ``([plane,] row, column)`` in planes and pixels.

    Raises
    ------
    ValueError
        If the footprint is refused by `footprint_image`.

    Examples
    --------
    >>> centroid_px(np.array([0, 0, 0, 0, 1, 1], float), (2, 3))
    (1.0, 1.5)
    """
    if sparse.issparse(footprint):  # a volume has many pixels, and a cell few
        entries = sparse.coo_array(footprint)
        n_pixels, weights = entries.shape[0], entries.data
        pixels = np.asarray(entries.coords[0], np.int64)
    else:
        weights = np.asarray(footprint).ravel()
        n_pixels, pixels = weights.size, np.arange(weights.size, dtype=np.int64)
    _check_weights(weights, n_pixels, frame_shape)
    places = np.unravel_index(pixels, frame_shape)
    return tuple(float(np.average(place, weights=weights)) for place in places)


def contour_px(
    footprint: Footprint, frame_shape: tuple[int, int], *, level: float = 0.2
) -> NDArray[np.float64]:
    """Return the outline of a footprint, between pixels, by marching squares.

    Parameters
    ----------
    footprint : array or sparse array, (n_pixels,) or (n_pixels, 1)
        Weights, pixels in C order.
    frame_shape : tuple of int
        ``(n_rows, n_cols)``.
    level : float
        Fraction of the largest weight at which the line runs, 0.01 to 0.99.

    Returns
    -------
    array, (n_points, 2)
        A closed polygon, rows first, the last point equal to the first. Of several pieces it is
        the one with the largest area. It may run up to half a pixel outside the frame.

    Raises
    ------
    ValueError
        If the level is out of its range, or the footprint is refused by `footprint_image`.

    Examples
    --------
    >>> one_pixel = np.zeros((3, 3))
    >>> one_pixel[1, 1] = 1
    >>> contour_px(one_pixel, (3, 3), level=0.5).shape
    (5, 2)
    """
    check_in_range("level", level, *LEVEL_LIMITS)
    image = footprint_image(footprint, frame_shape)
    # a border of zeros, half a pixel away, closes the line around a cell at the edge
    rows, cols = (np.concatenate([[-0.5], np.arange(n), [n - 0.5]]) for n in frame_shape)
    lines = contour_generator(cols, rows, np.pad(image, 1)).lines(level * float(image.max()))
    polygons = [np.asarray(line, np.float64)[:, ::-1] for line in lines]
    return np.ascontiguousarray(max(polygons, key=_area))


def _area(polygon: NDArray[np.float64]) -> float:
    """Return the area of a closed polygon, by the shoelace formula."""
    rows, cols = polygon.T
    return float(abs(rows[:-1] @ cols[1:] - rows[1:] @ cols[:-1]) / 2)


def solidity(pixels: NDArray[np.integer], frame_shape: tuple[int, int]) -> float:
    """Return the part of its convex hull that a set of pixels fills.

    Parameters
    ----------
    pixels : array, (n_pixels,)
        Index of each pixel in a frame, in C order.
    frame_shape : tuple of int
        ``(n_rows, n_cols)``.

    Returns
    -------
    float
        0 to 1: 1 for a rectangle along the axes, about 0.9 for a disc, less for a ragged shape.

    Examples
    --------
    >>> solidity(np.array([0, 1, 10, 11]), (10, 10))
    1.0
    """
    if not pixels.size:
        return 0.0
    rows, cols = np.divmod(pixels, frame_shape[1])
    corners = [(rows + down, cols + right) for down in (0, 1) for right in (0, 1)]
    points = np.concatenate([np.stack(corner, axis=1) for corner in corners]).astype(np.int32)
    return float(pixels.size / cv2.contourArea(cv2.convexHull(points)))
