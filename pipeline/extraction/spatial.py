"""Footprints from traces: non-negative least squares on a restricted support."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage, sparse

from pipeline.extraction.background import LocalBackground, at_entries
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import around_mean, products
from pipeline.extraction.stream import Stream
from pipeline.scratch import by_rows

SWEEPS = 5
MIN_WEIGHT_SIGMAS = 2.0
"""A pixel stays in a footprint if its weight is so many times its standard error."""

MIN_PIECE_PX = 4
"""Of a footprint in pieces, smaller ones are left out: they are noise."""

MIN_RELATIVE_WEIGHT = 0.05
"""And so large relative to the largest weight."""


def dilated(footprints: sparse.csc_array, field: Field) -> sparse.csc_array:
    """Widen footprints by a margin with weights of 0, ``(n_pixels, n_rois)``."""
    steps = _steps(field.margin_px)
    weight = np.zeros(field.usable.size, np.float32)
    columns = []
    for roi in range(footprints.shape[1]):
        column = slice(footprints.indptr[roi], footprints.indptr[roi + 1])
        own = footprints.indices[column]
        weight[own] = footprints.data[column]
        wide = _around(own[weight[own] > 0], steps, field.frame_shape)
        pixels = wide[field.usable[wide]]
        columns.append((pixels, weight[pixels]))
        weight[own] = 0
    return from_columns(columns, field.usable.size)


def _steps(margin_px: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the steps from a pixel to those in the ellipse around it, ``(n_steps, n_axes)``."""
    *depth, rows, cols = margin_px
    steps = []
    for away in np.ndindex(*(2 * planes + 1 for planes in depth)):
        up = np.subtract(away, depth)
        shrunk = math.sqrt(1 - float(np.square(up / (np.array(depth) + 0.5)).sum()))
        size = 2 * round(cols * shrunk) + 1, 2 * round(rows * shrunk) + 1
        ellipse = np.argwhere(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size))
        flat = ellipse - np.array(size[::-1]) // 2
        steps.append(np.column_stack([np.tile(up, (len(flat), 1)), flat]))
    return np.concatenate(steps).astype(np.int64)


def _around(
    pixels: NDArray[np.integer], steps: NDArray[np.int64], frame_shape: tuple[int, ...]
) -> NDArray[np.integer]:
    """Return the pixels of the frame that are a step from any of the given ones, in order."""
    places = np.stack(np.unravel_index(pixels, frame_shape), axis=1)
    reached = (places[:, np.newaxis] + steps).reshape(-1, len(frame_shape))
    inside = ((reached >= 0) & (reached < frame_shape)).all(axis=1)
    lit = np.unique(np.ravel_multi_index(tuple(reached[inside].T), frame_shape))
    # a volume has many cells with many pixels
    return lit.astype(np.int32) if math.prod(frame_shape) <= np.iinfo(np.int32).max else lit


def update_footprints(
    stream: Stream,
    support: sparse.csc_array,
    calcium: NDArray[np.float32],
    background: LocalBackground,
    *,
    noise: NDArray[np.float32],
    in_pieces: bool = False,
) -> tuple[sparse.csc_array, NDArray[np.float32]]:
    """Read the movie once and return new footprints and calcium, scaled to each other.

    Parameters
    ----------
    stream : Stream
        The movie.
    support : sparse array, (n_pixels, n_rois)
        Stored values, zeros included, say where a footprint may be, and start the descent.
    calcium : array, (n_rois, n_frames)
        Traces without baseline.
    background : LocalBackground
        The changing background at every pixel.
    noise : array, (n_pixels,)
        Standard deviation of the noise of each pixel.
    in_pieces : bool
        Whether a footprint may be in pieces; else its heaviest one is kept.

    Returns
    -------
    tuple
        Footprints as `Sources` scales them, empty where nothing is left, and calcium.
    """
    # around its mean, calcium knows nothing of what is constant in a pixel
    changes = around_mean(calcium)
    local = stream.weigh(support, changes, phase="footprints")
    indptr, pixels = support.indptr.astype(np.int64), support.indices.astype(np.int64)
    gram = products(changes, changes)
    roi_of_entry = np.repeat(np.arange(len(calcium)), np.diff(indptr))
    target = local - at_entries(background.spread, support, products(background.courses, changes))
    neighbours = sparse.csr_array(ones(support).T @ ones(support))
    weights = support.data.astype(np.float64)
    _descend(
        weights,
        target,
        gram,
        (indptr, pixels),
        (neighbours.indptr.astype(np.int64), neighbours.indices.astype(np.int64)),
        np.zeros(support.shape[0]),
    )
    error = noise[pixels] / np.sqrt(np.maximum(np.diag(gram), 1e-30))[roi_of_entry]
    weights[weights < MIN_WEIGHT_SIGMAS * error] = 0
    fitted = sparse.csc_array((weights, pixels, indptr), shape=support.shape)
    shape = stream.movie.frame_shape
    return rescaled(connected(fitted, frame_shape=shape, in_pieces=in_pieces), calcium)


