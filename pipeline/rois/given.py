"""ROIs that somebody drew or another program found, as they are given to us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.checks import check_one_of
from pipeline.rois.outlines import Shape, rasterize

if TYPE_CHECKING:  # extraction begins with ROIs: at run time that would be a circle
    from pipeline.extraction.sources import Background

GIVEN_TRACES = ("raw", "neuropil", "background", "denoised", "dff", "spikes")
"""Traces that may be given; the others are computed."""

LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class GivenRois:
    """ROIs with what is known of each; all is joined by the column number of the footprints.

    Raises
    ------
    ValueError
        If the parts do not fit together, or a footprint cannot be one.
    """

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)``, pixels in C order, not negative, none empty."""

    frame_shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)`` of the recorded frames."""

    names: tuple[str, ...] = ()
    """What each is called; empty: they have no names."""

    shapes: tuple[Shape | None, ...] = ()
    """What was drawn, in the order of the ROIs; empty: nothing, or None for those that were not."""

    accepted: NDArray[np.bool_] | None = None
    """Which of them are cells, ``(n_rois,)``; None: all."""

    reasons: tuple[str, ...] = ()
    """Why the others are not; empty: that is not known."""

    numbers: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    """Numbers about each by their name, ``(n_rois,)``, NaN where there is none."""

    traces: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    """Traces by their name, of `GIVEN_TRACES`, each ``(n_rois, n_frames)``; empty: they are
    measured in the movie. With some, ``raw`` is among them, the movie is not read, and what is
    missing is computed from these."""

    background: "Background | None" = None
    """What lies between and under them, on all pixels, where the program with the traces tells
    it."""

    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What people wrote to each ROI by the type of the tag, ``(n_rois,)``; "": nothing."""

    source: str = "drawn"
    """Which program they come from, and its version where it is known."""

    file: str = ""
    """Name of the file or folder."""

    def __post_init__(self) -> None:
        n_pixels, n_rois = self.footprints.shape
        if n_pixels != np.prod(self.frame_shape):
            raise ValueError(
                f"footprints must have one weight for each pixel of a frame of "
                f"{' x '.join(map(str, self.frame_shape))}; got {n_pixels}."
            )
        for name in ("names", "shapes", "reasons", "accepted"):
            value = getattr(self, name)
            if value is not None and len(value) not in {n_rois} | (
                {0} if name != "accepted" else set()
            ):
                raise ValueError(
                    f"{name} must have one entry for each of {n_rois} ROIs; got {len(value)}."
                )
        for label, words in self.tags.items():
            if len(words) != n_rois:
                raise ValueError(
                    f"tags of the type {label!r} must be one for each of {n_rois} ROIs; got "
                    f"{len(words)}."
                )
        for name, values in self.numbers.items():
            if np.shape(values) != (n_rois,):
                raise ValueError(
                    f"{name} must be a number for each of {n_rois} ROIs; got {np.shape(values)}."
                )
        self._check_footprints()
        self._check_traces(n_rois)

    def _check_footprints(self) -> None:
        data = self.footprints.data
        if data.size and not (np.isfinite(data).all() and data.min() >= 0):
            raise ValueError("footprints must have finite weights of at least 0.")
        largest = np.asarray(self.footprints.max(axis=0).todense()).ravel()
        empty = np.flatnonzero(largest <= 0)
        if empty.size:
            raise ValueError(f"ROI {empty[0]} has no pixels; leave it out.")

    def _check_traces(self, n_rois: int) -> None:
        for name in self.traces:
            check_one_of("the name of a trace", name, GIVEN_TRACES)
        shapes = {np.shape(values) for values in self.traces.values()}
        if self.traces and ("raw" not in self.traces or len(shapes) > 1):
            raise ValueError("of traces that are given, raw must be one, and all be equally long.")
        self._check_background(shapes)
        if any(len(shape) != len(("n_rois", "n_frames")) or shape[0] != n_rois for shape in shapes):
            raise ValueError(
                f"traces must be (n_rois, n_frames) of {n_rois} ROIs; got {shapes.pop()}."
            )

    def _check_background(self, shapes: set[tuple[int, ...]]) -> None:
        if self.background is None:
            return
        spatial, temporal = self.background
        expected = {
            (n_courses, n_frames) for n_courses in spatial.shape[1:] for _, n_frames in shapes
        }
        if spatial.shape[0] != self.footprints.shape[0] or {temporal.shape} != expected:
            raise ValueError(
                "a background must have a value for each pixel and each frame of the traces; got "
                f"{spatial.shape} and {temporal.shape}."
            )


def rois_of_shapes(
    shapes: Sequence[Shape],
    frame_shape: tuple[int, ...],
    *,
    names: Sequence[str] = (),
    file: str = "",
) -> GivenRois:
    """Return drawn shapes as ROIs, each pixel weighted by its part that is inside.

    Parameters
    ----------
    shapes : sequence of Polygon or Ellipse
        What was drawn.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)`` of the recorded frames.
    names : sequence of str
        What each is called; empty: they have no names.
    file : str
        Where they come from.

    Raises
    ------
    ValueError
        If a shape cannot be, with its number and its name; see `pipeline.rois.rasterize`.
    """
    found = []
    for number, shape in enumerate(shapes):
        try:
            found.append(rasterize(shape, frame_shape))
        except ValueError as error:
            name = f" ({names[number]!r})" if names else ""
            raise ValueError(f"ROI {number}{name} cannot be: {error}") from error
    indptr = np.cumsum([0, *(each.pixels.size for each in found)])
    indices = np.concatenate([np.zeros(0, np.int64), *(each.pixels for each in found)])
    weights = np.concatenate([np.zeros(0, np.float32), *(each.weights for each in found)])
    matrix = sparse.csc_array((weights, indices, indptr), shape=(np.prod(frame_shape), len(found)))
    return GivenRois(
        footprints=matrix,
        frame_shape=tuple(frame_shape),
        names=tuple(names),
        shapes=tuple(shapes),
        file=file,
    )
