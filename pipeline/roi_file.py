"""ROIs with all that is known of them, as files of other programs hold them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.extraction.sources import Background
from pipeline.rois.given import GivenRois


@dataclass(frozen=True, kw_only=True)
class RoiFile:
    """ROIs of one recording, and what a program tells beside them."""

    rois: GivenRois
    """The ROIs with their traces, by our names."""

    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What people wrote to each ROI, by the type of the tag; "": nothing."""

    rate_hz: float | None = None
    """Of the traces, in frames per second; None: not told."""

    neuropil_coefficient: float | None = None
    """How much of the neuropil the program subtracted before it sought spikes; None: not told."""

    background: Background | None = None
    """What lies between and under the cells, where the program tells it."""

    about: Mapping[str, Any] = field(default_factory=dict)
    """What else it tells, as plain JSON values."""

    left_out: tuple[str, ...] = ()
    """One sentence for each thing in the file that is no ROI, for the person who imports it."""

    def __post_init__(self) -> None:
        if self.rate_hz is not None and not 0 < self.rate_hz < np.inf:
            raise ValueError(f"the rate must be a number above 0 Hz; got {self.rate_hz}.")
        coefficient = self.neuropil_coefficient
        if coefficient is not None and not np.isfinite(coefficient):
            raise ValueError(f"the neuropil coefficient must be a number; got {coefficient}.")

    @property
    def n_rois(self) -> int:
        """How many there are, accepted or not."""
        return int(self.rois.footprints.shape[1])

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which are cells, ``(n_rois,)``."""
        given = self.rois.accepted
        return np.ones(self.n_rois, np.bool_) if given is None else np.asarray(given, np.bool_)

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called; where nobody named them, their numbers."""
        return self.rois.names or tuple(f"roi{roi}" for roi in range(self.n_rois))

    @property
    def n_frames(self) -> int | None:
        """Length of the traces; None: there are none."""
        return next((int(traces.shape[1]) for traces in self.rois.traces.values()), None)

    def column(self, roi: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the pixels of a ROI, as indices in a frame in C order, and their weights.

        Parameters
        ----------
        roi : int
            Column of the footprints.
        """
        footprints = self.rois.footprints
        part = slice(*footprints.indptr[roi : roi + 2])
        return footprints.indices[part].astype(np.int64), footprints.data[part].astype(np.float32)


def footprints_of(
    columns: Sequence[tuple[NDArray[np.integer], NDArray[Any]]], n_pixels: int
) -> sparse.csc_array:
    """Return a footprint matrix from the pixels and weights of each ROI.

    Parameters
    ----------
    columns : sequence of (array, array)
        Indices in a frame in C order, in any order, and their weights; weights of 0 are left out,
        and those of a pixel that is named twice are added.
    n_pixels : int
        Of a frame.

    Returns
    -------
    sparse array, (n_pixels, n_rois)
        Indices in increasing order.
    """
    which = np.repeat(np.arange(len(columns)), [len(pixels) for pixels, _ in columns])
    row = np.concatenate([np.zeros(0, np.int64), *(pixels for pixels, _ in columns)])
    data = np.concatenate([np.zeros(0, np.float32), *(weights for _, weights in columns)])
    places = row.astype(np.int64), which
    matrix = sparse.csc_array((data.astype(np.float32), places), shape=(n_pixels, len(columns)))
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def column_name(text: str) -> str:
    """Return a name that HDF5 and Python take for a column.

    Parameters
    ----------
    text : str
        Any words.

    Examples
    --------
    >>> column_name("cell type / layer")
    'cell_type_layer'
    """
    return re.sub(r"\W+", "_", text).strip("_") or "unnamed"
