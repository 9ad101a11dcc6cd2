"""What an extraction finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.mosaic import BackgroundImages
from pipeline.extraction.raw_range import RawRange


class Background(NamedTuple):
    """What lies between and under the cells; only the product of the two has a meaning."""

    spatial: BackgroundImages | sparse.csc_array | NDArray[np.float32]
    """``(n_pixels, n_courses)``, 0 where a pixel was left out; CNMF interpolates between blocks,
    and ``spatial.at()`` returns the images as a sparse array."""

    temporal: NDArray[np.float32]
    """``(n_courses, n_frames)``."""

    @property
    def images(self) -> sparse.csc_array | NDArray[np.float32]:
        """All of ``spatial`` as an array, ``(n_pixels, n_courses)``."""
        return self.spatial.at() if isinstance(self.spatial, BackgroundImages) else self.spatial


class Quality(NamedTuple):
    """Numbers about each component, every array ``(n_rois,)``."""

    snr: NDArray[np.float32]
    """Highest mean of the raw trace above its baseline over one decay time, over its noise."""

    rval: NDArray[np.float32]
    """Correlation in space of the footprint and the mean image of the active frames."""

    solidity: NDArray[np.float32]
    """Area of the footprint over that of its convex hull, 0 to 1; low for a ragged one. In a
    volume, as it is seen along the planes."""

    area_px: NDArray[np.int64]
    """Number of pixels of the footprint, in all planes."""

    noise: NDArray[np.float32]
    """Standard deviation of the noise of the raw trace, in units of the movie."""

    baseline: NDArray[np.float32]
    """Mean of the slow baseline of the trace, in units of the movie."""

    decay_time_s: NDArray[np.float32]
    """Fitted time in which a transient falls to 1/e, in seconds."""

    rise_time_s: NDArray[np.float32]
    """Fitted time constant of the rise, in seconds; 0 for an instant rise."""

    dff_percentile: NDArray[np.float32]
    """Percentile of the running baseline that was used, 0 to 100."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The components of a movie, accepted or not; every array is joined by the column number.

    Footprints are scaled so that the sum of the squared weights equals their sum. A trace is then
    the weighted mean over the footprint of the movie without the background and the other
    components, in the movie's units, and ``footprints @ denoised`` is the movie of all cells.
    """

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)`` float32, pixels in C order, not negative."""

    denoised: NDArray[np.float32]
    """Autoregressive calcium plus a slow baseline, ``(n_rois, n_frames)``."""

    residuals: NDArray[np.float32]
    """What is left: raw = denoised + residuals, ``(n_rois, n_frames)``."""

    spikes: NDArray[np.float32]
    """Deconvolved activity that drives the calcium, not negative, ``(n_rois, n_frames)``."""

    dff: NDArray[np.float32]
    """Raw trace over its running baseline (see `delta_f_over_f`), ``(n_rois, n_frames)``."""

    background: Background
    """What lies between and under the cells."""

    quality: Quality
    """Numbers about each component."""

    accepted: NDArray[np.bool_]
    """Which components reach every threshold, ``(n_rois,)``."""

    reasons: tuple[str, ...]
    """Why a component is rejected, in words; empty for an accepted one."""

    dff_window_frames: int
    """Length of the running window that was used; the whole movie where that is shorter."""

    frame_shape: tuple[int, ...]
    """``([n_planes,] n_rows, n_cols)``."""

    under: NDArray[np.float32] | None = None
    """The background under each component, ``(n_rois, n_frames)``; its mean over the footprint."""

    neuropil: NDArray[np.float32] | None = None
    """Mean of the movie in the ring around each component, ``(n_rois, n_frames)``; None: it was not
    asked for."""

    raw_range: RawRange | None = None
    """Grey levels of the movie at the extremes of each trace; None: they were not taken."""

    names: tuple[str, ...] = ()
    """What somebody called each component; empty: they have no names."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the software of others that had a part in it, by name."""

    @property
    def raw(self) -> NDArray[np.float32]:
        """Trace with its noise, ``(n_rois, n_frames)``."""
        return self.denoised + self.residuals