def connected(
    footprints: sparse.csc_array, *, frame_shape: tuple[int, ...], in_pieces: bool = False
) -> sparse.csc_array:
    """Keep the heaviest connected piece of each footprint, or all but specks; no faint pixels."""
    columns = []
    for roi in range(footprints.shape[1]):
        column = slice(footprints.indptr[roi], footprints.indptr[roi + 1])
        pixels, weights = footprints.indices[column], footprints.data[column]
        bright = weights > MIN_RELATIVE_WEIGHT * weights.max(initial=0)
        pixels, weights = pixels[bright], weights[bright]
        if pixels.size:
            label = _pieces(pixels, frame_shape)
            sizes = np.bincount(label)
            heaviest = label == np.bincount(label, weights).argmax()
            piece = sizes[label] >= MIN_PIECE_PX if in_pieces else heaviest
            pixels, weights = pixels[piece], weights[piece]
        columns.append((pixels, weights))
    return from_columns(columns, footprints.shape[0])


def rescaled(
    footprints: sparse.csc_array, calcium: NDArray[np.float32]
) -> tuple[sparse.csc_array, NDArray[np.float32]]:
    """Scale footprints so that the sum of squares equals the sum, and calcium the other way."""
    total = np.asarray(footprints.sum(axis=0)).ravel()
    power = np.asarray(footprints.power(2).sum(axis=0)).ravel()
    scale = np.divide(total, power, out=np.ones_like(total), where=power > 0)
    scaled = sparse.csc_array(footprints @ sparse.diags_array(scale)).astype(np.float32)
    return scaled, by_rows(lambda some, by: some / by[:, np.newaxis], calcium, scale)


def _pieces(pixels: NDArray[np.integer], frame_shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the number of the connected piece that each pixel belongs to; sides connect."""
    places = tuple(place - place.min() for place in np.unravel_index(pixels, frame_shape))
    mask = np.zeros([int(place.max()) + 1 for place in places], np.bool_)
    mask[places] = True
    labels, _ = ndimage.label(mask)
    return np.asarray(labels[places], np.int64)


def centres_px(footprints: sparse.csc_array, frame_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the centre of mass of each footprint, ``(n_rois, n_axes)``; only lit pixels count."""
    n_rois = footprints.shape[1]
    roi = np.repeat(np.arange(n_rois), np.diff(footprints.indptr))
    total = np.maximum(np.bincount(roi, footprints.data, n_rois), 1e-30)
    places = np.unravel_index(footprints.indices, frame_shape)
    sums = [np.bincount(roi, footprints.data * place, n_rois) for place in places]
    return np.stack(sums, axis=1) / total[:, np.newaxis]


def ones(support: sparse.csc_array) -> sparse.csc_array:
    """Return a support with 1 at each stored value."""
    ones = np.ones(support.data.size, np.float32)
    return sparse.csc_array((ones, support.indices, support.indptr), shape=support.shape)


def from_columns(
    columns: Sequence[tuple[NDArray[np.integer], NDArray[np.floating]]], n_pixels: int
) -> sparse.csc_array:
    """Return a sparse matrix with the given pixels and weights in each column, zeros stored."""
    indptr = np.cumsum([0, *(pixels.size for pixels, _ in columns)])
    if not columns:
        return sparse.csc_array((n_pixels, 0), dtype=np.float32)
    pixels, weights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return sparse.csc_array(
        (weights.astype(np.float32), pixels, indptr), shape=(n_pixels, len(columns))
    )


@njit(nogil=True, cache=True)
def _descend(
    weights: NDArray[np.float64],
    target: NDArray[np.float64],
    gram: NDArray[np.float64],
    support: tuple[NDArray[np.int64], NDArray[np.int64]],
    neighbours: tuple[NDArray[np.int64], NDArray[np.int64]],
    image: NDArray[np.float64],
) -> None:
    """Update one footprint after the other in place, the others held; ``image`` is scratch."""
    indptr, pixels = support
    for _ in range(SWEEPS):
        for roi in range(indptr.size - 1):
            if gram[roi, roi] <= 0:
                weights[indptr[roi] : indptr[roi + 1]] = 0
                continue
            for i in range(indptr[roi], indptr[roi + 1]):
                image[pixels[i]] = 0
            for j in range(neighbours[0][roi], neighbours[0][roi + 1]):
                other = neighbours[1][j]
                for i in range(indptr[other], indptr[other + 1]):
                    image[pixels[i]] += gram[other, roi] * weights[i]
            for i in range(indptr[roi], indptr[roi + 1]):
                step = (target[i] - image[pixels[i]]) / gram[roi, roi]
                weights[i] = max(0.0, weights[i] + step)
